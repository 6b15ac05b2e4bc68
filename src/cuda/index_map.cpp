#include "cuda/index_map.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kVectorBytes = 16;
constexpr std::int64_t kSectorBytes = 32;  // what one memory transaction brings

/// An axis while the loop is planned.
struct Axis {
  std::int64_t size = 1;    ///< valid elements
  std::int64_t extent = 1;  ///< the same with the output's padding
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> ready;  ///< elements that may be accessed as vectors along this axis
};

using Axes = std::vector<Axis>;  // outermost first, in the order of the output's memory

std::vector<const MapView*> tensors_of(const MapView& out, const std::vector<MapView>& operands) {
  std::vector<const MapView*> tensors{&out};
  for (const MapView& operand : operands) tensors.push_back(&operand);
  return tensors;
}

Axes axes_of(const Dims& dims, const std::vector<const MapView*>& tensors) {
  Axes axes;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    Axis axis;
    axis.size = axis.extent = dims[i];
    for (const MapView* tensor : tensors) {
      const bool padded = tensor->pad_axis == static_cast<int>(i);
      axis.stride.push_back(tensor->stride[i]);
      axis.ready.push_back(padded ? tensor->pitch : dims[i]);
    }
    axis.extent = axis.ready[0];
    if (axis.extent > 1) axes.push_back(std::move(axis));
  }
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride[0] > b.stride[0]; });
  return axes;
}

/// Joins neighbours that every tensor walks as one.
Axes merged(const Axes& axes) {
  Axes result;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const Axis& outer = axes[i];
    bool joins = !result.empty() && result.front().size == result.front().extent;
    for (std::size_t t = 0; joins && t < outer.stride.size(); ++t) {
      joins = outer.stride[t] == result.front().stride[t] * result.front().size;
    }
    if (!joins) {
      result.insert(result.begin(), outer);
      continue;
    }
    Axis& inner = result.front();
    inner.size *= outer.size;
    inner.extent = inner.size;
    inner.ready.assign(inner.ready.size(), inner.size);
  }
  return result;
}

/// Whether a tensor may be accessed in vectors of `width` elements along an axis.
bool aligned(const Axes& axes, std::size_t axis, const MapView& view, std::size_t tensor, std::int64_t width) {
  if (axes[axis].stride[tensor] != 1 || view.offset % width != 0 || view.unit % width != 0) return false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (i != axis && axes[i].stride[tensor] % width != 0) return false;
  }
  return true;
}

enum class Walk { kAlong, kGather, kScatter };

struct Choice {
  Walk walk = Walk::kAlong;
  std::size_t vector_axis = 0;
  std::size_t lane_axis = 0;  ///< kGather, kScatter: what neighbouring threads walk
  std::int64_t width = 1;
};

/// The widest vectors that `anchor` (written or read whole) and as many others as possible can take.
std::int64_t width_of(const Axes& axes, std::size_t axis, const std::vector<const MapView*>& tensors,
                      std::size_t anchor) {
  std::int64_t largest = static_cast<std::int64_t>(tensors[anchor]->bytes);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (axes[axis].stride[t] == 1) largest = std::max(largest, static_cast<std::int64_t>(tensors[t]->bytes));
  }
  std::int64_t width = kVectorBytes / largest;
  while (width > 1 && !aligned(axes, axis, *tensors[anchor], anchor, width)) width /= 2;
  // Narrower ones for the sake of the others, if they stay worth it.
  const auto all = [&](std::int64_t w) {
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      if (axes[axis].stride[t] == 1 && !aligned(axes, axis, *tensors[t], t, w)) return false;
    }
    return true;
  };
  for (std::int64_t w = width; w * largest >= 4 && w > 1; w /= 2) {
    if (all(w)) return w;
  }
  return width;
}

Choice choose(const Axes& axes, const std::vector<const MapView*>& tensors) {
  Choice choice;
  const std::size_t x = axes.size() - 1;
  choice.vector_axis = choice.lane_axis = x;
  choice.width = width_of(axes, x, tensors, 0);
  for (std::size_t t = 1; t < tensors.size(); ++t) {
    const std::int64_t along = axes[x].stride[t];
    if (along == 0 || along == 1 || axes[x].size < 2) continue;
    for (std::size_t y = 0; y < x; ++y) {
      if (axes[y].stride[t] != 1 || axes[y].size < 2) continue;
      const std::int64_t read_width = width_of(axes, y, tensors, t);
      const bool wide = axes[y].size >= 16;
      if (choice.width > 1 && (wide || read_width == 1)) return {Walk::kGather, x, y, choice.width};
      if (read_width > 1) return {Walk::kScatter, y, x, read_width};
    }
  }
  return choice;
}

bool fits_32(std::int64_t value) {
  return value <= std::numeric_limits<std::int32_t>::max() && value >= std::numeric_limits<std::int32_t>::min();
}

}  // namespace

MapDivisor divisor_of(std::uint32_t divisor) {
  if (divisor <= 1) return {1, 0, 0};
  const int bits = std::bit_width(divisor - 1);  // 2^(bits-1) < divisor <= 2^bits
  const std::uint64_t numerator = std::uint64_t{1} << (31 + bits);
  return {divisor, static_cast<std::uint32_t>((numerator + divisor - 1) / divisor),
          static_cast<std::uint32_t>(bits - 1)};
}

Dims loop_dims(const Dims& dims) { return dims.empty() ? Dims{1} : dims; }

MapView view_of(const Dims& dims, const Format& format) {
  const Strides strides = strides_of(dims, format);
  MapView view;
  view.stride = dims.empty() ? Dims{1} : strides.stride;
  view.bytes = size_of(format.element);
  view.elements = strides.elements;
  if (format.padded) {
    view.pad_axis = channels_last(format.order) ? 1 : static_cast<int>(view.stride.size()) - 1;
    view.pitch = strides.pitch;
  }
  return view;
}

MapView broadcast(const MapView& view, const Dims& from, const Dims& to) {
  MapView result = view;
  const Dims target = loop_dims(to);
  result.stride.assign(target.size(), 0);
  result.pad_axis = -1;
  const std::size_t lead = target.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != target[lead + i]) continue;
    result.stride[lead + i] = view.stride[i];
    if (view.pad_axis == static_cast<int>(i)) result.pad_axis = static_cast<int>(lead + i);
  }
  return result;
}

MapView permute(const MapView& view, const std::vector<std::int64_t>& perm) {
  MapView result = view;
  result.pad_axis = -1;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    result.stride[i] = view.stride[static_cast<std::size_t>(perm[i])];
    if (view.pad_axis == perm[i]) result.pad_axis = static_cast<int>(i);
  }
  return result;
}

MapView slice(MapView view, std::size_t axis, std::int64_t begin, std::int64_t step, std::int64_t count) {
  view.offset += begin * view.stride[axis];
  view.stride[axis] *= step;
  if (view.pad_axis == static_cast<int>(axis)) {
    view.pitch = step == 1 ? view.pitch - begin : count;
    if (step != 1) view.pad_axis = -1;
  }
  return view;
}

bool same_places(const Dims& dims, const MapView& a, const MapView& b) {
  if (a.bytes != b.bytes || a.offset != b.offset || a.elements != b.elements) return false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] > 1 && a.stride[i] != b.stride[i]) return false;
  }
  return true;
}

std::optional<MapPlan> plan_map(const Dims& dims, const MapView& out, const std::vector<MapView>& operands) {
  const std::vector<const MapView*> tensors = tensors_of(out, operands);
  Axes axes = axes_of(dims, tensors);
  if (axes.empty()) {
    axes.emplace_back();
    axes.back().stride.assign(tensors.size(), 0);
    axes.back().ready.assign(tensors.size(), 1);
  }
  axes = merged(axes);
  const Choice choice = choose(axes, tensors);

  MapPlan plan;
  plan.vector = static_cast<int>(choice.width);
  const Axis& vector_axis = axes[choice.vector_axis];
  constexpr std::int64_t kLargest = std::numeric_limits<std::uint32_t>::max() - kVectorBytes;
  if (vector_axis.extent > kLargest) return std::nullopt;
  plan.space.inner = static_cast<std::uint32_t>(vector_axis.size);
  plan.space.stored = static_cast<std::uint32_t>(vector_axis.extent);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (!fits_32(vector_axis.stride[t])) return std::nullopt;
    plan.step[t] = static_cast<std::int32_t>(vector_axis.stride[t]);
    plan.offset[t] = tensors[t]->offset * static_cast<std::int64_t>(tensors[t]->bytes);
    const bool whole = aligned(axes, choice.vector_axis, *tensors[t], t, choice.width);
    plan.ready[t] = whole ? static_cast<std::uint32_t>(vector_axis.ready[t]) : 0;
  }
  if (plan.step[0] == 0) plan.step[0] = 1;

  // The order in which threads walk, fastest first.
  std::int64_t count = 1;
  const auto add = [&](std::int64_t size, std::int64_t column, const std::vector<std::int64_t>* stride) {
    if (size == 1) return true;
    if (plan.space.axes == kMapAxes || size > std::numeric_limits<std::int32_t>::max()) return false;
    MapAxis& axis = plan.space.axis[plan.space.axes++];
    axis.size = divisor_of(static_cast<std::uint32_t>(size));
    axis.column = static_cast<std::uint32_t>(column);
    for (std::size_t t = 0; stride != nullptr && t < stride->size(); ++t) {
      if (!fits_32((*stride)[t])) return false;
      axis.stride[t] = static_cast<std::int32_t>((*stride)[t]);
    }
    count *= size;
    return count <= std::numeric_limits<std::int32_t>::max();
  };
  const auto add_axis = [&](std::size_t index) {
    const Axis& axis = axes[index];
    if (axis.extent != axis.size) {
      plan.space.pad_axis = plan.space.axes;
      plan.space.pad_valid = static_cast<std::uint32_t>(axis.size);
    }
    return add(axis.extent, 0, &axis.stride);
  };
  const std::int64_t vectors = (vector_axis.extent + choice.width - 1) / choice.width;
  std::int64_t near = 1;  // vectors that neighbouring threads take before they walk the lane axis
  if (choice.walk == Walk::kAlong) {
    near = vectors;
  } else {
    const bool gathers = choice.walk == Walk::kGather;
    const std::int64_t bytes = choice.width * static_cast<std::int64_t>(tensors[gathers ? 0 : 1]->bytes);
    if (bytes < kSectorBytes && (gathers || out.bytes > 1)) near = std::min<std::int64_t>(vectors, 2);
  }
  bool fits = add(near, choice.width, nullptr);
  if (choice.lane_axis != choice.vector_axis) fits = fits && add_axis(choice.lane_axis);
  fits = fits && add((vectors + near - 1) / near, near * choice.width, nullptr);
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (i != choice.vector_axis && i != choice.lane_axis) fits = fits && add_axis(i);
  }
  if (!fits) return std::nullopt;
  plan.space.count = static_cast<std::uint32_t>(count);
  return plan;
}

}  // namespace xinfer::cuda
