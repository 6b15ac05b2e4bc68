// Operators that only move data: any element type, the bytes are copied as they are. Concat alone may change scales.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/movement.h"
#include "reference/requantize.h"

namespace xinfer::reference {

Tensor select_along_axes(const Tensor& x, const std::vector<Sizes>& sources, std::span<const std::byte> fill) {
  Sizes shape;
  for (const Sizes& source : sources) shape.push_back(static_cast<std::int64_t>(source.size()));
  Tensor y(x.dtype(), shape);
  if (y.numel() == 0) return y;
  const Sizes strides = dense_strides(x.shape());
  with_block(x.dtype(), [&](auto tag) {
    using T = decltype(tag);
    T filler{};
    std::copy_n(fill.begin(), std::min(fill.size(), filler.size()), filler.begin());
    const T* from = elements<T>(x);
    T* to = elements<T>(y);
    const std::size_t rank = shape.size();
    if (rank == 0) {
      to[0] = from[0];
      return;
    }
    Sizes index(rank, 0);
    const Sizes& last = sources[rank - 1];
    for (std::int64_t position = 0; position < y.numel();) {
      std::int64_t base = 0;
      bool outside = false;
      for (std::size_t axis = 0; axis + 1 < rank; ++axis) {
        const std::int64_t source = sources[axis][static_cast<std::size_t>(index[axis])];
        outside = outside || source < 0;
        base += source * strides[axis];
      }
      for (const std::int64_t source : last) to[position++] = outside || source < 0 ? filler : from[base + source];
      for (std::size_t axis = rank - 1; axis-- > 0;) {
        if (++index[axis] < shape[axis]) break;
        index[axis] = 0;
      }
    }
  });
  return y;
}

namespace {

Sizes count_up(std::int64_t count) {
  Sizes indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// Copies `x` into rows [begin, begin + x.size) of `y` along an axis.
void place(const Tensor& x, Tensor& y, std::int64_t axis, std::int64_t begin) {
  const AxisView from = around_axis(x.shape(), axis);
  const AxisView to = around_axis(y.shape(), axis);
  const std::size_t bytes = static_cast<std::size_t>(from.size * from.inner) * size_of(x.dtype());
  if (bytes == 0) return;
  for (std::int64_t outer = 0; outer < from.outer; ++outer) {
    std::memcpy(
        elements<std::byte>(y) + static_cast<std::size_t>((outer * to.size + begin) * to.inner) * size_of(x.dtype()),
        elements<std::byte>(x) + static_cast<std::size_t>(outer) * bytes, bytes);
  }
}

/// Integers of one scale to integers of another: saturate(round_half_even(float(q) * (s_x / s_y))), the ratio computed
/// in double and rounded once. The same scale and type copy, whatever the zero point.
Tensor rescale(const ir::Value& from, const ir::Value& to, const Tensor& x) {
  if (from.dtype == to.dtype && from.quantization == to.quantization) return x;
  if (!is_quantized(from) || !is_quantized(to)) {
    throw UnsupportedError(fmt::format("'{}' and '{}' are not both quantized", from.name, to.name));
  }
  const auto ratio = static_cast<float>(static_cast<double>(plain_scale(from)) / plain_scale(to));
  Tensor y(to.dtype, x.shape());
  with_number(x.dtype(), [&](auto tag_x) {
    with_number(y.dtype(), [&](auto tag_y) {
      const auto* source = elements<decltype(tag_x)>(x);
      auto* target = elements<decltype(tag_y)>(y);
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        target[i] = round_to<decltype(tag_y)>(static_cast<float>(source[i]) * ratio);
      }
    });
  });
  return y;
}

/// The bytes of a pad value in the tensor's own units.
std::vector<std::byte> pad_bytes(const ir::Value& value, float pad) {
  std::vector<std::byte> bytes(size_of(value.dtype));
  if (is_quantized(value)) {
    const ir::Quantization& q = *value.quantization;
    if (q.per_channel()) throw UnsupportedError("Pad of a tensor quantized per channel");
    const Tensor integer = quantize_tensor(Tensor::from<float>({1}, std::vector<float>{pad}), q, value.dtype);
    std::memcpy(bytes.data(), integer.raw(), bytes.size());
    return bytes;
  }
  with_type(value.dtype, [&](auto tag) {
    const auto element = static_cast<decltype(tag)>(pad);
    std::memcpy(bytes.data(), &element, sizeof(element));
  });
  return bytes;
}

}  // namespace

Tensors concat(const NodeView& view, Inputs in) {
  Tensor y(view.output(0).dtype, view.output_shape(0));
  const std::int64_t axis = view.node.as<ir::AxisAttrs>().axis;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool any_quantized = is_quantized(view.input(i)) || is_quantized(view.output(0));
    const Tensor part = any_quantized ? rescale(view.input(i), view.output(0), in[i]) : in[i];
    if (part.dtype() != y.dtype()) throw UnsupportedError("Concat of different types");
    place(part, y, axis, begin);
    begin += around_axis(part.shape(), axis).size;
  }
  return {y};
}

Tensors split(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::SplitAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  const auto which =
      static_cast<std::size_t>(attrs.axis < 0 ? attrs.axis + static_cast<std::int64_t>(in[0].rank()) : attrs.axis);
  std::vector<Sizes> sources;
  for (const std::int64_t size : in[0].shape()) sources.push_back(count_up(size));
  Tensors parts;
  std::int64_t begin = 0;
  for (const std::int64_t size : attrs.sizes) {
    if (begin + size > axis.size) throw ModelError("Split's sizes exceed the axis");
    sources[which].resize(static_cast<std::size_t>(size));
    std::iota(sources[which].begin(), sources[which].end(), begin);
    parts.push_back(select_along_axes(in[0], sources));
    begin += size;
  }
  return parts;
}

Tensors slice(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::SliceAttrs>();
  std::vector<Sizes> sources;
  for (const std::int64_t size : in[0].shape()) sources.push_back(count_up(size));
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(attrs.axes[i]);
    const std::int64_t size = in[0].shape().at(axis);
    const std::int64_t step = i < attrs.steps.size() ? attrs.steps[i] : 1;
    const ir::SliceRange range = ir::slice_range(attrs.starts.at(i), attrs.ends.at(i), step, size);
    sources[axis].clear();
    for (std::int64_t at = 0; at < range.count; ++at) sources[axis].push_back(range.start + at * range.step);
  }
  return {select_along_axes(in[0], sources)};
}

Tensors transpose(const NodeView& view, Inputs in) {
  const auto& perm = view.node.as<ir::TransposeAttrs>().perm;
  const Sizes strides = dense_strides(in[0].shape());
  Sizes shape, walk;
  for (const std::int64_t axis : perm) {
    shape.push_back(in[0].shape().at(static_cast<std::size_t>(axis)));
    walk.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  Tensor y(in[0].dtype(), shape);
  with_block(y.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* from = elements<T>(in[0]);
    T* to = elements<T>(y);
    for_each_offset<1>(shape, {walk}, [&](std::int64_t i, const auto& at) { to[i] = from[at[0]]; });
  });
  return {y};
}

// A copy: results never share memory with operands.
Tensors reshape(const NodeView& view, Inputs in) { return {in[0].clone().reshaped(view.output_shape(0))}; }

Tensors expand(const NodeView& view, Inputs in) {
  const Sizes shape = view.output_shape(0);
  Tensor y(in[0].dtype(), shape);
  with_block(y.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* from = elements<T>(in[0]);
    T* to = elements<T>(y);
    for_each_offset<1>(shape, {broadcast_strides(in[0].shape(), shape)},
                       [&](std::int64_t i, const auto& at) { to[i] = from[at[0]]; });
  });
  return {y};
}

Tensors tile(const NodeView& view, Inputs in) {
  const auto& repeats = view.node.as<ir::TileAttrs>().repeats;
  std::vector<Sizes> sources;
  for (std::size_t axis = 0; axis < in[0].rank(); ++axis) {
    const std::int64_t size = in[0].shape()[axis];
    Sizes source;
    for (std::int64_t i = 0; i < size * repeats.at(axis); ++i) source.push_back(i % size);
    sources.push_back(std::move(source));
  }
  return {select_along_axes(in[0], sources)};
}

// Negative pads crop first; the mode then works on what is left.
Tensors pad(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::PadAttrs>();
  const std::size_t rank = in[0].rank();
  std::vector<Sizes> sources;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t begin = attrs.pads.at(axis), end = attrs.pads.at(rank + axis);
    const std::int64_t cropped = std::max<std::int64_t>(-begin, 0);
    const std::int64_t size = in[0].shape()[axis] - cropped - std::max<std::int64_t>(-end, 0);
    const std::int64_t before = std::max<std::int64_t>(begin, 0), after = std::max<std::int64_t>(end, 0);
    if (size < 0 || (size == 0 && before + after > 0 && attrs.mode != ir::PadMode::kConstant)) {
      throw ModelError(
          fmt::format("axis {} of size {} can't be padded by {} and {}", axis, in[0].shape()[axis], begin, end));
    }
    Sizes source;
    for (std::int64_t i = -before; i < size + after; ++i) {
      const std::int64_t at = padded_source(attrs.mode, i, size);
      source.push_back(at < 0 ? -1 : at + cropped);
    }
    sources.push_back(std::move(source));
  }
  return {select_along_axes(in[0], sources, pad_bytes(view.input(0), attrs.value))};
}

std::int64_t padded_source(ir::PadMode mode, std::int64_t i, std::int64_t size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case ir::PadMode::kConstant:
      return -1;
    case ir::PadMode::kEdge:
      return i < 0 ? 0 : size - 1;
    case ir::PadMode::kWrap:
      return (i % size + size) % size;
    case ir::PadMode::kReflect: {
      if (size == 1) return 0;
      const std::int64_t period = 2 * (size - 1);
      const std::int64_t phase = (i % period + period) % period;
      return phase < size ? phase : period - phase;
    }
  }
  return -1;
}

}  // namespace xinfer::reference
