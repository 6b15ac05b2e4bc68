#pragma once
// Which factor scales each channel of a value, and how moving data moves channels.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace xinfer::quantize {

/// Names a factor to be chosen: one for each set of channels that can only be scaled alike.
using Factor = std::int32_t;

/// The factors of a value's channels.
struct Channels {
  std::vector<bool> kept;       ///< by axis: factors differ along it; never an axis of one element
  std::vector<Factor> factors;  ///< row-major over the kept axes; empty: nothing scales this value
  bool scaled() const { return !factors.empty(); }
};

/// `factors` along one axis of `shape`.
Channels along(const ir::Shape& shape, std::size_t axis, std::vector<Factor> factors);
/// The factor of each index along `axis`; nothing when the value isn't scaled or factors differ along another axis.
std::optional<std::vector<Factor>> factors_along(const ir::Shape& shape, const Channels& channels, std::size_t axis);
/// Writes out the factors along `axes` too.
Channels spread(const ir::Shape& shape, const Channels& channels, const std::vector<bool>& axes);
/// What is left of the value when only `indices` along `axis` are taken. `shape` is that before.
Channels take(const ir::Shape& shape, const Channels& channels, std::size_t axis,
              std::span<const std::int64_t> indices);
/// Output axis i is input axis perm[i]. `shape` is that before.
Channels permute(const ir::Shape& shape, const Channels& channels, const std::vector<std::int64_t>& perm);
/// Nothing when channels would mix with the batch.
std::optional<Channels> reshape(const ir::Shape& from, const Channels& channels, const ir::Shape& to);
/// Values joined along `axis`; nothing when their factors are laid out differently. `fill` stands in for the factors of
/// values that aren't scaled.
std::optional<Channels> join(std::span<const ir::Shape* const> shapes, std::span<const Channels* const> channels,
                             std::size_t axis, Factor fill);
/// Seen as an operand that is broadcast to `shape`; nothing when factors differ along an axis that is broadcast.
std::optional<Channels> broadcast_to(const ir::Shape& from, const Channels& channels, const ir::Shape& shape);

/// All factors, the sets of those found to be the same, and what is known about each.
class Factors {
 public:
  Factor add(ir::NodeId writer);
  /// The first of the factors that are the same as `factor`.
  Factor find(Factor factor) const;
  void unite(Factor a, Factor b);
  /// Fixes a factor at 1.
  void freeze(Factor factor) { info_[index(find(factor))].frozen = true; }
  /// Keeps the factor at 2^exponent or less.
  void limit(Factor factor, int exponent);

  bool frozen(Factor factor) const { return info_[index(find(factor))].frozen; }
  int limit(Factor factor) const { return info_[index(find(factor))].limit; }
  /// The node that writes the first channel which the factor scales.
  ir::NodeId writer(Factor factor) const { return info_[index(find(factor))].writer; }
  std::size_t size() const { return info_.size(); }

 private:
  struct Info {
    Factor parent;
    ir::NodeId writer;
    bool frozen = false;
    int limit = std::numeric_limits<int>::max();
  };
  static std::size_t index(Factor factor) { return static_cast<std::size_t>(factor); }
  std::vector<Info> info_;
};

}  // namespace xinfer::quantize
