#include "cuda/conv_geometry.h"

#include <stdexcept>

#include "ir/ops.h"

namespace xinfer::cuda {

ConvGeometry conv_geometry(const Request& request) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const Dims x = request.input_dims(0);
  const Dims w = request.input_dims(1);
  const Dims y = request.output_dims(0);
  const std::size_t rank = x.size() - 2;
  if (x.size() < 3 || rank > 3) throw std::logic_error("a convolution has one to three spatial axes");
  ConvGeometry g;
  g.batch = x[0];
  g.channels = x[1];
  g.outputs = y[1];
  g.groups = attrs.groups;
  g.transposed = request.node.op == ir::OpType::kConvTranspose;
  ConvAxis* const axes[] = {&g.depth, &g.height, &g.width};
  for (std::size_t i = 0; i < rank; ++i) {
    *axes[3 - rank + i] = {.in = x[2 + i],
                           .out = y[2 + i],
                           .kernel = w[2 + i],
                           .stride = attrs.strides[i],
                           .dilation = attrs.dilations[i],
                           .pad_begin = attrs.pads[i],
                           .pad_end = attrs.pads[rank + i]};
  }
  return g;
}

ConvGeometry linear_geometry(const Request& request) {
  const Dims x = request.input_dims(0);
  ConvGeometry g;
  g.batch = 1;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) g.batch *= x[i];
  g.channels = x.back();
  g.outputs = request.input_dims(1)[0];
  return g;
}

}  // namespace xinfer::cuda
