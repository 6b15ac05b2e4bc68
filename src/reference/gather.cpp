// Gather, GatherElements, GatherND and ScatterND. Negative indices count from the end; one out of range is an error.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

std::int64_t wrapped(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size) {
    throw ModelError(fmt::format("index {} is outside an axis of size {}", index, size));
  }
  return index < 0 ? index + size : index;
}

/// Flat element offset of an index tuple into the axes [first, first + count) of `shape`.
std::int64_t offset_of(const std::int64_t* tuple, std::int64_t count, const Sizes& shape, const Sizes& strides,
                       std::size_t first) {
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::size_t axis = first + static_cast<std::size_t>(i);
    offset += wrapped(tuple[i], shape.at(axis)) * strides[axis];
  }
  return offset;
}

std::int64_t product(const Sizes& shape, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) count *= shape[i];
  return count;
}

template <class T>
void combine(ir::ScatterReduction reduction, T* to, const T* from, std::int64_t count) {
  // Integers wrap, so sums and products go through an unsigned type that holds them.
  using Wide = std::conditional_t<std::is_same_v<T, float>, float, std::uint64_t>;
  for (std::int64_t i = 0; i < count; ++i) {
    switch (reduction) {
      case ir::ScatterReduction::kNone:
        to[i] = from[i];
        break;
      case ir::ScatterReduction::kAdd:
        to[i] = static_cast<T>(static_cast<Wide>(to[i]) + static_cast<Wide>(from[i]));
        break;
      case ir::ScatterReduction::kMul:
        to[i] = static_cast<T>(static_cast<Wide>(to[i]) * static_cast<Wide>(from[i]));
        break;
      case ir::ScatterReduction::kMax:
        to[i] = std::max(to[i], from[i]);
        break;
      case ir::ScatterReduction::kMin:
        to[i] = std::min(to[i], from[i]);
        break;
    }
  }
}

}  // namespace

Tensors gather(const NodeView& view, Inputs in) {
  const AxisView axis = around_axis(in[0].shape(), view.node.as<ir::AxisAttrs>().axis);
  const std::vector<std::int64_t> indices = read_integers(in[1]);
  Tensor y(in[0].dtype(), view.output_shape(0));
  const std::size_t row = static_cast<std::size_t>(axis.inner) * size_of(y.dtype());
  auto* to = elements<std::byte>(y);
  for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
    for (const std::int64_t index : indices) {
      const std::int64_t source = outer * axis.size + wrapped(index, axis.size);
      if (row > 0) std::memcpy(to, elements<std::byte>(in[0]) + static_cast<std::size_t>(source) * row, row);
      to += row;
    }
  }
  return {y};
}

Tensors gather_elements(const NodeView& view, Inputs in) {
  const Sizes& shape = in[0].shape();
  const std::int64_t signed_axis = view.node.as<ir::AxisAttrs>().axis;
  const std::int64_t size = around_axis(shape, signed_axis).size;
  const auto axis =
      static_cast<std::size_t>(signed_axis < 0 ? signed_axis + static_cast<std::int64_t>(shape.size()) : signed_axis);
  const std::vector<std::int64_t> indices = read_integers(in[1]);
  Sizes strides = dense_strides(shape);
  const std::int64_t step = strides[axis];
  strides[axis] = 0;  // the index says where to go along this axis
  Tensor y(in[0].dtype(), in[1].shape());
  with_block(y.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* from = elements<T>(in[0]);
    T* to = elements<T>(y);
    for_each_offset<1>(y.shape(), {strides}, [&](std::int64_t i, const auto& at) {
      to[i] = from[at[0] + wrapped(indices[static_cast<std::size_t>(i)], size) * step];
    });
  });
  return {y};
}

Tensors gather_nd(const NodeView& view, Inputs in) {
  const auto batch_axes = static_cast<std::size_t>(view.node.as<ir::AxisAttrs>().axis);
  const Sizes& shape = in[0].shape();
  const Sizes strides = dense_strides(shape);
  const std::vector<std::int64_t> indices = read_integers(in[1]);
  const std::int64_t tuple = in[1].dim(-1);
  const std::int64_t batches = product(shape, 0, batch_axes);
  const std::int64_t per_batch = product(in[1].shape(), batch_axes, in[1].rank() - 1);
  const std::int64_t batch_size = product(shape, batch_axes, shape.size());
  const std::size_t row =
      static_cast<std::size_t>(product(shape, batch_axes + static_cast<std::size_t>(tuple), shape.size())) *
      size_of(in[0].dtype());
  Tensor y(in[0].dtype(), view.output_shape(0));
  auto* to = elements<std::byte>(y);
  for (std::int64_t i = 0; i < batches * per_batch; ++i) {
    const std::int64_t source =
        i / per_batch * batch_size + offset_of(indices.data() + i * tuple, tuple, shape, strides, batch_axes);
    std::memcpy(to, elements<std::byte>(in[0]) + static_cast<std::size_t>(source) * size_of(y.dtype()), row);
    to += row;
  }
  return {y};
}

// Updates apply in order: the last of several to one place wins where nothing is combined.
Tensors scatter_nd(const NodeView& view, Inputs in) {
  const ir::ScatterReduction reduction = view.node.as<ir::ScatterAttrs>().reduction;
  const Sizes& shape = in[0].shape();
  const Sizes strides = dense_strides(shape);
  const std::vector<std::int64_t> indices = read_integers(in[1]);
  const std::int64_t tuple = in[1].dim(-1);
  const std::int64_t count = product(in[1].shape(), 0, in[1].rank() - 1);
  const std::int64_t row = product(shape, static_cast<std::size_t>(tuple), shape.size());
  if (in[2].dtype() != in[0].dtype() || in[2].numel() != count * row) {
    throw ModelError(fmt::format("updates of shape {} don't fit", to_string(in[2].shape())));
  }
  const bool plain = reduction == ir::ScatterReduction::kNone;
  Tensor y = in[0].clone();
  const auto scatter = [&](auto tag) {
    using T = decltype(tag);
    for (std::int64_t i = 0; i < count; ++i) {
      T* to = elements<T>(y) + offset_of(indices.data() + i * tuple, tuple, shape, strides, 0);
      const T* from = elements<T>(in[2]) + i * row;
      if constexpr (std::is_arithmetic_v<T>) {
        combine(reduction, to, from, row);
      } else {
        std::copy_n(from, row, to);
      }
    }
  };
  if (plain) {
    with_block(y.dtype(), scatter);
  } else {
    with_number(y.dtype(), scatter);
  }
  return {y};
}

}  // namespace xinfer::reference
