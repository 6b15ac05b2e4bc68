#pragma once
// From the graph's scales and epilogues to what kernels take.

#include <optional>
#include <string>
#include <vector>

#include "cpu/step.h"
#include "kernels/float_rows.h"
#include "kernels/requant.h"
#include "reference/requantize.h"

namespace xinfer::cpu {

inline bool is_float(const ir::Value& value) { return value.dtype == DataType::kFloat32; }

/// Scale of an 8-bit value with one scale and zero point 0, the form that our kernels take.
std::optional<float> plain_scale(const ir::Value& value);

/// Scale of an output: plain_scale, or 1 for f32. Empty when it has zero points or a scale for each channel.
std::optional<float> output_scale(const ir::Value& value);

/// Type and scale that a row kernel writes for this output. Empty where output_scale is.
std::optional<kernels::RowOutput> row_output(const ir::Value& value);

/// The activation as our kernels know it; empty when they can't fuse it.
std::optional<kernels::ActivationParams> kernel_activation(const ir::Epilogue& epilogue);

/// Everything that the end of an integer layer needs, with the integer contract's folding done.
struct IntegerLayer {
  reference::FoldedScales folded;
  DataType output_type = DataType::kInt8;
  std::optional<DataType> residual_type;
  float input_scale = 1;
  float tail_scale = 1;  ///< of the output, behind Request::tail; then the layer itself ends in real numbers

  /// One multiplier and bias for each of `channels` outputs.
  void expand(std::int64_t channels);
  /// For our kernels; borrows the vectors of `folded`. The residual pointer is left to be set. Empty when an
  /// activation can't be fused.
  std::optional<kernels::RequantParams> requant() const;
};

/// Whether every bias can be divided by its multiplier, as oneDNN 2.x wants it.
bool representable(const reference::FoldedScales& folded);

/// Reads scales of a Conv, ConvTranspose or Linear (inputs x, w, bias, residual; `weight_axis` is the output channel's
/// axis in w). A string says why it is no plain integer layer.
std::variant<IntegerLayer, std::string> integer_layer(const Request& request, const ir::Epilogue& epilogue,
                                                      int weight_axis, std::int64_t out_channels);

}  // namespace xinfer::cpu
