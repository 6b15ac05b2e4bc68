#pragma once
// Launch: one kernel launch with its arguments. TensorMap: the descriptor that TMA copies through.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace xinfer::gpu {

/// An address in device memory.
using DevicePointer = std::uint64_t;

struct Dim3 {
  std::uint32_t x = 1, y = 1, z = 1;
};

/// Arguments of a kernel, each at its natural alignment, in the order of its parameters. A kernel may equally take one
/// struct.
class KernelArgs {
 public:
  template <class T>
  KernelArgs& add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t at = (bytes_.size() + alignof(T) - 1) / alignof(T) * alignof(T);
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
    offsets_.push_back(at);
    return *this;
  }
  /// Where argument i starts.
  std::span<const std::size_t> offsets() const { return offsets_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> offsets_;
};

struct Launch {
  std::size_t kernel = 0;  ///< index into Step::kernels
  Dim3 grid{}, block{};
  std::uint32_t shared_bytes = 0;  ///< dynamic shared memory
  /// The kernel waits for its predecessor itself (common.cuh: wait_for_previous), so it may start early (programmatic
  /// dependent launch, sm_90 and newer).
  bool dependent = false;
  KernelArgs args{};
};

/// CUtensorMap, as a kernel's `const __grid_constant__ TensorMap` parameter (common.cuh).
struct alignas(64) TensorMap {
  std::array<std::uint64_t, 16> opaque{};
};

enum class Swizzle : std::uint8_t { kNone, k32, k64, k128 };

/// A tensor that TMA reads or writes; axis 0 is the innermost. See the CUDA driver API, cuTensorMapEncodeTiled.
struct TiledMap {
  int element_bytes = 1;  ///< 1 (uint8) or 2 (float16)
  DevicePointer address = 0;
  std::vector<std::uint64_t> size{};    ///< elements along each axis, up to 5 axes
  std::vector<std::uint64_t> stride{};  ///< bytes between elements along axes 1 and up: multiples of 16
  std::vector<std::uint32_t> box{};     ///< elements that one copy takes along each axis
  Swizzle swizzle = Swizzle::kNone;
};

/// An NHWC tensor of which one copy takes `pixels` output positions and `channels` channels at one filter tap. See the
/// CUDA driver API, cuTensorMapEncodeIm2col.
struct Im2colMap {
  int element_bytes = 1;
  DevicePointer address = 0;
  std::vector<std::uint64_t> size{};         ///< C, W, H, N
  std::vector<std::uint64_t> stride{};       ///< bytes, of W, H, N
  std::vector<std::int32_t> lower_corner{};  ///< W, H: -pad
  std::vector<std::int32_t> upper_corner{};  ///< W, H: pad - (kernel - 1) * dilation
  std::vector<std::uint32_t> traversal{};    ///< C (1), W, H, N (1): strides
  std::uint32_t channels = 0, pixels = 0;
  Swizzle swizzle = Swizzle::kNone;
};

/// Throw DeviceError with the description and the rule that it breaks. A device must be current on the calling thread
/// (Device::make_current, or any call that uses one).
TensorMap encode(const TiledMap& map);
TensorMap encode(const Im2colMap& map);

}  // namespace xinfer::gpu
