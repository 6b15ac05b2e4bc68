// Lowering: walks the graph, takes an implementation for each node, and puts reformats where a consumer wants another
// format than the producer chose.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "core/hash.h"
#include "cuda/host_format.h"
#include "cuda/host_step.h"
#include "cuda/implementations.h"
#include "cuda/placement.h"
#include "cuda/program.h"
#include "cuda/siblings.h"
#include "ir/cost.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

/// A value in one format.
struct Version {
  Format format;
  int buffer;
};

class Lowering {
 public:
  explicit Lowering(Program& program) : program_(program), graph_(*program.graph) {}

  void run() {
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
      const ir::ValueId id = graph_.inputs()[i];
      const Format format = outside_format(id);
      const int buffer = new_buffer(id, format);
      program_.buffers.back().home = Buffer::Home::kInput;
      program_.buffers.back().index = i;
      versions_[id].push_back({format, buffer});
      program_.visible.push_back({id, buffer, format});
    }
    for (const ir::NodeId id : graph_.order()) lower_node(id);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) lower_output(i);
  }

 private:
  Dims dims_of(ir::ValueId id) const { return graph_.value(id).shape.at(program_.batch); }

  /// Graph inputs and outputs are plain tensors of the type that the graph says.
  Format outside_format(ir::ValueId id) const {
    return Format::rows(element_of(graph_.value(id).dtype, Element::kF32));
  }

  Request request_of(const ir::Node& node) const {
    return Request{graph_, node, program_.batch, program_.options.target, program_.options.real, {}, ir::kNone};
  }

  int new_buffer(ir::ValueId id, const Format& format) {
    Buffer buffer;
    buffer.bytes = bytes_of(dims_of(id), format);
    program_.buffers.push_back(buffer);
    return static_cast<int>(program_.buffers.size()) - 1;
  }

  int constant_buffer(ir::ValueId id, const Format& format) {
    const Tensor tensor = *graph_.value(id).constant;
    const int buffer = new_buffer(id, format);
    program_.buffers.back().home = Buffer::Home::kConstant;
    program_.buffers.back().index = program_.constants.size();
    program_.constants.push_back({fmt::format("constant {} {} {}", hash_bytes(tensor.raw(), tensor.bytes()),
                                              xinfer::to_string(tensor.shape()), to_string(format)),
                                  [tensor, format] { return encode(tensor, format); }});
    return buffer;
  }

  /// Buffer that holds `id` in `format`; inserts a reformat, counted to `info`, when there is none yet.
  int use(ir::ValueId id, const Format& format, std::size_t info) {
    const ir::Value& value = graph_.value(id);
    const Dims dims = dims_of(id);
    auto& versions = versions_[id];
    for (const Version& version : versions) {
      if (same_memory(dims, version.format, format)) return version.buffer;
    }
    if (value.is_constant()) {
      versions.push_back({format, constant_buffer(id, format)});
      return versions.back().buffer;
    }
    if (versions.empty()) throw std::logic_error(fmt::format("value '{}' is used before it is computed", value.name));
    const Version from = versions.front();
    const int buffer = new_buffer(id, format);
    program_.items.push_back({create_reformat(dims, from.format, format), {from.buffer}, {buffer}, info});
    ++program_.infos[info].reformats;
    versions.push_back({format, buffer});
    return buffer;
  }

  /// The Quantize that alone reads the node's only output, when folding it in loses nothing.
  ir::NodeId following_quantize(const ir::Node& node) const {
    if (program_.options.keep_values || node.outputs.size() != 1 || node.op == ir::OpType::kQuantize) return ir::kNone;
    const ir::NodeId consumer = graph_.sole_consumer(node.outputs[0]);
    if (consumer == ir::kNone || graph_.node(consumer).op != ir::OpType::kQuantize) return ir::kNone;
    return program_.options.host_nodes.contains(graph_.node(consumer).name) ? ir::kNone : consumer;
  }

  std::unique_ptr<Step> try_one(const Implementation& implementation, const Tactic& tactic, const Request& request,
                                StepInfo& info) {
    Creation creation = implementation.create(request, tactic);
    if (auto* step = std::get_if<std::unique_ptr<Step>>(&creation)) {
      info.choice = implementation.name;
      info.tactic = tactic;
      return std::move(*step);
    }
    info.refusals.push_back(fmt::format("{}{}: {}", implementation.name,
                                        request.output_override == ir::kNone ? "" : " (with the Quantize that follows)",
                                        std::get<Refusal>(creation).reason));
    return nullptr;
  }

  std::unique_ptr<Step> try_all(const Request& request, StepInfo& info) {
    const bool folds = request.output_override != ir::kNone;
    const auto list = implementations_of(request.node.op);
    if (program_.options.chooser) {
      if (const auto choice = program_.options.chooser(request)) {
        for (const Implementation& implementation : list) {
          if (implementation.name != choice->implementation || (folds && !implementation.writes_quantized)) continue;
          if (auto step = try_one(implementation, choice->tactic, request, info)) return step;
        }
      }
    }
    for (const Implementation& implementation : list) {
      if (folds && !implementation.writes_quantized) continue;
      Tactic tactic;
      if (implementation.tactics != nullptr) {
        const auto tactics = implementation.tactics(request);
        if (!tactics.empty()) tactic = tactics.front();
      }
      if (auto step = try_one(implementation, tactic, request, info)) return step;
    }
    return nullptr;
  }

  std::unique_ptr<Step> choose(Request& request, StepInfo& info, ir::ValueId quantized) {
    // With a Quantize behind it, first whoever can take that over: one pass over memory less.
    if (quantized != ir::kNone) {
      request.output_override = quantized;
      if (auto step = try_all(request, info)) return step;
      request.output_override = ir::kNone;
    }
    if (auto step = try_all(request, info)) return step;
    if (program_.options.allow_host) return host_step(request, info);
    throw UnsupportedError(
        fmt::format("nothing on the GPU takes node '{}' ({}): {}", request.node.name, name_of(request.node.op),
                    fmt::join(info.refusals, "; ")),
        "run it on the CPU (--device cpu, --calib-device cpu); a build for GPUs may leave such nodes "
        "to the host (--allow-cpu-fallback)");
  }

  std::unique_ptr<Step> host_step(const Request& request, StepInfo& info) const {
    info.on_host = true;
    return create_host_step(program_.graph, request.node, program_.batch);
  }

  void lower_node(ir::NodeId id) {
    const ir::Node& node = graph_.node(id);
    const std::size_t info = program_.infos.size();
    program_.infos.emplace_back();
    program_.infos[info].node = node.name;
    program_.infos[info].op = node.op;
    if (const auto folded = folded_into_.find(id); folded != folded_into_.end()) {
      program_.infos[info].implementation = "folded into " + folded->second;
      return;
    }
    Request request = request_of(node);
    for (const ir::ValueId input : node.inputs) {
      const auto found = input == ir::kNone ? versions_.end() : versions_.find(input);
      const bool known = found != versions_.end() && !found->second.empty();
      request.formats.push_back(known ? found->second.front().format : Format{});
      if (!known && input != ir::kNone) request.formats.back().element = request.element_of(graph_.value(input));
    }
    if (const auto listed = program_.options.host_nodes.find(node.name); listed != program_.options.host_nodes.end()) {
      program_.infos[info].refusals.push_back(listed->second);
      return add_item(request, host_step(request, program_.infos[info]), info);
    }
    if (lower_siblings(id, request.formats[0], info)) return;
    const ir::NodeId quantize = following_quantize(node);
    std::shared_ptr<const Step> step =
        choose(request, program_.infos[info], quantize == ir::kNone ? ir::kNone : graph_.node(quantize).outputs[0]);
    if (request.output_override != ir::kNone) folded_into_.emplace(quantize, node.name);
    add_item(request, std::move(step), info);
  }

  /// The node together with others that read the same value, where there are such and an implementation takes them.
  bool lower_siblings(ir::NodeId id, const Format& given, std::size_t info) {
    if (program_.options.keep_values || graph_.node(id).op != ir::OpType::kLinear) return false;
    const std::optional<Siblings> siblings = sibling_linears(graph_, id, [&](ir::NodeId node) {
      return !program_.options.host_nodes.contains(graph_.node(node).name) && !folded_into_.contains(node) &&
             following_quantize(graph_.node(node)) == ir::kNone;
    });
    if (!siblings) return false;
    Request request{siblings->merged,
                    siblings->merged.node(siblings->node),
                    program_.batch,
                    program_.options.target,
                    program_.options.real,
                    std::vector<Format>(siblings->merged.node(siblings->node).inputs.size()),
                    ir::kNone,
                    static_cast<std::int64_t>(siblings->nodes.size())};
    request.formats[0] = given;
    StepInfo trial = program_.infos[info];
    std::shared_ptr<const Step> step = try_all(request, trial);
    if (!step) return false;
    program_.infos[info] = std::move(trial);
    describe(request, *step, info);
    const Format& format = step->outputs.at(0);
    const int whole = static_cast<int>(program_.buffers.size());
    program_.buffers.emplace_back();
    std::size_t bytes = 0;
    for (const ir::NodeId node : siblings->nodes) {
      const ir::ValueId output = graph_.node(node).outputs[0];
      const int part = new_buffer(output, format);
      program_.buffers.back().root = whole;
      program_.buffers.back().offset = bytes;
      bytes += bytes_of_part(dims_of(output), format);
      made(output, part, format, info);
      if (node != id) folded_into_.emplace(node, graph_.node(id).name);
    }
    program_.buffers[static_cast<std::size_t>(whole)].bytes = bytes;
    std::vector<int> inputs(request.node.inputs.size(), -1);
    inputs[0] = use(graph_.node(id).inputs[0], step->inputs.at(0).value(), info);
    program_.items.push_back({std::move(step), std::move(inputs), {whole}, info});
    return true;
  }

  ir::Cost cost_of(const Request& request, const Step& step) const {
    std::unordered_map<ir::ValueId, Element> elements;
    for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
      if (!request.has(i)) continue;
      const bool read = i < step.inputs.size() && step.inputs[i].has_value();
      elements[request.node.inputs[i]] = read ? step.inputs[i]->element : request.input_element(i);
    }
    for (std::size_t i = 0; i < request.node.outputs.size(); ++i) {  // also where it writes another value in its place
      elements[request.node.outputs[i]] = step.outputs.at(i).element;
    }
    return ir::cost_of(request.graph, request.node, program_.batch,
                       [&](ir::ValueId id) { return static_cast<double>(size_of(elements.at(id))); });
  }

  void describe(const Request& request, const Step& step, std::size_t info) {
    StepInfo& text = program_.infos[info];
    text.implementation = step.implementation;
    text.compute = step.compute;
    text.format = to_string(step.outputs.at(0));
    const ir::Cost cost = cost_of(request, step);
    text.macs = cost.macs;
    text.bytes = step.alias ? 0 : cost.bytes;
  }

  /// Notes where a value lies.
  void made(ir::ValueId value, int buffer, const Format& format, std::size_t info) {
    versions_[value].push_back({format, buffer});
    info_of_value_[value] = info;
    program_.visible.push_back({value, buffer, format});
  }

  void add_item(const Request& request, std::shared_ptr<const Step> step, std::size_t info) {
    Item item;
    item.info = info;
    for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
      const bool read = request.has(i) && i < step->inputs.size() && step->inputs[i].has_value();
      item.inputs.push_back(read ? use(request.node.inputs[i], *step->inputs[i], info) : -1);
    }
    for (std::size_t i = 0; i < request.node.outputs.size(); ++i) {
      const ir::ValueId output = request.output_id(i);
      const int buffer = new_buffer(output, step->outputs.at(i));
      item.outputs.push_back(buffer);
      made(output, buffer, step->outputs[i], info);
    }
    describe(request, *step, info);
    if (step->alias) {
      if (buffer(item.outputs[0]).bytes > buffer(item.inputs.at(0)).bytes) {
        throw std::logic_error(fmt::format("node '{}' aliases a smaller value", request.node.name));
      }
      program_.buffers[static_cast<std::size_t>(item.outputs[0])].root = item.inputs[0];
    }
    item.step = std::move(step);
    program_.items.push_back(std::move(item));
  }

  void lower_output(std::size_t index) {
    const ir::ValueId id = graph_.outputs()[index];
    const Format format = outside_format(id);
    const auto made_by = info_of_value_.find(id);
    const std::size_t info = made_by == info_of_value_.end() ? 0 : made_by->second;
    const int from = use(id, format, info);
    Buffer& root = program_.buffers[static_cast<std::size_t>(program_.place_of(from).root)];
    if (root.home == Buffer::Home::kArena && root.bytes == buffer(from).bytes) {
      root.home = Buffer::Home::kOutput;
      root.index = index;
      return;
    }
    // An input, a constant, or another output: a copy.
    const int to = new_buffer(id, format);
    program_.buffers.back().home = Buffer::Home::kOutput;
    program_.buffers.back().index = index;
    program_.items.push_back({create_reformat(dims_of(id), format, format), {from}, {to}, info});
  }

  const Buffer& buffer(int id) const { return program_.buffers[static_cast<std::size_t>(id)]; }

  Program& program_;
  const ir::Graph& graph_;
  std::unordered_map<ir::ValueId, std::vector<Version>> versions_;
  std::unordered_map<ir::ValueId, std::size_t> info_of_value_;
  std::unordered_map<ir::NodeId, std::string> folded_into_;
};

}  // namespace

Program::Place Program::place_of(int buffer) const {
  Place place{buffer, 0};
  for (const Buffer* at = &buffers[static_cast<std::size_t>(buffer)]; at->root >= 0;
       at = &buffers[static_cast<std::size_t>(place.root)]) {
    place.root = at->root;
    place.offset += at->offset;
  }
  return place;
}

std::vector<gpu::KernelSource> Program::kernels() const {
  std::vector<gpu::KernelSource> result;
  std::unordered_set<std::string> seen;
  for (const Item& item : items) {
    for (const gpu::KernelSource& source : item.step->kernels) {
      if (seen.insert(gpu::hash_of(source)).second) result.push_back(source);
    }
  }
  return result;
}

std::shared_ptr<const Program> compile(std::shared_ptr<const ir::Graph> graph, std::int64_t batch,
                                       const CompileOptions& options) {
  if (options.real != Element::kF16 && options.real != Element::kF32) {
    throw std::logic_error("reals are stored as f16 or f32");
  }
  auto program = std::make_shared<Program>();
  program->graph = std::move(graph);
  program->batch = batch;
  program->options = options;
  Lowering(*program).run();
  place_buffers(*program);
  return program;
}

}  // namespace xinfer::cuda
