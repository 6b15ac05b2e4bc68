// Integer elementwise operators: tables for unary functions; add, subtract and multiply.

#include <fmt/format.h>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/strided.h"
#include "kernels/qelementwise.h"
#include "reference/scalar.h"

namespace xinfer::cpu {
namespace {

class LutStep final : public Step {
 public:
  LutStep(const Request& request, const kernels::Lut& lut, const Layout& layout)
      : lut_(lut), isa_(request.isa), count_(physical_count(request.input_dims(0), layout)) {
    implementation = "own_lut";
    compute_type = DataType::kInt8;
    set_layouts(*this, request, layout);
    sharing = Sharing::kMay;
  }
  void run(const Frame& frame, State*) const override {
    kernels::apply_lut(frame.inputs[0], count_, lut_, frame.outputs[0], isa_);
  }

 private:
  kernels::Lut lut_;
  kernels::Isa isa_;
  std::int64_t count_;
};

class BinaryInt8Step final : public Step {
 public:
  BinaryInt8Step(const Request& request, const kernels::BinaryParams& params, const Layout& layout)
      : multiplies_(request.node.as<ir::BinaryAttrs>().kind == ir::BinaryKind::kMul),
        params_(params),
        isa_(request.isa) {
    const Dims y = request.output_dims();
    count_ = physical_count(y, layout);
    implementation = "own_qbinary";
    compute_type = DataType::kInt8;
    set_layouts(*this, request, layout);
    if (params_.output_type != DataType::kFloat32 && request.input_dims(0) == y) sharing = Sharing::kMay;
    for (std::size_t i = 0; i < 2; ++i) {
      Dims dims = request.input_dims(i);
      if (dims == y) continue;
      if (i == 1 && multiplies_ && is_per_channel(dims, y, layout)) {
        per_channel_ = true;
        batch_ = y[0];
        channels_ = y[1];
        pixels_ = count_ / (batch_ * channels_);
        continue;
      }
      // The smaller operand is spread out first; it is read once, so this costs little beside the rest.
      dims.insert(dims.begin(), y.size() - dims.size(), 1);
      const Dims shape = physical_dims(y, layout);
      spread_[i] = StridedCopy(shape, broadcast_strides(physical_dims(dims, layout), shape), dense_strides(shape), 1);
      spreads_[i] = true;
      scratch_at_[i] = scratch_bytes;
      scratch_bytes += (static_cast<std::size_t>(count_) + 63) / 64 * 64;
    }
  }

  void run(const Frame& frame, State*) const override {
    const void* operand[2] = {frame.inputs[0], frame.inputs[1]};
    for (std::size_t i = 0; i < 2; ++i) {
      if (!spreads_[i]) continue;
      std::byte* to = static_cast<std::byte*>(frame.scratch) + scratch_at_[i];
      spread_[i].run(operand[i], 0, to, 0);
      operand[i] = to;
    }
    if (per_channel_) {
      kernels::qmul_channels(operand[0], operand[1], batch_, pixels_, channels_, params_, frame.outputs[0], isa_);
    } else if (multiplies_) {
      kernels::qmul(operand[0], operand[1], count_, params_, frame.outputs[0], isa_);
    } else {
      kernels::qadd(operand[0], operand[1], count_, params_, frame.outputs[0], isa_);
    }
  }

 private:
  static bool is_per_channel(const Dims& dims, const Dims& y, const Layout& layout) {
    if (layout.kind != Layout::Kind::kChannelsLast || dims.size() != y.size()) return false;
    if (dims[0] != y[0] || dims[1] != y[1]) return false;
    for (std::size_t i = 2; i < dims.size(); ++i) {
      if (dims[i] != 1) return false;
    }
    return true;
  }

  bool multiplies_;
  kernels::BinaryParams params_;
  kernels::Isa isa_;
  std::int64_t count_ = 0, batch_ = 1, pixels_ = 1, channels_ = 1;
  bool per_channel_ = false;
  bool spreads_[2] = {false, false};
  StridedCopy spread_[2];
  std::size_t scratch_at_[2] = {0, 0};
};

}  // namespace

Creation create_unary_int8(const Request& request) {
  const auto& attrs = request.node.as<ir::UnaryAttrs>();
  const auto in = plain_scale(request.input(0));
  const auto out = plain_scale(request.output());
  if (!in || !out) return Refusal{"input and output are not both 8-bit with one scale and zero point 0"};
  if (attrs.kind == ir::UnaryKind::kIsNan || attrs.kind == ir::UnaryKind::kNot) return Refusal{"the output is bool"};
  const auto lut = kernels::build_lut([&](float x) { return reference::unary_f32(attrs, x); }, request.input_type(0),
                                      *in, request.output_type(), *out);
  return std::make_unique<LutStep>(request, lut, request.layouts[0]);
}

Creation create_binary_int8(const Request& request) {
  using K = ir::BinaryKind;
  const auto& attrs = request.node.as<ir::BinaryAttrs>();
  const auto a = plain_scale(request.input(0));
  const auto b = plain_scale(request.input(1));
  const auto y = output_scale(request.output());
  if (!a || !b) return Refusal{"an operand is no 8-bit tensor with one scale and zero point 0"};
  if (!y) return Refusal{"the output has no plain scale"};
  if (attrs.kind != K::kAdd && attrs.kind != K::kSub && attrs.kind != K::kMul) {
    return Refusal{fmt::format("{} has no integer kernel", name_of(attrs.kind))};
  }
  const bool multiplies = attrs.kind == K::kMul;
  const double scale_a = *a, scale_b = *b;
  const auto folded = reference::fold({.input = multiplies ? scale_a * scale_b : scale_a,
                                       .residual = attrs.kind == K::kSub ? -scale_b : scale_b,
                                       .output = *y},
                                      attrs.epilogue);
  const auto activation = kernel_activation(folded.activation);
  if (!activation) return Refusal{"our kernels can't fuse this activation"};
  kernels::BinaryParams params;
  params.a_type = request.input_type(0);
  params.b_type = request.input_type(1);
  params.a_scale = folded.multiplier.at(0);
  params.b_scale = folded.residual_scale;
  params.activation = *activation;
  params.out_scale = folded.output_scale;
  params.output_type = request.output_type();

  const Dims dims = request.output_dims();
  Layout layout = request.input_dims(0) == dims ? request.layouts[0] : request.layouts[1];
  const bool ranks_fit = request.input_dims(0).size() == dims.size() && request.input_dims(1).size() == dims.size();
  if (layout.kind == Layout::Kind::kBlocked || !ranks_fit || !fits(layout, dims.size())) layout = Layout::plain();
  return std::make_unique<BinaryInt8Step>(request, params, layout);
}

}  // namespace xinfer::cpu
