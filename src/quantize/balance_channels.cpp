#include "quantize/balance_channels.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace xinfer::quantize {
namespace {

using ir::Shape;

bool varies(const Shape& shape, std::size_t axis) { return !(shape[axis] == ir::Dim(1)); }

// Elements along the kept axes, and the distance between neighbours along each axis (0 where not kept).
struct Strides {
  std::vector<std::int64_t> sizes, steps;

  Strides(const Shape& shape, const std::vector<bool>& kept) : sizes(shape.rank(), 1), steps(shape.rank(), 0) {
    std::int64_t step = 1;
    for (std::size_t i = shape.rank(); i-- > 0;) {
      if (!kept[i]) continue;
      sizes[i] = shape[i].value;
      steps[i] = step;
      step *= sizes[i];
    }
  }
};

// Calls f(offset) for every index of `sizes` in row-major order, `offset` counted with `steps`.
template <class F>
void for_each_offset(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& steps, F&& f) {
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<std::int64_t> index(sizes.size(), 0);
  std::int64_t offset = 0;
  for (std::int64_t n = 0; n < total; ++n) {
    f(static_cast<std::size_t>(offset));
    for (std::size_t i = sizes.size(); i-- > 0;) {
      offset += steps[i];
      if (++index[i] < sizes[i]) break;
      offset -= steps[i] * sizes[i];
      index[i] = 0;
    }
  }
}

}  // namespace

Channels along(const Shape& shape, std::size_t axis, std::vector<Factor> factors) {
  Channels result{std::vector<bool>(shape.rank(), false), std::move(factors)};
  result.kept[axis] = varies(shape, axis);
  return result;
}

std::optional<std::vector<Factor>> factors_along(const Shape& shape, const Channels& channels, std::size_t axis) {
  if (!channels.scaled() || axis >= shape.rank() || !shape[axis].is_constant()) return std::nullopt;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (channels.kept[i] && i != axis) return std::nullopt;
  }
  if (channels.kept[axis]) return channels.factors;
  return std::vector<Factor>(static_cast<std::size_t>(shape[axis].value), channels.factors.front());
}

Channels spread(const Shape& shape, const Channels& channels, const std::vector<bool>& axes) {
  Channels result = channels;
  for (std::size_t i = 0; i < axes.size(); ++i) result.kept[i] = result.kept[i] || (axes[i] && varies(shape, i));
  result.factors.clear();
  const Strides from(shape, channels.kept);
  const Strides to(shape, result.kept);
  for_each_offset(to.sizes, from.steps, [&](std::size_t at) { result.factors.push_back(channels.factors[at]); });
  return result;
}

Channels take(const Shape& shape, const Channels& channels, std::size_t axis, std::span<const std::int64_t> indices) {
  if (!channels.scaled() || !channels.kept[axis]) return channels;
  const Strides from(shape, channels.kept);
  std::vector<std::int64_t> before = from.sizes, after = from.sizes;
  std::fill(before.begin() + static_cast<std::ptrdiff_t>(axis), before.end(), 1);
  std::fill(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  Channels result{channels.kept, {}};
  result.kept[axis] = indices.size() != 1;
  for_each_offset(before, from.steps, [&](std::size_t outer) {
    for (const std::int64_t index : indices) {
      const std::size_t start = outer + static_cast<std::size_t>(index * from.steps[axis]);
      for_each_offset(after, from.steps,
                      [&](std::size_t inner) { result.factors.push_back(channels.factors[start + inner]); });
    }
  });
  return result;
}

Channels permute(const Shape& shape, const Channels& channels, const std::vector<std::int64_t>& perm) {
  if (!channels.scaled()) return channels;
  const Strides from(shape, channels.kept);
  Channels result{std::vector<bool>(perm.size()), {}};
  std::vector<std::int64_t> sizes(perm.size()), steps(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    const auto axis = static_cast<std::size_t>(perm[i]);
    result.kept[i] = channels.kept[axis];
    sizes[i] = from.sizes[axis];
    steps[i] = from.steps[axis];
  }
  for_each_offset(sizes, steps, [&](std::size_t at) { result.factors.push_back(channels.factors[at]); });
  return result;
}

std::optional<Channels> reshape(const Shape& from, const Channels& channels, const Shape& to) {
  if (!channels.scaled()) return channels;
  std::vector<bool> spread_axes(from.rank(), false);
  std::vector<bool> kept(to.rank(), false);
  // Both shapes fall into blocks of neighbouring axes with the same number of elements.
  std::size_t i = 0, j = 0;
  while (i < from.rank() && j < to.rank()) {
    const std::size_t first_i = i, first_j = j;
    ir::Dim in = from[i++], out = to[j++];
    while (in != out) {
      const bool grow_out = out.value < in.value || (out.value == in.value && in.batch);
      if (grow_out ? j == to.rank() : i == from.rank()) return std::nullopt;
      ir::Dim& side = grow_out ? out : in;
      const ir::Dim next = grow_out ? to[j++] : from[i++];
      side = ir::Dim(side.value * next.value, side.batch || next.batch);
    }
    const auto begin = channels.kept.begin();
    const bool scaled = std::any_of(begin + static_cast<std::ptrdiff_t>(first_i),
                                    begin + static_cast<std::ptrdiff_t>(i), [](bool k) { return k; });
    if (!scaled) continue;
    if (in.batch) return std::nullopt;
    for (std::size_t a = first_i; a < i; ++a) spread_axes[a] = true;
    for (std::size_t a = first_j; a < j; ++a) kept[a] = varies(to, a);
  }
  Channels result = spread(from, channels, spread_axes);
  result.kept = std::move(kept);  // what is left over on either side are axes of one element
  return result;
}

std::optional<Channels> join(std::span<const Shape* const> shapes, std::span<const Channels* const> channels,
                             std::size_t axis, Factor fill) {
  const auto scaled = std::find_if(channels.begin(), channels.end(), [](const Channels* c) { return c->scaled(); });
  if (scaled == channels.end()) return Channels{};
  // Factors must differ along `axis` (unless a value has one element there) and along nothing that others lack.
  std::vector<bool> kept((*scaled)->kept.size(), false);
  for (std::size_t n = 0; n < channels.size(); ++n) {
    if (!channels[n]->scaled()) continue;
    for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = kept[i] || channels[n]->kept[i];
  }
  std::vector<bool> with_axis = kept;
  with_axis[axis] = true;
  Channels result{with_axis, {}};
  std::vector<std::vector<Factor>> parts;
  std::vector<std::size_t> runs;  // factors of a part for each index before `axis`
  std::size_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= with_axis[i] ? static_cast<std::size_t>((*shapes[0])[i].value) : 1;
  for (std::size_t n = 0; n < channels.size(); ++n) {
    const Shape& shape = *shapes[n];
    if (!shape[axis].is_constant()) return std::nullopt;
    const Channels part =
        channels[n]->scaled() ? *channels[n] : Channels{std::vector<bool>(kept.size(), false), {fill}};
    parts.push_back(spread(shape, part, with_axis).factors);
    runs.push_back(parts.back().size() / outer);
  }
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t n = 0; n < parts.size(); ++n) {
      const auto begin = parts[n].begin() + static_cast<std::ptrdiff_t>(o * runs[n]);
      result.factors.insert(result.factors.end(), begin, begin + static_cast<std::ptrdiff_t>(runs[n]));
    }
  }
  return result;
}

std::optional<Channels> broadcast_to(const Shape& from, const Channels& channels, const Shape& shape) {
  if (!channels.scaled()) return channels;
  const std::size_t added = shape.rank() - from.rank();
  Channels result{std::vector<bool>(shape.rank(), false), channels.factors};
  for (std::size_t i = 0; i < from.rank(); ++i) {
    if (channels.kept[i] && !(from[i] == shape[added + i])) return std::nullopt;
    result.kept[added + i] = channels.kept[i];
  }
  return result;
}

Factor Factors::add(ir::NodeId writer) {
  const auto factor = static_cast<Factor>(info_.size());
  info_.push_back({factor, writer});
  return factor;
}

Factor Factors::find(Factor factor) const {
  while (info_[index(factor)].parent != factor) factor = info_[index(factor)].parent;
  return factor;
}

void Factors::unite(Factor a, Factor b) {
  a = find(a);
  b = find(b);
  if (a == b) return;
  Info& first = info_[index(std::min(a, b))];
  Info& second = info_[index(std::max(a, b))];
  second.parent = first.parent;
  first.frozen = first.frozen || second.frozen;
  first.limit = std::min(first.limit, second.limit);
}

void Factors::limit(Factor factor, int exponent) {
  Info& info = info_[index(find(factor))];
  info.limit = std::min(info.limit, exponent);
}

}  // namespace xinfer::quantize
