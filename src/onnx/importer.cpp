#include "onnx/importer.h"

#include <fmt/format.h>

#include <algorithm>

#include "onnx/model_file.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

constexpr ir::ValueId kRefused = -2;  ///< output of a node that can't be converted
constexpr std::size_t kDeepest = 16;  ///< branches within branches

std::string label_of(const NodeProto& node) {
  const std::string name = !node.name().empty() ? node.name() : node.output_size() > 0 ? node.output(0) : "?";
  return fmt::format("node '{}' ({})", name, node.op_type());
}

}  // namespace

Importer::Importer(const ModelProto& model, int opset, ExternalData& external, TensorCache& tensors,
                   const ReadOptions& options, bool promote)
    : model_(model), tensors_(tensors), options_(options) {
  state_.opset = opset;
  state_.external = &external;
  state_.promoted = promote;
}

ir::Graph Importer::run() {
  const GraphProto& graph = model_.graph();
  state_.graph.name = graph.name();
  open_scope(graph);
  for (InputSpec& spec : read_inputs(graph, options_)) {
    if (state_.promoted && spec.promotable) spec.shape[0] = ir::Dim::n();
    scopes_.back().values.emplace(spec.name, state_.graph.add_input(spec.name, spec.dtype, std::move(spec.shape)));
  }
  convert_nodes(graph);
  throw_refusals();
  set_outputs();
  drop_dead_nodes();
  state_.graph.compact();
  return std::move(state_.graph);
}

void Importer::open_scope(const GraphProto& graph) {
  if (scopes_.size() >= kDeepest) throw UnsupportedError("branches are nested too deeply");
  if (graph.sparse_initializer_size() > 0) {
    throw UnsupportedError(fmt::format("graph '{}' has sparse initializers", graph.name()),
                           "export with dense weights");
  }
  scopes_.emplace_back();
  for (const TensorProto& tensor : graph.initializer()) {
    if (!scopes_.back().initializers.emplace(tensor.name(), &tensor).second) {
      throw ModelError(fmt::format("initializer '{}' is listed twice", tensor.name()));
    }
  }
}

ir::ValueId Importer::resolve(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto value = scope->values.find(name);
    if (value != scope->values.end()) return value->second;
    const auto weights = scope->initializers.find(name);
    if (weights == scope->initializers.end()) continue;
    auto cached = tensors_.find(weights->second);
    if (cached == tensors_.end()) {
      Tensor tensor = read_tensor(*weights->second, *state_.external);
      if (tensor.numel() > 1) check_finite(tensor, name, false);  // a single NaN may be something to compare with
      cached = tensors_.emplace(weights->second, std::move(tensor)).first;
    }
    return scope->values.emplace(name, state_.graph.add_constant(name, cached->second)).first->second;
  }
  throw ModelError(fmt::format("'{}' is made by no node, and is no input or initializer", name));
}

void Importer::convert_nodes(const GraphProto& graph) {
  const Plan plan = plan_of(graph);
  for (const NodeProto* node : plan.nodes) convert(*node, plan);
}

void Importer::bind_outputs(const NodeProto& node, const std::vector<ir::ValueId>& values) {
  for (int i = 0; i < node.output_size(); ++i) {
    const std::string& name = node.output(i);
    if (name.empty()) continue;
    const ir::ValueId value =
        static_cast<std::size_t>(i) < values.size() ? values[static_cast<std::size_t>(i)] : kRefused;
    if (value == ir::kNone) continue;  // an output that nothing reads
    const bool initializer = scopes_.back().initializers.contains(name);
    if (initializer || !scopes_.back().values.emplace(name, value).second) {
      throw ModelError(fmt::format("its output '{}' is also an input or initializer of the model", name));
    }
  }
}

void Importer::refuse(const NodeProto& node, const std::string& reason) {
  const std::string_view domain = normal_domain(node.domain());
  Refusal& refusal = refusals_[domain.empty() ? node.op_type() : fmt::format("{}.{}", domain, node.op_type())];
  if (refusal.count++ == 0) refusal = {1, label_of(node), reason};
  bind_outputs(node, {});
}

void Importer::convert(const NodeProto& node, const Plan& plan) {
  const std::string_view domain = normal_domain(node.domain());
  const Converter converter = find_converter(domain, node.op_type());
  const bool is_if = domain.empty() && node.op_type() == "If";
  try {
    if (converter == nullptr && !is_if) return refuse(node, std::string(why_unsupported(domain, node.op_type())));
    std::vector<ir::ValueId> inputs;
    bool refused = false;
    for (const std::string& name : node.input()) {
      inputs.push_back(name.empty() ? ir::kNone : resolve(name));
      refused = refused || inputs.back() == kRefused;
    }
    if (refused) return bind_outputs(node, {});
    while (!inputs.empty() && inputs.back() == ir::kNone) inputs.pop_back();
    std::vector<bool> used;
    for (const std::string& name : node.output()) used.push_back(!name.empty() && plan.used.contains(name));
    NodeContext context(state_, node, std::move(inputs), std::move(used));
    if (is_if) return convert_if(node, context);
    converter(context);
    for (std::size_t i = 0; i < context.output_count(); ++i) {
      if (context.output_used(i) && context.results()[i] == ir::kNone) {
        throw ModelError(fmt::format("its output {} is used, but the operator has none such", i));
      }
    }
    bind_outputs(node, context.results());
  } catch (const UnsupportedError& error) {
    refuse(node, error.what());
  } catch (const std::exception& error) {
    const std::string reason = error.what();
    const bool inner = scopes_.size() > 1 && reason.starts_with("node '");  // a node of a branch says it all
    throw ModelError(inner ? reason : fmt::format("{}: {}", label_of(node), reason));
  }
}

void Importer::convert_if(const NodeProto& node, const NodeContext& context) {
  context.expect_inputs(1, 1);
  const Tensor& condition = context.constant(0, "condition");
  if (condition.dtype() != DataType::kBool || condition.numel() != 1) throw ModelError("its condition is no boolean");
  const GraphProto& branch = context.attributes().graph(condition.data<bool>()[0] ? "then_branch" : "else_branch");
  open_scope(branch);
  std::vector<ir::ValueId> results;
  try {
    convert_nodes(branch);
    for (const ValueInfoProto& output : branch.output()) results.push_back(resolve(output.name()));
  } catch (...) {
    scopes_.pop_back();
    throw;
  }
  scopes_.pop_back();
  bind_outputs(node, results);
}

void Importer::set_outputs() {
  std::vector<ir::ValueId> outputs;
  std::vector<std::string> names;
  for (const ValueInfoProto& output : model_.graph().output()) {
    ir::ValueId value = resolve(output.name());
    if (std::find(names.begin(), names.end(), output.name()) != names.end()) {
      throw ModelError(fmt::format("output '{}' is listed twice", output.name()));
    }
    const ir::Value& v = state_.graph.value(value);
    if (!v.symbolic.empty()) {
      throw UnsupportedError(fmt::format("output '{}' is a shape that depends on the batch", output.name()));
    }
    // An output needs a node of its own.
    const bool shared = std::find(outputs.begin(), outputs.end(), value) != outputs.end();
    if (v.producer == ir::kNone || shared) {
      // Reshape hands integers and their scale on; Identity would make them reals.
      const std::string name = output.name() + "/Identity";
      const ir::Shape shape = v.shape;
      value = v.quantization ? state_.graph.add(ir::OpType::kReshape, name, {value}, ir::ShapeAttrs{shape})
                             : state_.graph.add(ir::OpType::kUnary, name, {value}, ir::UnaryAttrs{});
    }
    outputs.push_back(value);
    names.push_back(output.name());
  }
  state_.graph.set_outputs(std::move(outputs));
  state_.graph.set_output_names(std::move(names));
}

void Importer::throw_refusals() const {
  if (refusals_.empty()) return;
  std::string list;
  for (const auto& [op, refusal] : refusals_) {
    list += fmt::format("\n  {} x{}, first {}: {}", op, refusal.count, refusal.first_node, refusal.reason);
  }
  throw UnsupportedError(fmt::format("{} operator{} of the model can't be converted:{}", refusals_.size(),
                                     refusals_.size() == 1 ? "" : "s", list));
}

void Importer::drop_dead_nodes() {
  ir::Graph& graph = state_.graph;
  for (auto id = static_cast<ir::NodeId>(graph.node_slots()); id-- > 0;) {
    const ir::Node& node = graph.node(id);
    if (node.removed) continue;
    const bool dead = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId out) {
      return graph.value(out).consumers.empty() && !graph.is_output(out);
    });
    if (dead) graph.remove_node(id);
  }
}

}  // namespace xinfer::onnx
