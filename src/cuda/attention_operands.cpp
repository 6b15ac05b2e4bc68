// Attention: where its operands lie.

#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/attention.h"

namespace xinfer::cuda {
namespace {

constexpr float kLargestHalf = 65504.0F;
constexpr std::int64_t kVectorBytes = 16;

bool is_multiple(std::int64_t elements, Element element) {
  return elements * static_cast<std::int64_t>(size_of(element)) % kVectorBytes == 0;
}

/// As the producer wrote q, k or v where the kernel can read that in place.
Format operand_format(const Request& request, std::size_t i, std::int64_t size, bool aligned) {
  const Format& given = request.formats[i];
  const bool in_place = given.element == request.real &&
                        (given.order == Order::kRows || given.order == Order::kHeadsSwapped) &&
                        (given.padded || !aligned || is_multiple(size, request.real));
  return in_place ? given : Format::padded_rows(request.real);
}

/// Swapped where every reader is the transpose that puts heads beside each other again.
Format output_format(const Request& request, std::int64_t size, Element element, bool aligned) {
  const ir::ValueId id = request.output_id(0);
  const auto& consumers = request.graph.value(id).consumers;
  const bool swapped =
      (!aligned || is_multiple(size, element)) && !consumers.empty() && !request.graph.is_output(id) &&
      std::all_of(consumers.begin(), consumers.end(), [&](ir::NodeId consumer) {
        const ir::Node& node = request.graph.node(consumer);
        return node.op == ir::OpType::kTranspose && node.as<ir::TransposeAttrs>().perm == Dims{0, 2, 1, 3};
      });
  return swapped ? Format::swapped(element) : Format::padded_rows(element);
}

/// f32 for constants that half precision would change beyond rounding; as produced otherwise.
Element mask_element(const Request& request) {
  const ir::Value& mask = request.input(3);
  if (!mask.is_constant()) {
    const Element given = request.formats[3].element;
    return given == Element::kF16 || given == Element::kF32 ? given : request.real;
  }
  const auto values = mask.constant->data<float>();
  const bool fits = std::all_of(values.begin(), values.end(),
                                [](float x) { return !std::isfinite(x) || std::abs(x) <= kLargestHalf; });
  return fits ? request.real : Element::kF32;
}

}  // namespace

std::variant<AttentionShape, std::string> attention_shape(const Request& request) {
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (request.has(i) && request.input(i).dtype != DataType::kFloat32) return "an operand is not f32";
  }
  const Dims q = request.input_dims(0), v = request.input_dims(2);
  AttentionShape shape{q[0], q[1], q[2],           v[2],
                       q[3], v[3], request.has(3), request.node.as<ir::AttentionAttrs>().causal};
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max() / 2;
  if (std::any_of(q.begin(), q.end(), [](std::int64_t d) { return d == 0; }) || shape.keys == 0 || shape.values == 0) {
    return "an operand is empty";
  }
  if (shape.queries > kLimit || shape.keys > kLimit || shape.heads * (shape.depth + kPadding) > kLimit ||
      shape.heads * (shape.values + kPadding) > kLimit || shape.batch * shape.heads * shape.queries > kLimit) {
    return "more rows than 31 bits count";
  }
  return shape;
}

void place_operands(AttentionStep& step, const Request& request, const AttentionShape& shape, const Rounding& rounding,
                    bool aligned) {
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  step.inputs[0] = operand_format(request, 0, shape.depth, aligned);
  step.inputs[1] = operand_format(request, 1, shape.depth, aligned);
  step.inputs[2] = operand_format(request, 2, shape.values, aligned);
  step.outputs = {output_format(request, shape.values, rounding.element, aligned)};
  AttentionArgs& a = step.args;
  const auto place = [](const Dims& dims, const Format& format, std::int64_t& batch, std::int64_t& head,
                        std::uint32_t& row) {
    const Strides strides = strides_of(dims, format);
    batch = strides.stride[0];
    head = strides.stride[1];
    row = static_cast<std::uint32_t>(strides.stride[2]);
  };
  place(request.input_dims(0), *step.inputs[0], a.q_batch, a.q_head, a.q_row);
  place(request.input_dims(1), *step.inputs[1], a.k_batch, a.k_head, a.k_row);
  place(request.input_dims(2), *step.inputs[2], a.v_batch, a.v_head, a.v_row);
  place(request.output_dims(), step.outputs[0], a.y_batch, a.y_head, a.y_row);
  if (shape.masked) {
    step.inputs[3] = Format{mask_element(request), Order::kRows, aligned};
    const Dims dims = request.input_dims(3);
    const Strides strides = strides_of(dims, *step.inputs[3]);
    const auto stride = [&](std::size_t axis) -> std::int64_t {  // of axis 0 to 3 of the scores
      const std::size_t missing = 4 - dims.size();
      return axis < missing || dims[axis - missing] == 1 ? 0 : strides.stride[axis - missing];
    };
    a.mask_batch = stride(0);
    a.mask_head = stride(1);
    a.mask_row = static_cast<std::uint32_t>(stride(2));
    step.mask_key = static_cast<std::uint32_t>(stride(3));
  }
  a.heads = static_cast<std::uint32_t>(shape.heads);
  a.queries = static_cast<std::uint32_t>(shape.queries);
  a.keys = static_cast<std::uint32_t>(shape.keys);
  a.depth = static_cast<std::uint32_t>(shape.depth);
  a.values = static_cast<std::uint32_t>(shape.values);
  a.y_columns = static_cast<std::uint32_t>(
      step.outputs[0].padded ? strides_of(request.output_dims(), step.outputs[0]).pitch : shape.values);
  a.scale = request.node.as<ir::AttentionAttrs>().scale;
  a.step = rounding.step;
  step.batch = shape.batch;
  step.compute = request.real;
}

void define_scores(AttentionStep& step, const AttentionShape& shape, gpu::KernelSource& source) {
  constexpr float kLog2E = 1.4426950408889634F;
  source.define("XI_SCALE_FIRST", shape.masked || !(step.args.scale > 0) ? 1 : 0);
  source.define("XI_MASK_T", device_name_of(shape.masked ? step.inputs[3]->element : Element::kF32));
  step.args.scale *= kLog2E;
}

AttentionArgs AttentionStep::placed(const Frame& frame) const {
  AttentionArgs a = args;
  a.q = frame.inputs[0];
  a.k = frame.inputs[1];
  a.v = frame.inputs[2];
  a.y = frame.outputs[0];
  a.mask = inputs.size() > 3 && inputs[3] ? frame.inputs[3] : 0;
  return a;
}

void AttentionStep::launch(const Frame& frame, std::vector<gpu::Launch>& launches) const {
  gpu::Launch launch;
  launch.grid.x = static_cast<std::uint32_t>(batch * args.heads * args.query_tiles);
  launch.block.x = threads;
  launch.shared_bytes = shared_bytes;
  launch.dependent = true;
  const AttentionArgs a = placed(frame);
  struct PlainArgs {
    AttentionArgs common;
    std::uint32_t mask_key;
  };
  if (plain) {
    launch.args.add(PlainArgs{a, mask_key});
  } else {
    launch.args.add(a);
  }
  launches.push_back(std::move(launch));
}

}  // namespace xinfer::cuda
