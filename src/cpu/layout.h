#pragma once
// How a value lies in memory. Shapes in the IR are logical (N, C, spatial...); a Layout says in which order, and in
// which blocks, the elements are stored.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xinfer/core/data_type.h"

namespace xinfer::cpu {

using Dims = std::vector<std::int64_t>;

/// Memory order of a value. Blocked layouts pad the channels to whole blocks; the padding holds zeros.
struct Layout {
  enum class Kind : std::uint8_t {
    kPlain,         ///< row-major in the logical order
    kChannelsLast,  ///< N, spatial..., C (rank 3 to 5)
    kBlocked,       ///< N, C / block, spatial..., block (rank 3 to 5)
    kSwapped,       ///< axes 1 and 2 swapped (rank 4): attention heads as linear layers read and write them
  };
  Kind kind = Kind::kPlain;
  std::int64_t block = 1;  ///< kBlocked: 4, 8 or 16

  static Layout plain() { return {}; }
  static Layout channels_last() { return {Kind::kChannelsLast, 1}; }
  static Layout blocked(std::int64_t block) { return {Kind::kBlocked, block}; }
  static Layout swapped() { return {Kind::kSwapped, 1}; }
  bool is_plain() const { return kind == Kind::kPlain; }
  bool operator==(const Layout&) const = default;
};

/// "plain", "nhwc", "nChw16c", "swapped"; other ranks accordingly.
std::string to_string(const Layout& layout, std::size_t rank);

/// Whether `layout` exists for tensors of this rank.
bool fits(const Layout& layout, std::size_t rank);

/// The tensor as it lies in memory: row-major sizes. kBlocked gives one more axis (the block) than the logical shape.
Dims physical_dims(const Dims& dims, const Layout& layout);

/// Elements in memory, padding included.
std::int64_t physical_count(const Dims& dims, const Layout& layout);

/// Bytes in memory, padding included.
std::size_t bytes_of(DataType type, const Dims& dims, const Layout& layout);

/// True when both layouts store this shape byte for byte alike (a single pixel is the same in plain and nhwc).
bool same_memory(const Dims& dims, const Layout& a, const Layout& b);

/// True when blocks are partly padding.
bool has_padding(const Dims& dims, const Layout& layout);

/// Where a range of a logical axis lies: whole elements [begin, begin + size) of one physical axis.
struct PhysicalRange {
  std::size_t axis;
  std::int64_t begin;
  std::int64_t size;
};
/// Empty when the range cuts through blocks.
std::optional<PhysicalRange> physical_range(const Dims& dims, const Layout& layout, std::size_t axis,
                                            std::int64_t begin, std::int64_t size);

/// The physical index of a logical axis (for kBlocked channels: the axis of whole blocks).
std::size_t physical_axis(const Layout& layout, std::size_t rank, std::size_t axis);

}  // namespace xinfer::cpu
