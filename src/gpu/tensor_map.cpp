// Descriptors for TMA. The driver answers a bad one with "invalid argument" and nothing more, so the rules are checked
// here first.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gpu/driver_api.h"
#include "gpu/launch.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& map) {
  throw DeviceError(fmt::format("no TMA descriptor: {}: {}", what, map));
}

std::string describe(const TiledMap& map) {
  return fmt::format("tiled, {} bytes an element, address {:#x}, size [{}], stride [{}], box [{}], swizzle {}",
                     map.element_bytes, map.address, fmt::join(map.size, ", "), fmt::join(map.stride, ", "),
                     fmt::join(map.box, ", "), static_cast<int>(map.swizzle));
}

std::string describe(const Im2colMap& map) {
  return fmt::format(
      "im2col, {} bytes an element, address {:#x}, size [{}], stride [{}], corners [{}] and [{}], traversal [{}], "
      "{} channels, {} pixels, swizzle {}",
      map.element_bytes, map.address, fmt::join(map.size, ", "), fmt::join(map.stride, ", "),
      fmt::join(map.lower_corner, ", "), fmt::join(map.upper_corner, ", "), fmt::join(map.traversal, ", "),
      map.channels, map.pixels, static_cast<int>(map.swizzle));
}

/// What holds for both kinds. "cuTensorMapEncodeTiled" of the driver API reference lists the rules.
template <class Map>
void check_common(const Map& map) {
  const auto text = [&] { return describe(map); };
  if (map.element_bytes != 1 && map.element_bytes != 2) refuse("elements have 1 or 2 bytes", text());
  if (map.address == 0 || map.address % 16 != 0) refuse("the address must be a multiple of 16", text());
  for (const std::uint64_t size : map.size) {
    if (size == 0 || size > (std::uint64_t{1} << 32)) refuse("sizes go from 1 to 2^32", text());
  }
  if (map.stride.size() + 1 != map.size.size()) refuse("there is one stride for each axis but the innermost", text());
  for (const std::uint64_t stride : map.stride) {
    if (stride % 16 != 0 || stride >= (std::uint64_t{1} << 40)) {
      refuse("strides must be multiples of 16 below 2^40", text());
    }
  }
}

void check_inner(std::uint64_t bytes, Swizzle swizzle, const std::string& text) {
  if (bytes % 16 != 0) refuse("a copy's innermost extent must be a multiple of 16 bytes", text);
  const std::uint64_t limit = swizzle == Swizzle::k32 ? 32 : swizzle == Swizzle::k64 ? 64 : 128;
  if (swizzle != Swizzle::kNone && bytes > limit) refuse("a copy's innermost extent exceeds the swizzle's", text);
}

int type_of(int element_bytes) { return element_bytes == 1 ? cu::kTypeUint8 : cu::kTypeFloat16; }

void* host_view(DevicePointer address) {
  return reinterpret_cast<void*>(address);  // NOLINT: the driver's signature has void* for a device address
}

}  // namespace

TensorMap encode(const TiledMap& map) {
  check_common(map);
  const std::string text = describe(map);
  if (map.size.empty() || map.size.size() > 5) refuse("a map has 1 to 5 axes", text);
  if (map.box.size() != map.size.size()) refuse("the box has as many axes as the tensor", text);
  for (const std::uint32_t extent : map.box) {
    if (extent == 0 || extent > 256) refuse("a box extends from 1 to 256 elements along each axis", text);
  }
  check_inner(std::uint64_t{map.box[0]} * static_cast<std::uint64_t>(map.element_bytes), map.swizzle, text);
  const std::vector<std::uint32_t> steps(map.size.size(), 1);
  TensorMap encoded;
  check(driver().cuTensorMapEncodeTiled(
            &encoded, type_of(map.element_bytes), static_cast<std::uint32_t>(map.size.size()), host_view(map.address),
            map.size.data(), map.stride.data(), map.box.data(), steps.data(), cu::kInterleaveNone,
            static_cast<int>(map.swizzle), cu::kL2Promotion256, cu::kFillZero),
        "cuTensorMapEncodeTiled", text);
  return encoded;
}

TensorMap encode(const Im2colMap& map) {
  check_common(map);
  const std::string text = describe(map);
  if (map.size.size() != 4 || map.traversal.size() != 4) refuse("an NHWC tensor has 4 axes", text);
  if (map.lower_corner.size() != 2 || map.upper_corner.size() != 2) refuse("corners have 2 axes: W and H", text);
  for (const std::vector<std::int32_t>* corner : {&map.lower_corner, &map.upper_corner}) {
    for (const std::int32_t offset : *corner) {
      if (offset < -128 || offset > 127) refuse("corners go from -128 to 127", text);
    }
  }
  for (const std::uint32_t step : map.traversal) {
    if (step == 0 || step > 8) refuse("traversal strides go from 1 to 8", text);
  }
  if (map.channels == 0 || map.channels > 256) refuse("a copy takes 1 to 256 channels", text);
  if (map.pixels == 0 || map.pixels > 1024) refuse("a copy takes 1 to 1024 pixels", text);
  check_inner(std::uint64_t{map.channels} * static_cast<std::uint64_t>(map.element_bytes), map.swizzle, text);
  TensorMap encoded;
  check(driver().cuTensorMapEncodeIm2col(
            &encoded, type_of(map.element_bytes), 4, host_view(map.address), map.size.data(), map.stride.data(),
            map.lower_corner.data(), map.upper_corner.data(), map.channels, map.pixels, map.traversal.data(),
            cu::kInterleaveNone, static_cast<int>(map.swizzle), cu::kL2Promotion256, cu::kFillZero),
        "cuTensorMapEncodeIm2col", text);
  return encoded;
}

}  // namespace xinfer::gpu
