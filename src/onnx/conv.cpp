// Conv, ConvTranspose, and the windows that they share with pooling.
#include <fmt/format.h>

#include <algorithm>

#include "onnx/converters.h"
#include "onnx/window.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ir::OpType;
using ir::ValueId;

constexpr const char* kNotSet = "NOTSET";
constexpr const char* kSameUpper = "SAME_UPPER";
constexpr const char* kSameLower = "SAME_LOWER";
constexpr const char* kValid = "VALID";

std::string auto_pad_of(const NodeContext& c) {
  const std::string mode = c.attributes().text("auto_pad", kNotSet);
  if (mode == kNotSet || mode == kSameUpper || mode == kSameLower || mode == kValid || mode.empty()) return mode;
  throw ModelError(fmt::format("auto_pad '{}' is unknown", mode));
}

/// Spatial kernel size from the weights, checked against the attribute.
std::vector<std::int64_t> kernel_of(NodeContext& c, ValueId x, ValueId w) {
  if (c.rank(x) < 3) throw ModelError(fmt::format("its input has rank {}; (N, C, spatial...) is needed", c.rank(x)));
  if (c.rank(w) != c.rank(x)) {
    throw ModelError(fmt::format("its weights have rank {}, its input rank {}", c.rank(w), c.rank(x)));
  }
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < c.rank(w); ++i) kernel.push_back(c.fixed_dim(w, i));
  const auto given = c.attributes().integers("kernel_shape");
  if (given && *given != kernel) {
    throw ModelError(
        fmt::format("kernel_shape {} contradicts the weights {}", to_string(*given), ir::to_string(c.shape(w))));
  }
  return kernel;
}

void conv(NodeContext& c) {
  c.expect_inputs(2, 3);
  const ValueId x = c.input(0);
  const ValueId w = c.input(1);
  c.expect_finite(w);
  c.expect_finite(c.optional_input(2));
  const Window window = read_window(c, x, kernel_of(c, x, w));
  ir::ConvAttrs attrs;
  attrs.strides = window.strides;
  attrs.dilations = window.dilations;
  attrs.pads = window.pads;
  attrs.groups = c.attributes().integer("group", 1);
  std::vector<ValueId> inputs = {x, w};
  if (c.has(2)) inputs.push_back(c.input(2));
  c.finish(OpType::kConv, inputs, attrs);
}

/// Pads of a transposed convolution whose output size is given (ONNX ConvTranspose, output_shape and auto_pad). When
/// the given output is larger than the window reaches, the rest is output padding.
void fit_output(NodeContext& c, ValueId x, const std::vector<std::int64_t>& kernel,
                const std::vector<std::int64_t>& output, bool more_at_end, ir::ConvAttrs& attrs) {
  const std::size_t n = kernel.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t reach = attrs.strides[i] * (c.fixed_dim(x, i + 2) - 1) + attrs.output_padding[i] +
                               (kernel[i] - 1) * attrs.dilations[i] + 1;
    const std::int64_t total = reach - output[i];
    if (total < 0) attrs.output_padding[i] -= total;
    const std::int64_t small = std::max<std::int64_t>(total, 0) / 2;
    const std::int64_t large = std::max<std::int64_t>(total, 0) - small;
    attrs.pads[i] = more_at_end ? small : large;
    attrs.pads[i + n] = more_at_end ? large : small;
  }
}

void conv_transpose(NodeContext& c) {
  c.expect_inputs(2, 3);
  const ValueId x = c.input(0);
  const ValueId w = c.input(1);
  c.expect_finite(w);
  c.expect_finite(c.optional_input(2));
  const std::vector<std::int64_t> kernel = kernel_of(c, x, w);
  const std::size_t n = kernel.size();
  const std::string mode = auto_pad_of(c);
  ir::ConvAttrs attrs;
  attrs.strides = c.attributes().sizes("strides", n, 1, 1);
  attrs.dilations = c.attributes().sizes("dilations", n, 1, 1);
  attrs.output_padding = c.attributes().sizes("output_padding", n, 0, 0);
  attrs.pads = c.attributes().sizes("pads", 2 * n, 0, 0);
  attrs.groups = c.attributes().integer("group", 1);
  const auto given = c.attributes().integers("output_shape");
  if (given && !given->empty()) {
    std::vector<std::int64_t> output = *given;
    if (output.size() == n + 2) output.erase(output.begin(), output.begin() + 2);  // some exporters give all axes
    if (output.size() != n) throw ModelError(fmt::format("output_shape has {} values instead of {}", output.size(), n));
    for (const std::int64_t size : output) {
      if (size < 1 || size > kMaxSize) throw ModelError(fmt::format("output_shape holds {}", size));
    }
    fit_output(c, x, kernel, output, mode == kSameUpper, attrs);
  } else if (mode == kSameUpper || mode == kSameLower) {
    std::vector<std::int64_t> output;
    for (std::size_t i = 0; i < n; ++i) output.push_back(c.fixed_dim(x, i + 2) * attrs.strides[i]);
    fit_output(c, x, kernel, output, mode == kSameUpper, attrs);
  } else if (mode == kValid) {
    attrs.pads.assign(2 * n, 0);
  }
  std::vector<ValueId> inputs = {x, w};
  if (c.has(2)) inputs.push_back(c.input(2));
  c.finish(OpType::kConvTranspose, inputs, attrs);
}

constexpr ConverterEntry kEntries[] = {{"Conv", conv}, {"ConvTranspose", conv_transpose}};

}  // namespace

std::span<const ConverterEntry> conv_converters() { return kEntries; }

Window read_window(NodeContext& c, ValueId x, std::vector<std::int64_t> kernel) {
  const std::size_t n = kernel.size();
  Window window;
  window.strides = c.attributes().sizes("strides", n, 1, 1);
  window.dilations = c.attributes().sizes("dilations", n, 1, 1);
  window.pads = c.attributes().sizes("pads", 2 * n, 0, 0);
  const std::string mode = auto_pad_of(c);
  if (mode == kValid) window.pads.assign(2 * n, 0);
  if (mode == kSameUpper || mode == kSameLower) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t in = c.fixed_dim(x, i + 2);
      const std::int64_t out = (in + window.strides[i] - 1) / window.strides[i];
      const std::int64_t reach = (out - 1) * window.strides[i] + (kernel[i] - 1) * window.dilations[i] + 1;
      const std::int64_t total = std::max<std::int64_t>(reach - in, 0);
      const std::int64_t small = total / 2;
      window.pads[i] = mode == kSameUpper ? small : total - small;
      window.pads[i + n] = total - window.pads[i];
    }
  }
  window.kernel = std::move(kernel);
  return window;
}

}  // namespace xinfer::onnx
