#pragma once
// The host side of kernels/epilogue.cuh: from a node's scales, bias, residual and activation to macros, tables and
// arguments.

#include <optional>
#include <string>
#include <variant>

#include "cuda/step.h"

namespace xinfer::cuda {

/// EpilogueArgs of kernels/epilogue.cuh, member for member.
struct EpilogueArgs {
  gpu::DevicePointer multiplier = 0;
  gpu::DevicePointer bias = 0;
  gpu::DevicePointer residual = 0;
  float residual_scale = 1;
  float alpha = 0, beta = 0;
  float output_step = 1;
};

/// The end of a Conv, ConvTranspose, Linear or MatMul.
class Epilogue {
 public:
  /// Reads the node's scales, bias (input 2) and residual (input 3; neither for a MatMul), and folds them as the
  /// integer contract says. `weight_axis` is the output channel's axis in the weights. A string says why the node is
  /// none that this epilogue can end.
  static std::variant<Epilogue, std::string> of(const Request& request, const ir::Epilogue& activation, int weight_axis,
                                                std::int64_t channels);

  /// Adds XI_ACTIVATION, XI_RESIDUAL, XI_RESIDUAL_T, XI_OUT_T, XI_STEP and XI_ROUNDED.
  void define(gpu::KernelSource& source) const;
  /// Appends the multiplier and bias tables; args() wants them at this index of Frame::resident.
  void add_residents(Step& step);
  /// Like add_residents, with the channels permuted: table[i] is that of channel `order[i]`, zero for -1.
  void add_residents(Step& step, const std::vector<std::int64_t>& order);
  EpilogueArgs args(const Frame& frame) const;

  bool has_residual() const { return residual_.has_value(); }
  Element residual_element() const { return *residual_; }  ///< of input 3
  Element output_element() const { return output_; }
  const ir::Epilogue& activation() const { return activation_; }
  bool has_step() const { return output_step_ != 1; }  ///< output_step is not 1

 private:
  std::vector<float> multiplier_, bias_;  // one for each channel
  std::optional<Element> residual_;
  Element output_ = Element::kF16;
  ir::Epilogue activation_;
  float residual_scale_ = 1, output_step_ = 1;
  std::size_t resident_ = 0;  // index of the multiplier table; the bias follows
};

/// "kRelu": the enumerator of device enum Unary; empty for the two that are no float function (kNot, kIsNan).
std::string device_name_of(ir::UnaryKind kind);

/// Scale of an 8-bit value with one scale and zero point 0; 1 for f32; empty otherwise.
std::optional<float> plain_scale(const ir::Value& value);

}  // namespace xinfer::cuda
