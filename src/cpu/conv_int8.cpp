// Integer convolutions over channels-last activations: our depthwise kernel, oneDNN with VNNI, and our exact kernel
// for everything else.

#include <fmt/format.h>

#include "cpu/conv_common.h"
#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "kernels/qdwconv.h"
#include "kernels/qgemm.h"

namespace xinfer::cpu {
namespace {

using dnnl_api::MemoryDesc;

/// Weights (C, O/G, ...) of a ConvTranspose have their output channels on axis 1.
std::variant<IntegerLayer, std::string> layer_of(const Request& request, const ConvNode& conv) {
  const auto& attrs = request.node.as<ir::ConvAttrs>();
  const bool transposed = request.node.op == ir::OpType::kConvTranspose;
  if (transposed && attrs.groups > 1) return "grouped transposed convolution in integers";
  return integer_layer(request, attrs.epilogue, transposed ? 1 : 0, conv.y[1]);
}

std::string shape_key(const char* kind, const ConvNode& conv, DataType type, kernels::Isa isa) {
  return fmt::format("{} {} {} {} {} {} {}", kind, name_of(type), static_cast<int>(isa),
                     xinfer::to_string(std::span<const std::int64_t>(conv.weights)), conv.groups,
                     xinfer::to_string(std::span<const std::int64_t>(conv.window.strides)),
                     xinfer::to_string(std::span<const std::int64_t>(conv.window.dilations)));
}

/// One of our two convolution kernels.
template <class Weights, auto Kernel>
class OwnConvStep final : public Step {
 public:
  OwnConvStep(const Request& request, const ConvNode& conv, const kernels::ConvShape& shape, IntegerLayer layer,
              const char* name)
      : shape_(shape), layer_(std::move(layer)) {
    layer_.expand(conv.y[1]);
    const Tensor& constant = *request.input(1).constant;
    const DataType type = request.input_type(0);
    weights_ = request.weights.get<Weights>(constant, shape_key(name, conv, type, request.isa), [&] {
      return Weights(constant.data<std::int8_t>().data(), shape, type, request.isa);
    });
    params_ = *layer_.requant();
    implementation = fmt::format("{}:{}", name, kernels::name_of(request.isa));
    compute_type = DataType::kInt8;
    inputs.assign(request.node.inputs.size(), std::nullopt);
    inputs[0] = Layout::channels_last();
    outputs = {Layout::channels_last()};
    if (request.has(3)) inputs[3] = Layout::channels_last();
  }

  void run(const Frame& frame, State*) const override {
    kernels::RequantParams params = params_;
    if (layer_.residual_type) params.residual = frame.inputs[3];
    Kernel(shape_, frame.inputs[0], *weights_, params, frame.outputs[0]);
  }

 private:
  kernels::ConvShape shape_;
  IntegerLayer layer_;
  std::shared_ptr<const Weights> weights_;
  kernels::RequantParams params_;
};

template <class Weights, auto Kernel>
Creation create_own(const Request& request, const char* name, bool depthwise) {
  const ConvNode conv = conv_node(request);
  if (depthwise && !conv.is_depthwise()) return Refusal{"not depthwise"};
  const auto layer = layer_of(request, conv);
  if (const auto* reason = std::get_if<std::string>(&layer)) return Refusal{*reason};
  const auto shape = kernel_shape(conv);
  if (!shape) return Refusal{"three spatial axes"};
  if (!std::get<IntegerLayer>(layer).requant()) return Refusal{"our kernels can't fuse this activation"};
  return std::make_unique<OwnConvStep<Weights, Kernel>>(request, conv, *shape, std::get<IntegerLayer>(layer), name);
}

template <class Primitive, auto MakeDesc>
Creation create_dnnl(const Request& request) {
  const ConvNode conv = conv_node(request);
  auto created = layer_of(request, conv);
  if (const auto* reason = std::get_if<std::string>(&created)) return Refusal{*reason};
  auto& layer = std::get<IntegerLayer>(created);
  if (request.isa != kernels::Isa::kAvx512Vnni) return Refusal{"without VNNI oneDNN saturates sums at 16 bits"};
  if (!dnnl_api::has_eltwise(layer.folded.activation.activation)) {
    return Refusal{fmt::format("oneDNN can't fuse {}", name_of(layer.folded.activation.activation))};
  }
  if (layer.residual_type && size_of(*layer.residual_type) != size_of(layer.output_type)) {
    return Refusal{"the residual's elements have another size than the output's"};
  }
  const Layout nhwc = Layout::channels_last();
  dnnl_api::Attributes attributes;
  if (!representable(layer.folded)) return Refusal{"a bias is out of range in units of its channel's multiplier"};
  attributes.set_multipliers(layer.folded.multiplier, layer.folded.bias, conv.grouped);
  if (layer.residual_type) attributes.append_sum(layer.folded.residual_scale, *layer.residual_type, layer.output_type);
  const ir::Epilogue& activation = layer.folded.activation;
  attributes.append_activation(activation.activation, activation.alpha, activation.beta,
                               1.0F / layer.folded.output_scale);

  const MemoryDesc src = dnnl_api::describe(request.input_type(0), conv.x, nhwc);
  const MemoryDesc dst = dnnl_api::describe(layer.output_type, conv.y, nhwc);
  const MemoryDesc bias = dnnl_api::describe(DataType::kFloat32, {conv.y[1]}, Layout::plain());
  const auto desc = MakeDesc(src, dnnl_api::describe_any(DataType::kInt8, conv.weights),
                             request.has(2) ? &bias : nullptr, dst, conv.window, attributes);
  if (dnnl_api::is_generic(desc)) return Refusal{"oneDNN has only its generic implementation"};

  std::vector<Operand> operands{
      Operand::input(DNNL_ARG_SRC, 0, src), Operand::output(DNNL_ARG_DST, dst),
      Operand::constant(
          DNNL_ARG_WEIGHTS,
          request.weights.reordered(*request.input(1).constant,
                                    dnnl_api::describe_strided(DataType::kInt8, conv.weights, conv.weight_strides),
                                    desc.weights_desc()))};
  if (request.has(2)) {
    operands.push_back(Operand::constant(DNNL_ARG_BIAS, vector_memory(layer.folded.bias, {conv.y[1]})));
  }
  add_attribute_operands(operands, attributes);
  auto step = std::make_unique<DnnlStep>(Primitive(desc), std::move(operands), desc.scratchpad_desc());
  step->implementation = fmt::format("dnnl:{}", desc.impl_info_str());
  step->compute_type = DataType::kInt8;
  step->inputs.assign(request.node.inputs.size(), std::nullopt);
  step->inputs[0] = nhwc;
  step->outputs = {nhwc};
  if (layer.residual_type) {
    step->inputs[3] = nhwc;
    step->sharing = Sharing::kMust;
    step->shared_input = 3;
  }
  return step;
}

}  // namespace

Creation create_depthwise_int8(const Request& request) {
  return create_own<kernels::DwWeights, kernels::qdwconv>(request, "own_qdwconv", true);
}

Creation create_conv_int8_own(const Request& request) {
  return create_own<kernels::ConvWeights, kernels::qconv>(request, "own_qconv", false);
}

Creation create_conv_int8_dnnl(const Request& request) {
  return create_dnnl<dnnl::convolution_forward, dnnl_api::convolution>(request);
}

Creation create_conv_transpose_int8_dnnl(const Request& request) {
  return create_dnnl<dnnl::deconvolution_forward, dnnl_api::deconvolution>(request);
}

}  // namespace xinfer::cpu
