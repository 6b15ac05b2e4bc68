// Linear layers (x w^T + bias) in float and in integers. Leading axes of x are rows.

#include <fmt/format.h>

#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "kernels/qgemm.h"

namespace xinfer::cpu {
namespace {

using dnnl_api::MemoryDesc;

struct LinearNode {
  std::int64_t rows = 1, depth, outputs;
};

LinearNode linear_node(const Request& request) {
  const Dims x = request.input_dims(0);
  LinearNode linear;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) linear.rows *= x[i];
  linear.depth = x.back();
  linear.outputs = request.output_dims().back();
  return linear;
}

void describe_step(Step& step, const Request& request) {
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  step.inputs[0] = Layout::plain();
  if (request.has(3)) step.inputs[3] = Layout::plain();
  step.outputs = {Layout::plain()};
}

/// `attributes` holds everything but the residual, which must come first and is therefore added by the caller.
Creation create_inner_product(const Request& request, dnnl_api::Attributes& attributes, DataType weight_type,
                              const std::optional<dnnl_api::Memory>& bias) {
  const LinearNode linear = linear_node(request);
  const MemoryDesc src = dnnl_api::describe(request.input_type(0), {linear.rows, linear.depth}, Layout::plain());
  const MemoryDesc dst = dnnl_api::describe(request.output_type(), {linear.rows, linear.outputs}, Layout::plain());
  const MemoryDesc plain_weights = dnnl_api::describe(weight_type, {linear.outputs, linear.depth}, Layout::plain());
  const MemoryDesc any_weights = dnnl_api::describe_any(weight_type, {linear.outputs, linear.depth});
  const MemoryDesc bias_desc = bias ? bias->get_desc() : MemoryDesc();
  const auto desc = dnnl_api::inner_product(src, any_weights, bias ? &bias_desc : nullptr, dst, attributes);
  if (dnnl_api::is_generic(desc)) return Refusal{"oneDNN has only its generic implementation"};
  std::vector<Operand> operands{
      Operand::input(DNNL_ARG_SRC, 0, src), Operand::output(DNNL_ARG_DST, dst),
      Operand::constant(DNNL_ARG_WEIGHTS,
                        request.weights.reordered(*request.input(1).constant, plain_weights, desc.weights_desc()))};
  if (bias) operands.push_back(Operand::constant(DNNL_ARG_BIAS, *bias));
  add_attribute_operands(operands, attributes);
  auto step =
      std::make_unique<DnnlStep>(dnnl::inner_product_forward(desc), std::move(operands), desc.scratchpad_desc());
  step->implementation = fmt::format("dnnl:{}", desc.impl_info_str());
  describe_step(*step, request);
  if (request.has(3)) {
    step->sharing = Sharing::kMust;
    step->shared_input = 3;
  }
  return step;
}

class OwnLinearStep final : public Step {
 public:
  OwnLinearStep(const Request& request, const LinearNode& linear, IntegerLayer layer)
      : rows_(linear.rows), layer_(std::move(layer)) {
    layer_.expand(linear.outputs);
    kernels::ConvShape shape;
    shape.in_channels = linear.depth;
    shape.out_channels = linear.outputs;
    const Tensor& constant = *request.input(1).constant;
    const DataType type = request.input_type(0);
    weights_ = request.weights.get<kernels::ConvWeights>(
        constant, fmt::format("own_qgemm {} {}", name_of(type), static_cast<int>(request.isa)),
        [&] { return kernels::ConvWeights(constant.data<std::int8_t>().data(), shape, type, request.isa); });
    params_ = *layer_.requant();
    implementation = fmt::format("own_qgemm:{}", kernels::name_of(request.isa));
    compute_type = DataType::kInt8;
    describe_step(*this, request);
  }

  void run(const Frame& frame, State*) const override {
    kernels::RequantParams params = params_;
    if (layer_.residual_type) params.residual = frame.inputs[3];
    kernels::qgemm(rows_, frame.inputs[0], *weights_, params, frame.outputs[0]);
  }

 private:
  std::int64_t rows_;
  IntegerLayer layer_;
  std::shared_ptr<const kernels::ConvWeights> weights_;
  kernels::RequantParams params_;
};

}  // namespace

Creation create_linear_f32(const Request& request) {
  const ir::Epilogue& epilogue = request.node.as<ir::LinearAttrs>().epilogue;
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
  dnnl_api::Attributes attributes;
  if (request.has(3)) attributes.append_sum(1.0F, DataType::kFloat32, DataType::kFloat32);
  attributes.append_activation(epilogue.activation, epilogue.alpha, epilogue.beta);
  std::optional<dnnl_api::Memory> bias;
  if (request.has(2)) {
    const MemoryDesc desc = dnnl_api::describe(DataType::kFloat32, request.input_dims(2), Layout::plain());
    bias = request.weights.reordered(*request.input(2).constant, desc, desc);
  }
  return create_inner_product(request, attributes, DataType::kFloat32, bias);
}

Creation create_linear_int8_dnnl(const Request& request) {
  auto created = integer_layer(request, request.node.as<ir::LinearAttrs>().epilogue, 0, request.output_dims().back());
  if (const auto* reason = std::get_if<std::string>(&created)) return Refusal{*reason};
  auto& layer = std::get<IntegerLayer>(created);
  if (request.isa != kernels::Isa::kAvx512Vnni) return Refusal{"without VNNI oneDNN saturates sums at 16 bits"};
  const ir::Epilogue& activation = layer.folded.activation;
  if (!dnnl_api::has_eltwise(activation.activation)) {
    return Refusal{fmt::format("oneDNN can't fuse {}", name_of(activation.activation))};
  }
  if (layer.residual_type && size_of(*layer.residual_type) != size_of(layer.output_type)) {
    return Refusal{"the residual's elements have another size than the output's"};
  }
  if (!representable(layer.folded)) return Refusal{"a bias is out of range in units of its channel's multiplier"};
  dnnl_api::Attributes attributes;
  attributes.set_multipliers(layer.folded.multiplier, layer.folded.bias, false);
  if (layer.residual_type) attributes.append_sum(layer.folded.residual_scale, *layer.residual_type, layer.output_type);
  attributes.append_activation(activation.activation, activation.alpha, activation.beta,
                               1.0F / layer.folded.output_scale);
  for (const TailStep& step : request.tail) attributes.append_columns(step.kind, step.operand);
  if (!request.tail.empty()) attributes.append_linear(1.0F / layer.tail_scale);
  std::optional<dnnl_api::Memory> bias;
  if (request.has(2)) bias = vector_memory(layer.folded.bias, request.input_dims(2));
  Creation creation = create_inner_product(request, attributes, DataType::kInt8, bias);
  if (auto* step = std::get_if<std::unique_ptr<Step>>(&creation)) (*step)->compute_type = DataType::kInt8;
  return creation;
}

Creation create_linear_int8_own(const Request& request) {
  auto created = integer_layer(request, request.node.as<ir::LinearAttrs>().epilogue, 0, request.output_dims().back());
  if (const auto* reason = std::get_if<std::string>(&created)) return Refusal{*reason};
  auto& layer = std::get<IntegerLayer>(created);
  if (!layer.requant()) return Refusal{"our kernels can't fuse this activation"};
  return std::make_unique<OwnLinearStep>(request, linear_node(request), std::move(layer));
}

}  // namespace xinfer::cpu
