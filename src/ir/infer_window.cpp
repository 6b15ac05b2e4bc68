// Shape rules of operators that slide a window over the spatial axes, and of Resize.
#include <fmt/format.h>

#include <limits>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();

std::int64_t spatial_dim(const Value& x, std::size_t axis) {
  const std::int64_t size = fixed_dim(x, axis, "slide a window over");
  if (size > kLargest) throw UnsupportedError(fmt::format("axis {} of {} is too large", axis, describe(x)));
  return size;
}

std::int64_t checked_output(std::int64_t size, std::size_t axis, std::int64_t in, std::int64_t kernel,
                            std::int64_t begin, std::int64_t end) {
  if (size <= 0 || size > kLargest) {
    throw ModelError(
        fmt::format("the output would have size {} along spatial axis {}: input {}, kernel {} (with dilation), pads {} "
                    "and {}",
                    size, axis, in, kernel, begin, end));
  }
  return size;
}

struct Window {
  std::int64_t in, extent /* of the dilated kernel */, stride, begin, end;
};

/// Output size as PyTorch and ONNX from opset 19 on: with ceil_mode, a last window that would start beyond the input
/// and its left padding is dropped.
std::int64_t window_output(const Window& w, bool ceil_mode, std::size_t axis) {
  const std::int64_t room = w.in + w.begin + w.end - w.extent;
  std::int64_t size = room < 0 ? 0 : room / w.stride + 1;
  if (ceil_mode && room >= 0 && room % w.stride != 0) ++size;
  if (ceil_mode && (size - 1) * w.stride >= w.in + w.begin) --size;
  return checked_output(size, axis, w.in, w.extent, w.begin, w.end);
}

void check_bias(const Graph& graph, const Node& node, std::int64_t channels) {
  const Value* bias = optional_input(graph, node, 2);
  if (bias == nullptr) return;
  expect_real(*bias);
  expect_shape(*bias, {channels}, "bias");
}

/// Checks what both convolutions share and brings the attributes into normal form; returns the number of spatial axes.
std::size_t prepare_conv(const Value& x, const Value& w, ConvAttrs& attrs) {
  expect_real(x);
  expect_real(w);
  expect_rank(x, 3);
  if (w.shape.rank() != x.shape.rank()) {
    throw ModelError(fmt::format("the weights {} must have the rank of the input {}", describe(w), describe(x)));
  }
  const std::size_t spatial = x.shape.rank() - 2;
  fill(attrs.strides, spatial, 1, 1, "strides");
  fill(attrs.dilations, spatial, 1, 1, "dilations");
  fill(attrs.pads, 2 * spatial, 0, 0, "pads");
  if (attrs.groups < 1) throw ModelError(fmt::format("groups is {}, but must be positive", attrs.groups));
  for (std::size_t axis = 0; axis < w.shape.rank(); ++axis) {
    const std::int64_t size = fixed_dim(w, axis, "take weights that depend on");
    if (size < 1 || size > kLargest)
      throw ModelError(fmt::format("the weights {} are empty or too large", describe(w)));
  }
  return spatial;
}

Shape pool_output(const Value& x, PoolAttrs& attrs) {
  expect_rank(x, 3);
  const std::size_t spatial = x.shape.rank() - 2;
  if (attrs.kernel.empty()) throw ModelError("the pool has no kernel size");
  fill(attrs.kernel, spatial, 1, 1, "kernel");
  fill(attrs.strides, spatial, 1, 1, "strides");
  fill(attrs.dilations, spatial, 1, 1, "dilations");
  fill(attrs.pads, 2 * spatial, 0, 0, "pads");
  fixed_dim(x, 1, "pool along");
  std::vector<Dim> dims = {x.shape[0], x.shape[1]};
  for (std::size_t i = 0; i < spatial; ++i) {
    const Window w{spatial_dim(x, i + 2), attrs.dilations[i] * (attrs.kernel[i] - 1) + 1, attrs.strides[i],
                   attrs.pads[i], attrs.pads[i + spatial]};
    if (w.begin >= w.extent || w.end >= w.extent) {
      throw ModelError(
          fmt::format("pads {} and {} along spatial axis {} are not smaller than the kernel's extent {}, "
                      "so that windows would hold padding alone",
                      w.begin, w.end, i, w.extent));
    }
    dims.push_back(window_output(w, attrs.ceil_mode, i));
  }
  return Shape(std::move(dims));
}

}  // namespace

void conv(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  const Value& w = input(graph, node, 1);
  auto& attrs = node.as<ConvAttrs>();
  const std::size_t spatial = prepare_conv(x, w, attrs);
  const std::int64_t channels = fixed_dim(x, 1, "convolve along");
  const std::int64_t outputs = w.shape[0].value;
  if (channels != w.shape[1].value * attrs.groups || outputs % attrs.groups != 0) {
    throw ModelError(
        fmt::format("the channels of {} don't fit weights {} in {} groups", describe(x), describe(w), attrs.groups));
  }
  std::vector<Dim> dims = {x.shape[0], outputs};
  for (std::size_t i = 0; i < spatial; ++i) {
    const Window window{spatial_dim(x, i + 2), attrs.dilations[i] * (w.shape[i + 2].value - 1) + 1, attrs.strides[i],
                        attrs.pads[i], attrs.pads[i + spatial]};
    dims.push_back(window_output(window, false, i));
  }
  check_bias(graph, node, outputs);
  const Shape shape(std::move(dims));
  if (const Value* residual = optional_input(graph, node, 3)) {
    expect_real(*residual);
    expect_shape(*residual, shape, "residual");
  }
  set_output(graph, node, 0, DataType::kFloat32, shape);
}

void conv_transpose(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  const Value& w = input(graph, node, 1);
  auto& attrs = node.as<ConvAttrs>();
  const std::size_t spatial = prepare_conv(x, w, attrs);
  fill(attrs.output_padding, spatial, 0, 0, "output_padding");
  const std::int64_t channels = fixed_dim(x, 1, "convolve along");
  const Dim outputs = multiply(w.shape[1], attrs.groups);
  if (channels != w.shape[0].value || channels % attrs.groups != 0) {
    throw ModelError(
        fmt::format("the channels of {} don't fit weights {} in {} groups", describe(x), describe(w), attrs.groups));
  }
  std::vector<Dim> dims = {x.shape[0], outputs};
  for (std::size_t i = 0; i < spatial; ++i) {
    const std::int64_t in = spatial_dim(x, i + 2);
    const std::int64_t extent = attrs.dilations[i] * (w.shape[i + 2].value - 1) + 1;
    // (in - 1) * stride stays below 2^62, and the rest adds less than that again.
    const std::int64_t size =
        (in - 1) * attrs.strides[i] + attrs.output_padding[i] - attrs.pads[i] - attrs.pads[i + spatial] + extent;
    dims.push_back(checked_output(size, i, in, extent, attrs.pads[i], attrs.pads[i + spatial]));
  }
  check_bias(graph, node, outputs.value);
  set_output(graph, node, 0, DataType::kFloat32, Shape(std::move(dims)));
}

void max_pool(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  if (!is_int8_like(x.dtype)) expect_real(x);
  set_moved(graph, node, 0, x, pool_output(x, node.as<PoolAttrs>()));
}

void average_pool(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_real(x);
  set_output(graph, node, 0, DataType::kFloat32, pool_output(x, node.as<PoolAttrs>()));
}

void resize(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  expect_rank(x, 3);
  auto& attrs = node.as<ResizeAttrs>();
  const std::size_t rank = x.shape.rank();
  if (attrs.sizes.empty()) throw ModelError("the output sizes are missing");
  fill(attrs.sizes, rank - 2, 1, 1, "sizes");
  std::vector<Dim> dims = {x.shape[0], x.shape[1]};
  std::vector<float> ratios = {1, 1};
  for (std::size_t i = 2; i < rank; ++i) {
    const std::int64_t in = fixed_dim(x, i, "resize");
    if (in < 1) throw ModelError(fmt::format("can't resize the empty axis {} of {}", i, describe(x)));
    dims.emplace_back(attrs.sizes[i - 2]);
    ratios.push_back(static_cast<float>(static_cast<double>(attrs.sizes[i - 2]) / static_cast<double>(in)));
  }
  if (attrs.scales.empty()) attrs.scales = ratios;
  if (attrs.scales.size() != rank) {
    throw ModelError(fmt::format("scales has {} entries, but {} are wanted", attrs.scales.size(), rank));
  }
  for (const float scale : attrs.scales) {
    if (!(scale > 0) || scale > static_cast<float>(kLargest)) {
      throw ModelError(fmt::format("scales has the entry {}, which is out of range", scale));
    }
  }
  if (attrs.scales[0] != 1 || attrs.scales[1] != 1) {
    throw UnsupportedError("only the spatial axes can be resized, not the batch or the channels");
  }
  set_output(graph, node, 0, real_type(x), Shape(std::move(dims)));
}

}  // namespace xinfer::ir::rules
