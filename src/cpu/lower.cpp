// Lowering: walks the graph, takes the first implementation that accepts each node, and puts reorders where a
// consumer wants another layout than the producer chose.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <unordered_map>

#include "cpu/executable.h"
#include "cpu/implementations.h"
#include "ir/schema.h"
#include "kernels/isa.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu {
namespace {

/// A value in one layout.
struct Version {
  Layout layout;
  int buffer;
};

class Lowering {
 public:
  Lowering(Executable& executable, bool keep_values)
      : exe_(executable), graph_(*executable.graph), keep_values_(keep_values), isa_(kernels::detect_isa()) {}

  void run() {
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
      const ir::ValueId id = graph_.inputs()[i];
      const int buffer = new_buffer(id, Layout::plain());
      exe_.buffers.back().home = Buffer::Home::kInput;
      exe_.buffers.back().index = i;
      versions_[id].push_back({Layout::plain(), buffer});
    }
    for (const ir::NodeId id : graph_.order()) lower_node(id);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      const ir::ValueId id = graph_.outputs()[i];
      const auto made_by = info_of_value_.find(id);
      const int buffer = use(id, Layout::plain(), made_by == info_of_value_.end() ? 0 : made_by->second);
      exe_.final_copies.push_back({buffer, i});  // place_buffers drops those that can be written in place
    }
  }

 private:
  Dims dims_of(ir::ValueId id) const { return graph_.value(id).shape.at(exe_.batch); }

  int new_buffer(ir::ValueId id, const Layout& layout) {
    Buffer buffer;
    buffer.bytes = bytes_of(graph_.value(id).dtype, dims_of(id), layout);
    exe_.buffers.push_back(buffer);
    return static_cast<int>(exe_.buffers.size()) - 1;
  }

  /// Buffer that holds `id` in `layout`; inserts a reorder, counted to `info`, when there is none yet.
  int use(ir::ValueId id, const Layout& layout, std::size_t info) {
    const ir::Value& value = graph_.value(id);
    const Dims dims = dims_of(id);
    auto& versions = versions_[id];
    if (versions.empty() && value.is_constant()) {
      const int buffer = new_buffer(id, Layout::plain());
      exe_.buffers.back().home = Buffer::Home::kConstant;
      exe_.buffers.back().constant = value.constant->raw();
      versions.push_back({Layout::plain(), buffer});
    }
    if (versions.empty()) throw std::logic_error(fmt::format("value '{}' is used before it is computed", value.name));
    for (const Version& version : versions) {
      if (same_memory(dims, version.layout, layout)) return version.buffer;
    }
    const Version from = versions.front();
    const int buffer = new_buffer(id, layout);
    std::shared_ptr<const Step> step = create_reorder(value.dtype, dims, from.layout, layout);
    if (value.is_constant()) {
      convert_constant(*step, from.buffer, buffer);
    } else {
      exe_.items.push_back({std::move(step), {from.buffer}, {buffer}, -1, info, {}});
      ++exe_.infos[info].reorders;
    }
    versions.push_back({layout, buffer});
    return buffer;
  }

  void convert_constant(const Step& step, int from, int to) {
    Buffer& buffer = exe_.buffers[static_cast<std::size_t>(to)];
    exe_.constants.emplace_back(DataType::kUInt8, Dims{static_cast<std::int64_t>(buffer.bytes)});
    void* target = exe_.constants.back().raw();
    void* source = const_cast<void*>(exe_.buffers[static_cast<std::size_t>(from)].constant);
    Tensor scratch(DataType::kUInt8, Dims{static_cast<std::int64_t>(step.scratch_bytes)});
    const dnnl::stream stream(dnnl_api::engine());
    const auto state = step.new_state();
    step.run({std::span(&source, 1), std::span(&target, 1), scratch.raw(), stream.get()}, state.get());
    buffer.home = Buffer::Home::kConstant;
    buffer.constant = target;
  }

  /// Nodes behind another one that its step may take over, the last of them a Quantize.
  struct Ending {
    std::vector<ir::NodeId> nodes;
    std::vector<TailStep> tail;
  };

  bool quantized_to_u8(ir::ValueId value) const {
    const ir::NodeId consumer = graph_.sole_consumer(value);
    return consumer != ir::kNone && graph_.node(consumer).op == ir::OpType::kQuantize &&
           graph_.value(graph_.node(consumer).outputs[0]).dtype == DataType::kUInt8;
  }

  /// The constant that a Binary multiplies `value` by or adds to it, where every column has its own or all the same.
  std::optional<TailStep> tail_step(const ir::Node& node, ir::ValueId value) const {
    if (node.op != ir::OpType::kBinary) return std::nullopt;
    const auto& attrs = node.as<ir::BinaryAttrs>();
    if (attrs.kind != ir::BinaryKind::kMul && attrs.kind != ir::BinaryKind::kAdd) return std::nullopt;
    // Quantizing to u8 does what a ReLU does.
    const bool clamped = attrs.epilogue.activation == ir::UnaryKind::kRelu && quantized_to_u8(node.outputs[0]);
    if (attrs.epilogue.activation != ir::UnaryKind::kIdentity && !clamped) return std::nullopt;
    const ir::Value& other = graph_.value(node.inputs[node.inputs[0] == value ? 1 : 0]);
    const ir::Value& result = graph_.value(node.outputs[0]);
    if (!other.is_constant() || other.dtype != DataType::kFloat32 || result.dtype != DataType::kFloat32 ||
        result.shape != graph_.value(value).shape || result.shape.rank() == 0) {
      return std::nullopt;
    }
    const Dims dims = other.constant->shape();
    const bool one = other.constant->numel() == 1;
    const bool columns =
        !dims.empty() && dims.back() == dims_of(value).back() && other.constant->numel() == dims.back();
    if (!one && !columns) return std::nullopt;
    return TailStep{attrs.kind, *other.constant};
  }

  /// What alone reads the node's only output up to a Quantize, when folding it in loses nothing.
  std::optional<Ending> ending_of(const ir::Node& node) const {
    if (keep_values_ || node.outputs.size() != 1 || node.op == ir::OpType::kQuantize) return std::nullopt;
    Ending ending;
    ir::ValueId value = node.outputs[0];
    while (true) {
      const ir::NodeId consumer = graph_.sole_consumer(value);
      if (consumer == ir::kNone) return std::nullopt;
      ending.nodes.push_back(consumer);
      const ir::Node& next = graph_.node(consumer);
      if (next.op == ir::OpType::kQuantize) return ending;
      auto step = tail_step(next, value);
      if (!step) return std::nullopt;
      ending.tail.push_back(std::move(*step));
      value = next.outputs[0];
    }
  }

  /// Layout that the value already has, or the first of those that it has.
  Layout current_layout(ir::ValueId id) const {
    const auto found = id == ir::kNone ? versions_.end() : versions_.find(id);
    return found == versions_.end() || found->second.empty() ? Layout::plain() : found->second.front().layout;
  }

  /// Only operators around attention gain from its layout; the others see such a value as plain.
  static bool takes_swapped(ir::OpType op) {
    return op == ir::OpType::kAttention || op == ir::OpType::kTranspose || op == ir::OpType::kUnary ||
           op == ir::OpType::kQuantize || op == ir::OpType::kDequantize;
  }

  static bool takes(const Implementation& implementation, const Ending* ending) {
    if (ending == nullptr) return true;
    return ending->tail.empty() ? implementation.writes_quantized : implementation.takes_tail;
  }

  /// With `ending` first, if there is one: a pass over memory less for each of its nodes. It is none in the end where
  /// nobody takes it.
  std::unique_ptr<Step> choose(Request& request, StepInfo& info, std::optional<Ending>& ending) {
    while (true) {
      request.output_override = ending ? graph_.node(ending->nodes.back()).outputs[0] : ir::kNone;
      request.tail = ending ? ending->tail : std::vector<TailStep>{};
      for (const Implementation& implementation : implementations_of(request.node.op)) {
        if (!takes(implementation, ending ? &*ending : nullptr)) continue;
        Creation creation = try_create(implementation, request);
        if (auto* step = std::get_if<std::unique_ptr<Step>>(&creation)) return std::move(*step);
        info.refusals.push_back(fmt::format("{}{}: {}", implementation.name,
                                            ending ? " (with the Quantize that follows)" : "",
                                            std::get<Refusal>(creation).reason));
      }
      if (!ending) break;
      ending.reset();
    }
    throw UnsupportedError(fmt::format("no implementation takes node '{}' ({}): {}", request.node.name,
                                       name_of(request.node.op), fmt::join(info.refusals, "; ")));
  }

  static Creation try_create(const Implementation& implementation, const Request& request) {
    try {
      return implementation.create(request);
    } catch (const dnnl::error& error) {
      return Refusal{fmt::format("oneDNN: {}", error.what())};
    }
  }

  void lower_node(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    if (const auto folded = folded_into_.find(id); folded != folded_into_.end()) {
      exe_.infos.push_back({node.name,
                            node.op,
                            "folded into " + folded->second,
                            {},
                            DataType::kFloat32,
                            to_string(current_layout(node.outputs[0]), dims_of(node.outputs[0]).size()),
                            0});
      return;
    }
    const std::size_t info = exe_.infos.size();
    exe_.infos.push_back({node.name, node.op, "", {}, DataType::kFloat32, "", 0});
    Request request{graph_, node, exe_.batch, isa_, exe_.threads, *exe_.weights, {}, ir::kNone, {}};
    for (const ir::ValueId input : node.inputs) {
      const Layout layout = current_layout(input);
      const bool offered = layout.kind != Layout::Kind::kSwapped || takes_swapped(node.op);
      request.layouts.push_back(offered ? layout : Layout::plain());
    }
    std::optional<Ending> ending = ending_of(node);
    std::shared_ptr<const Step> step = choose(request, exe_.infos[info], ending);
    if (ending) {
      for (const ir::NodeId folded : ending->nodes) folded_into_.emplace(folded, node.name);
    }

    Item item;
    item.info = info;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const bool read = node.inputs[i] != ir::kNone && i < step->inputs.size() && step->inputs[i].has_value();
      item.inputs.push_back(read ? use(node.inputs[i], *step->inputs[i], info) : -1);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ir::ValueId output = request.output_id(i);
      const int buffer = new_buffer(output, step->outputs[i]);
      item.outputs.push_back(buffer);
      versions_[output].push_back({step->outputs[i], buffer});
      info_of_value_[output] = info;
      item.visible.push_back({output, buffer, step->outputs[i]});
    }
    if (step->sharing == Sharing::kAlias) {
      exe_.buffers[static_cast<std::size_t>(item.outputs[0])].root = exe_.root_of(item.inputs[step->shared_input]);
    }
    StepInfo& text = exe_.infos[info];
    text.implementation = step->implementation;
    text.compute_type = step->compute_type;
    text.layout = to_string(step->outputs[0], dims_of(request.output_id(0)).size());
    item.step = std::move(step);
    exe_.items.push_back(std::move(item));
  }

  Executable& exe_;
  const ir::Graph& graph_;
  bool keep_values_;
  kernels::Isa isa_;
  std::unordered_map<ir::ValueId, std::vector<Version>> versions_;
  std::unordered_map<ir::ValueId, std::size_t> info_of_value_;
  std::unordered_map<ir::NodeId, std::string> folded_into_;
};

}  // namespace

void set_layouts(Step& step, const Request& request, const Layout& layout) {
  step.inputs.assign(request.node.inputs.size(), std::nullopt);
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    if (request.has(i)) step.inputs[i] = layout;
  }
  step.outputs.assign(request.node.outputs.size(), layout);
}

void lower(Executable& executable, bool keep_values) { Lowering(executable, keep_values).run(); }

}  // namespace xinfer::cpu
