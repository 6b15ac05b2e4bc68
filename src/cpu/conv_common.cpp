#include "cpu/conv_common.h"

namespace xinfer::cpu {

ConvNode conv_node(const Request& request) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const bool transposed = request.node.op == ir::OpType::kConvTranspose;
  ConvNode conv;
  conv.x = request.input_dims(0);
  conv.y = request.output_dims();
  conv.groups = attrs.groups;
  conv.grouped = attrs.groups > 1;
  const Dims stored = request.input_dims(1);
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < stored.size(); ++i) taps *= stored[i];
  const std::int64_t out = conv.y[1] / attrs.groups;
  const std::int64_t in = conv.x[1] / attrs.groups;
  if (conv.grouped) {
    conv.weights.push_back(attrs.groups);
    conv.weight_strides.push_back(out * in * taps);
  }
  conv.weights.insert(conv.weights.end(), {out, in});
  // Conv stores (O, C/G, kernel...), ConvTranspose (C, O/G, kernel...).
  conv.weight_strides.insert(conv.weight_strides.end(),
                             {transposed ? taps : in * taps, transposed ? out * taps : taps});
  for (std::size_t i = 2; i < stored.size(); ++i) {
    conv.weights.push_back(stored[i]);
    taps /= stored[i];
    conv.weight_strides.push_back(taps);
  }
  const auto half = static_cast<std::ptrdiff_t>(attrs.pads.size() / 2);
  conv.window.kernel = Dims(stored.begin() + 2, stored.end());
  conv.window.strides = attrs.strides;
  conv.window.dilations = attrs.dilations;
  conv.window.pads_begin = Dims(attrs.pads.begin(), attrs.pads.begin() + half);
  conv.window.pads_end = Dims(attrs.pads.begin() + half, attrs.pads.end());
  return conv;
}

std::optional<kernels::ConvShape> kernel_shape(const ConvNode& conv) {
  const std::size_t spatial = conv.x.size() - 2;
  if (spatial > 2) return std::nullopt;
  kernels::ConvShape shape;
  const auto& w = conv.window;
  shape.batch = conv.x[0];
  shape.in_channels = conv.x[1];
  shape.out_channels = conv.y[1];
  shape.groups = conv.groups;
  if (spatial == 2) {
    shape.in_h = conv.x[2];
    shape.kernel_h = w.kernel[0];
    shape.stride_h = w.strides[0];
    shape.dilation_h = w.dilations[0];
    shape.pad_top = w.pads_begin[0];
    shape.pad_bottom = w.pads_end[0];
  }
  const std::size_t last = spatial - 1;
  shape.in_w = conv.x[last + 2];
  shape.kernel_w = w.kernel[last];
  shape.stride_w = w.strides[last];
  shape.dilation_w = w.dilations[last];
  shape.pad_left = w.pads_begin[last];
  shape.pad_right = w.pads_end[last];
  return shape;
}

}  // namespace xinfer::cpu
