// Float convolution and its transpose on oneDNN, in whatever layout oneDNN likes best (channels last where the input
// already is), with bias, residual and activation fused.

#include <fmt/format.h>

#include "cpu/conv_common.h"
#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"

namespace xinfer::cpu {
namespace {

using dnnl_api::MemoryDesc;
constexpr DataType kF32 = DataType::kFloat32;

/// Convolution or deconvolution: both have the same interface under different types.
template <class Primitive, auto MakeDesc>
Creation create(const Request& request) {
  const ir::Epilogue& epilogue = request.node.as<ir::ConvAttrs>().epilogue;
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (request.has(i) && !is_float(request.input(i))) return Refusal{"an input is not f32"};
  }
  if (!is_float(request.output())) return Refusal{"the output is not f32"};
  if (!request.input(1).is_constant() || (request.has(2) && !request.input(2).is_constant())) {
    return Refusal{"the weights are not constant"};
  }
  if (!dnnl_api::has_eltwise(epilogue.activation)) {
    return Refusal{fmt::format("oneDNN can't fuse {}", name_of(epilogue.activation))};
  }
  const ConvNode conv = conv_node(request);
  const MemoryDesc weights = dnnl_api::describe_any(kF32, conv.weights);
  const MemoryDesc bias = dnnl_api::describe(kF32, {conv.y[1]}, Layout::plain());
  const bool residual = request.has(3);

  std::vector<std::pair<MemoryDesc, MemoryDesc>> attempts;
  const auto fixed = [&](const Layout& layout) {
    attempts.emplace_back(dnnl_api::describe(kF32, conv.x, layout), dnnl_api::describe(kF32, conv.y, layout));
  };
  if (request.layouts[0].kind == Layout::Kind::kChannelsLast) fixed(Layout::channels_last());
  attempts.emplace_back(dnnl_api::describe_any(kF32, conv.x), dnnl_api::describe_any(kF32, conv.y));
  fixed(Layout::channels_last());
  fixed(Layout::plain());

  std::string reason = "oneDNN has only its generic implementation";
  for (const auto& [src, dst] : attempts) {
    dnnl_api::Attributes attributes;
    if (residual) attributes.append_sum(1.0F, kF32, kF32);
    attributes.append_activation(epilogue.activation, epilogue.alpha, epilogue.beta);
    try {
      const auto desc = MakeDesc(src, weights, request.has(2) ? &bias : nullptr, dst, conv.window, attributes);
      const auto x_layout = dnnl_api::layout_of(desc.src_desc(), kF32, conv.x);
      const auto y_layout = dnnl_api::layout_of(desc.dst_desc(), kF32, conv.y);
      if (dnnl_api::is_generic(desc) || !x_layout || !y_layout) continue;

      const Tensor& constant = *request.input(1).constant;
      std::vector<Operand> operands{
          Operand::input(DNNL_ARG_SRC, 0, desc.src_desc()), Operand::output(DNNL_ARG_DST, desc.dst_desc()),
          Operand::constant(
              DNNL_ARG_WEIGHTS,
              request.weights.reordered(constant, dnnl_api::describe_strided(kF32, conv.weights, conv.weight_strides),
                                        desc.weights_desc()))};
      if (request.has(2)) {
        operands.push_back(
            Operand::constant(DNNL_ARG_BIAS, request.weights.reordered(*request.input(2).constant, bias, bias)));
      }
      auto step = std::make_unique<DnnlStep>(Primitive(desc), std::move(operands), desc.scratchpad_desc());
      step->implementation = fmt::format("dnnl:{}", desc.impl_info_str());
      step->inputs.assign(request.node.inputs.size(), std::nullopt);
      step->inputs[0] = *x_layout;
      step->outputs = {*y_layout};
      if (residual) {
        step->inputs[3] = *y_layout;
        step->sharing = Sharing::kMust;
        step->shared_input = 3;
      }
      return step;
    } catch (const dnnl::error& error) {
      reason = fmt::format("oneDNN: {}", error.what());
    }
  }
  return Refusal{reason};
}

}  // namespace

Creation create_conv_f32(const Request& request) {
  return create<dnnl::convolution_forward, dnnl_api::convolution>(request);
}

Creation create_conv_transpose_f32(const Request& request) {
  return create<dnnl::deconvolution_forward, dnnl_api::deconvolution>(request);
}

}  // namespace xinfer::cpu
