#pragma once
// The geometry of a Conv or ConvTranspose node, as oneDNN and as our kernels want it.

#include <optional>

#include "cpu/dnnl_api.h"
#include "cpu/step.h"
#include "kernels/conv_shape.h"

namespace xinfer::cpu {

struct ConvNode {
  Dims x, y;            ///< logical shapes of input and output
  Dims weights;         ///< oneDNN's logical shape: (G,) O/G, C/G, kernel...
  Dims weight_strides;  ///< of the graph's constant under that shape
  std::int64_t groups = 1;
  bool grouped = false;  ///< weights have the leading G
  dnnl_api::Window window;

  bool is_depthwise() const { return groups > 1 && groups == x[1] && groups == y[1]; }
};

/// Geometry of a kConv or kConvTranspose node.
ConvNode conv_node(const Request& request);

/// For our kernels: one or two spatial axes (one counts as height 1). Empty for three.
std::optional<kernels::ConvShape> kernel_shape(const ConvNode& conv);

}  // namespace xinfer::cpu
