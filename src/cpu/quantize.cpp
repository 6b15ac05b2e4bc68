// The borders between float and integers, with the change to and from channels last in the same pass.

#include <algorithm>
#include <vector>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "ir/graph_queries.h"
#include "kernels/layout.h"
#include "kernels/qelementwise.h"

namespace xinfer::cpu {
namespace {

/// Between f32 and 8 bits, elementwise or with a change between plain and channels last.
class ConvertStep final : public Step {
 public:
  ConvertStep(const Request& request, float scale, DataType type, const Layout& in, const Layout& out)
      : quantizes_(request.node.op == ir::OpType::kQuantize),
        changes_layout_(!(in == out)),
        scale_(scale),
        type_(type),
        isa_(request.isa) {
    const Dims dims = request.input_dims(0);
    count_ = physical_count(dims, in);
    if (changes_layout_) {
      batch_ = dims[0];
      channels_ = dims[1];
      pixels_ = count_ / std::max<std::int64_t>(1, batch_ * channels_);
    }
    implementation = quantizes_ ? "own_quantize" : "own_dequantize";
    inputs = {in};
    outputs = {out};
  }

  void run(const Frame& frame, State*) const override {
    if (quantizes_) {
      const auto* x = static_cast<const float*>(frame.inputs[0]);
      if (changes_layout_) {
        kernels::quantize_nchw_to_nhwc(x, batch_, channels_, pixels_, scale_, type_, frame.outputs[0], isa_);
      } else {
        kernels::quantize_f32(x, count_, scale_, type_, frame.outputs[0], isa_);
      }
      return;
    }
    auto* y = static_cast<float*>(frame.outputs[0]);
    if (changes_layout_) {
      kernels::dequantize_nhwc_to_nchw(frame.inputs[0], type_, batch_, channels_, pixels_, scale_, y, isa_);
    } else {
      kernels::dequantize(frame.inputs[0], type_, count_, scale_, y, isa_);
    }
  }

 private:
  bool quantizes_, changes_layout_;
  float scale_;
  DataType type_;
  kernels::Isa isa_;
  std::int64_t count_, batch_ = 1, channels_ = 1, pixels_ = 1;
};

/// Whether every reader of a float value takes channels last as gladly as plain.
bool readers_take_channels_last(const ir::Graph& graph, ir::ValueId id) {
  using O = ir::OpType;
  const ir::Value& value = graph.value(id);
  return !graph.is_output(id) && std::all_of(value.consumers.begin(), value.consumers.end(), [&](ir::NodeId consumer) {
    const ir::OpType op = graph.node(consumer).op;
    return op == O::kConv || op == O::kUnary || op == O::kBinary || op == O::kMaxPool || op == O::kAveragePool ||
           op == O::kQuantize || op == O::kReduce || op == O::kBatchNorm;
  });
}

}  // namespace

Creation create_quantize(const Request& request) {
  const auto scale = plain_scale(request.output());
  if (!scale) return Refusal{"the output has zero points or a scale for each channel"};
  const Dims dims = request.input_dims(0);
  Layout in = request.layouts[0];
  if (in.kind == Layout::Kind::kBlocked) in = Layout::channels_last();
  Layout out = in;
  if (fits(Layout::channels_last(), dims.size()) && ir::feeds_windows(request.graph, request.output_id(0))) {
    out = Layout::channels_last();
  }
  if (same_memory(dims, in, out)) in = out;
  return std::make_unique<ConvertStep>(request, *scale, request.output_type(), in, out);
}

Creation create_dequantize(const Request& request) {
  const auto scale = plain_scale(request.input(0));
  if (!scale) return Refusal{"the input is no 8-bit tensor with one scale and zero point 0"};
  const Layout in = request.layouts[0];
  Layout out = in;
  if (!in.is_plain() && !readers_take_channels_last(request.graph, request.output_id(0))) out = Layout::plain();
  if (same_memory(request.input_dims(0), in, out)) out = in;
  return std::make_unique<ConvertStep>(request, *scale, request.input_type(0), in, out);
}

}  // namespace xinfer::cpu
