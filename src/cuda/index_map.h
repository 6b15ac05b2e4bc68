#pragma once
// Loops over tensors of several axes, planned for a GPU: which axis a thread takes a vector of, in which order threads
// walk the others, and where each operand's elements lie. The device side is kernels/index_map.cuh.
//
// Three cases come out of plan_map:
//   - Output and operands are contiguous (or constant) along the output's innermost axis: threads take vectors of it.
//     Where everything is contiguous, axes merge into one and the loop is flat.
//   - An operand lies transposed, and the output can be written in vectors: a thread gathers a vector of the output's
//     innermost axis, and neighbouring threads walk the operand's innermost axis, so that reads coalesce.
//   - An operand lies transposed and can be read in vectors, the output not: the same with the roles exchanged.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "cuda/format.h"
#include "gpu/launch.h"

namespace xinfer::cuda {

inline constexpr std::size_t kMapAxes = 8;
inline constexpr std::size_t kMapTensors = 7;  ///< the output, then the operands
inline constexpr std::int64_t kMapThreads = 256;

// The structs of kernels/index_map.cuh, member for member.
struct MapDivisor {
  std::uint32_t divisor = 1, magic = 0, shift = 0;
};
struct MapAxis {
  MapDivisor size;
  std::uint32_t column = 0;
  std::array<std::int32_t, kMapTensors> stride{};
};
struct MapSpace {
  std::uint32_t count = 0, axes = 0, inner = 0, stored = 0, pad_axis = kMapAxes, pad_valid = 0;
  std::array<MapAxis, kMapAxes> axis{};
};
struct MapOperand {
  gpu::DevicePointer data = 0;
  std::int32_t step = 0;
  std::uint32_t ready = 0;
};

/// Division of numbers below 2^31 by `divisor`, by multiplying (Granlund and Montgomery, 1994).
MapDivisor divisor_of(std::uint32_t divisor);

/// How one tensor lies in memory, seen along the axes of a loop.
struct MapView {
  Dims stride;                ///< elements, one for each axis; 0: the same element all along
  std::int64_t offset = 0;    ///< elements from the tensor's address to the loop's first one
  std::size_t bytes = 1;      ///< of an element
  int pad_axis = -1;          ///< the axis (of stride 1) with padding behind it, ...
  std::int64_t pitch = 0;     ///< ... and how many elements may be read, or must be written, along it
  std::int64_t unit = 0;      ///< what else is added to addresses is a multiple of this; 0: nothing is
  std::int64_t elements = 0;  ///< of the whole tensor, padding included
};

/// The axes of a loop over a tensor: its own, or one of size 1 for a scalar.
Dims loop_dims(const Dims& dims);
/// A tensor walked along its own axes.
MapView view_of(const Dims& dims, const Format& format);
/// A tensor of shape `from` (as `view` says) walked along the axes of `to`, numpy broadcasting.
MapView broadcast(const MapView& view, const Dims& from, const Dims& to);
/// Axis i of the loop walks axis perm[i] of the tensor.
MapView permute(const MapView& view, const std::vector<std::int64_t>& perm);
/// Only `count` elements from `begin` on along an axis, `step` apart.
MapView slice(MapView view, std::size_t axis, std::int64_t begin, std::int64_t step, std::int64_t count);

/// True when both hold every element of the loop at the same place.
bool same_places(const Dims& dims, const MapView& a, const MapView& b);

/// A loop ready to launch but for addresses.
struct MapPlan {
  MapSpace space;
  int vector = 1;  ///< XI_V
  std::array<std::int32_t, kMapTensors> step{};
  std::array<std::uint32_t, kMapTensors> ready{};
  std::array<std::int64_t, kMapTensors> offset{};  ///< bytes

  MapOperand operand(std::size_t tensor, gpu::DevicePointer address) const {
    return {address + static_cast<gpu::DevicePointer>(offset[tensor]), step[tensor], ready[tensor]};
  }
  gpu::Dim3 grid() const { return {static_cast<std::uint32_t>((space.count + kMapThreads - 1) / kMapThreads), 1, 1}; }
};

/// Plans a loop over `dims` that writes `out` (padding included) from `operands`. Empty when it has more axes or more
/// elements than a kernel takes.
std::optional<MapPlan> plan_map(const Dims& dims, const MapView& out, const std::vector<MapView>& operands);

/// What a refusal says when plan_map gives nothing.
inline constexpr const char* kMapTooLarge = "the loop has too many axes or elements for one kernel";

}  // namespace xinfer::cuda
