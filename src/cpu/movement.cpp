// Operators that move whole ranges: Reshape, Transpose, Concat, Slice, Split. They work in channels-last and blocked
// memory too wherever their ranges don't cut through blocks.

#include <fmt/format.h>

#include <algorithm>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/strided.h"
#include "kernels/layout.h"
#include "kernels/qelementwise.h"

namespace xinfer::cpu {
namespace {

DataType move_type(DataType type) { return is_int8_like(type) ? DataType::kInt8 : DataType::kFloat32; }

/// An output that is the input's memory under another shape.
class AliasStep final : public Step {
 public:
  AliasStep(const Layout& in, const Layout& out, DataType type) {
    implementation = "alias";
    compute_type = move_type(type);
    inputs = {in};
    outputs = {out};
    sharing = Sharing::kAlias;
  }
  void run(const Frame&, State*) const override {}
};

class PermuteStep final : public Step {
 public:
  PermuteStep(Dims shape, Dims permutation, const Layout& in, DataType type)
      : shape_(std::move(shape)), permutation_(std::move(permutation)), element_(size_of(type)) {
    implementation = "own_permute";
    compute_type = move_type(type);
    inputs = {in};
    outputs = {Layout::plain()};
  }
  void run(const Frame& frame, State*) const override {
    kernels::permute(frame.inputs[0], shape_, permutation_, element_, frame.outputs[0]);
  }

 private:
  Dims shape_, permutation_;
  std::size_t element_;
};

/// Copies ranges of inputs to ranges of outputs.
class CopyStep final : public Step {
 public:
  struct Part {
    StridedCopy copy;
    std::int64_t source_offset = 0, target_offset = 0;
    float ratio = 1.0F;  ///< != 1: integers are rescaled on the way
    DataType source_type = DataType::kFloat32;
    std::int64_t source_count = 0;
  };

  CopyStep(std::string_view name, DataType type) : type_(type) {
    implementation = name;
    compute_type = move_type(type);
  }
  /// Part i goes from input i to output 0, or (for one input) from input 0 to output i.
  void add(Part part) {
    if (rescales(part)) {
      scratch_bytes = std::max(scratch_bytes, static_cast<std::size_t>(part.source_count));
    }
    parts_.push_back(std::move(part));
  }

  void run(const Frame& frame, State*) const override {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Part& part = parts_[i];
      const void* source = frame.inputs[frame.inputs.size() == 1 ? 0 : i];
      if (rescales(part)) {
        kernels::requantize(source, part.source_type, part.source_count, part.ratio, type_, frame.scratch);
        source = frame.scratch;
      }
      part.copy.run(source, part.source_offset, frame.outputs[frame.outputs.size() == 1 ? 0 : i], part.target_offset);
    }
  }

 private:
  bool rescales(const Part& part) const { return part.ratio != 1.0F || part.source_type != type_; }

  DataType type_;
  std::vector<Part> parts_;
};

/// An operator that only selects must keep the integers' meaning.
bool keeps_quantization(const ir::Value& from, const ir::Value& to) {
  return from.dtype == to.dtype && from.quantization == to.quantization;
}

/// What Slice and Split share: a strided box of the input, in `layout`.
std::optional<CopyStep::Part> box_part(const Dims& x, const Layout& layout, std::size_t element, DataType type,
                                       const std::vector<ir::SliceRange>& ranges) {
  const Dims from = dense_strides(physical_dims(x, layout));
  Dims dims = physical_dims(x, layout), strides = from;
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < ranges.size(); ++axis) {
    const ir::SliceRange& r = ranges[axis];
    const bool whole = r.start == 0 && r.step == 1 && r.count == x[axis];
    if (whole) continue;
    const auto range = physical_range(x, layout, axis, r.start, r.count);
    if (!range || (r.step != 1 && range->size != r.count)) return std::nullopt;
    offset += range->begin * from[range->axis];
    dims[range->axis] = range->size;
    strides[range->axis] *= r.step;
  }
  CopyStep::Part part;
  part.copy = StridedCopy(dims, strides, dense_strides(dims), element);
  part.source_offset = offset;
  part.source_type = type;
  return part;
}

/// Whether every reader takes the output as query, key or value.
bool feeds_only_attention(const Request& request) {
  const ir::ValueId id = request.output_id(0);
  const auto& consumers = request.graph.value(id).consumers;
  return !request.graph.is_output(id) && std::all_of(consumers.begin(), consumers.end(), [&](ir::NodeId consumer) {
    const ir::Node& node = request.graph.node(consumer);
    return node.op == ir::OpType::kAttention && !(node.has_input(3) && node.inputs[3] == id);
  });
}

std::vector<ir::SliceRange> whole_ranges(const Dims& x) {
  std::vector<ir::SliceRange> ranges;
  for (const std::int64_t size : x) ranges.push_back({0, 1, size});
  return ranges;
}

}  // namespace

Creation create_reshape(const Request& request) {
  if (!keeps_quantization(request.input(0), request.output())) return Refusal{"the scale changes"};
  return std::make_unique<AliasStep>(Layout::plain(), Layout::plain(), request.input_type(0));
}

Creation create_identity(const Request& request) {
  if (request.node.as<ir::UnaryAttrs>().kind != ir::UnaryKind::kIdentity) return Refusal{"no identity"};
  if (!keeps_quantization(request.input(0), request.output())) return Refusal{"the scale changes"};
  return std::make_unique<AliasStep>(request.layouts[0], request.layouts[0], request.input_type(0));
}

Creation create_transpose(const Request& request) {
  if (!keeps_quantization(request.input(0), request.output())) return Refusal{"the scale changes"};
  const Dims x = request.input_dims(0);
  const Dims perm = request.node.as<ir::TransposeAttrs>().perm;
  Layout in = request.layouts[0];
  if (in.kind == Layout::Kind::kBlocked) in = Layout::plain();
  // Axis i of the output in terms of the axes that lie in memory.
  Dims physical;
  for (const std::int64_t axis : perm) {
    physical.push_back(static_cast<std::int64_t>(physical_axis(in, x.size(), static_cast<std::size_t>(axis))));
  }
  const Dims shape = physical_dims(x, in);
  Dims moving;  // axes of one element don't count: their order changes nothing
  for (const std::int64_t axis : physical) {
    if (shape[static_cast<std::size_t>(axis)] != 1) moving.push_back(axis);
  }
  if (std::is_sorted(moving.begin(), moving.end())) {
    return std::make_unique<AliasStep>(in, Layout::plain(), request.input_type(0));
  }
  // (N, H, W, C) in plain memory becoming (N, C, H, W) is the same memory, channels last.
  Dims to_channels_last{0, static_cast<std::int64_t>(x.size()) - 1};
  for (std::size_t i = 1; i + 1 < x.size(); ++i) to_channels_last.push_back(static_cast<std::int64_t>(i));
  if (in.is_plain() && fits(Layout::channels_last(), x.size()) && x.size() >= 4 && perm == to_channels_last) {
    return std::make_unique<AliasStep>(in, Layout::channels_last(), request.input_type(0));
  }
  // The attention reads heads where the linear layers before it left them.
  if (in.is_plain() && perm == Dims{0, 2, 1, 3} && feeds_only_attention(request)) {
    return std::make_unique<AliasStep>(in, Layout::swapped(), request.input_type(0));
  }
  return std::make_unique<PermuteStep>(shape, physical, in, request.input_type(0));
}

Creation create_concat(const Request& request) {
  const Dims y = request.output_dims();
  const auto axis = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
  const DataType type = request.output_type();
  std::vector<float> ratios;
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    const ir::Value& x = request.input(i);
    if (keeps_quantization(x, request.output())) {
      ratios.push_back(1.0F);
      continue;
    }
    const auto from = plain_scale(x), to = plain_scale(request.output());
    if (!from || !to) return Refusal{"inputs and output are not all 8-bit with one scale and zero point 0"};
    ratios.push_back(static_cast<float>(static_cast<double>(*from) / *to));
  }
  for (const Layout& layout : {request.layouts[0], Layout::channels_last(), Layout::plain()}) {
    if (!fits(layout, y.size())) continue;
    if (request.layouts[0].is_plain() && !layout.is_plain()) continue;
    const Dims target = dense_strides(physical_dims(y, layout));
    auto step = std::make_unique<CopyStep>("own_concat", type);
    std::int64_t begin = 0;
    bool whole_blocks = true;
    for (std::size_t i = 0; i < request.node.inputs.size() && whole_blocks; ++i) {
      const Dims x = request.input_dims(i);
      const auto range = physical_range(y, layout, axis, begin, x[axis]);
      begin += x[axis];
      whole_blocks = range.has_value();
      if (!whole_blocks) break;
      CopyStep::Part part;
      const Dims shape = physical_dims(x, layout);
      part.copy = StridedCopy(shape, dense_strides(shape), target, size_of(type));
      part.target_offset = range->begin * target[range->axis];
      part.ratio = ratios[i];
      part.source_type = request.input_type(i);
      part.source_count = physical_count(x, layout);
      step->add(std::move(part));
    }
    if (!whole_blocks) continue;
    set_layouts(*step, request, layout);
    return step;
  }
  return Refusal{"no layout fits"};
}

Creation create_slice(const Request& request) {
  if (!keeps_quantization(request.input(0), request.output())) return Refusal{"the scale changes"};
  const auto& attrs = request.node.as<ir::SliceAttrs>();
  const Dims x = request.input_dims(0);
  std::vector<ir::SliceRange> ranges = whole_ranges(x);
  for (std::size_t i = 0; i < attrs.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(attrs.axes[i]);
    ranges[axis] = ir::slice_range(attrs.starts[i], attrs.ends[i], attrs.steps[i], x[axis]);
  }
  const DataType type = request.input_type(0);
  for (const Layout& layout : {request.layouts[0], Layout::plain()}) {
    auto part = box_part(x, layout, size_of(type), type, ranges);
    if (!part) continue;
    auto step = std::make_unique<CopyStep>("own_slice", type);
    step->add(std::move(*part));
    set_layouts(*step, request, layout);
    return step;
  }
  return Refusal{"no layout fits"};
}

Creation create_split(const Request& request) {
  const auto& attrs = request.node.as<ir::SplitAttrs>();
  const auto axis = static_cast<std::size_t>(attrs.axis);
  const Dims x = request.input_dims(0);
  const DataType type = request.input_type(0);
  for (std::size_t i = 0; i < request.node.outputs.size(); ++i) {
    if (!keeps_quantization(request.input(0), request.output(i))) return Refusal{"the scale changes"};
  }
  for (const Layout& layout : {request.layouts[0], Layout::plain()}) {
    auto step = std::make_unique<CopyStep>("own_split", type);
    std::int64_t begin = 0;
    bool whole_blocks = true;
    for (const std::int64_t size : attrs.sizes) {
      std::vector<ir::SliceRange> ranges = whole_ranges(x);
      ranges[axis] = {begin, 1, size};
      begin += size;
      auto part = box_part(x, layout, size_of(type), type, ranges);
      whole_blocks = part.has_value();
      if (!whole_blocks) break;
      step->add(std::move(*part));
    }
    if (!whole_blocks) continue;
    set_layouts(*step, request, layout);
    return step;
  }
  return Refusal{"no layout fits"};
}

}  // namespace xinfer::cpu
