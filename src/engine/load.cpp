#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "core/file.h"
#include "core/hash.h"
#include "engine/attrs_codec.h"
#include "engine/engine_file.h"
#include "engine/layout.h"
#include "ir/schema.h"
#include "ir/verifier.h"
#include "xinfer/core/errors.h"

namespace xinfer::engine {
namespace {

constexpr const char* kDamagedHint =
    "the file is damaged or incomplete: copy it again, or rebuild it with 'xinfer build'";
constexpr std::size_t kMaxRank = 16;

template <class... Args>
[[noreturn]] void damaged(fmt::format_string<Args...> format, Args&&... args) {
  throw EngineError(fmt::format(format, std::forward<Args>(args)...), kDamagedHint);
}

Header read_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderSize) damaged("the file has {} bytes, less than a header", bytes.size());
  Header header;
  std::memcpy(&header, bytes.data(), kHeaderSize);
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) {
    throw EngineError("this is not an xInfer engine", "build one from an ONNX model with 'xinfer build'");
  }
  if (header.endian != kEndianMark) throw EngineError("the engine was built for a machine of other endianness");
  if (header.version != kFormatVersion) {
    throw EngineError(
        fmt::format("the engine has format version {}; this xInfer reads version {}", header.version, kFormatVersion),
        "rebuild the engine with this version");
  }
  if (header.file_size != bytes.size()) {
    damaged("the file has {} bytes, its header says {}", bytes.size(), header.file_size);
  }
  if (header.structure_offset != kHeaderSize || header.structure_size > bytes.size() - kHeaderSize ||
      sections_begin(header.structure_size) > bytes.size()) {
    damaged("the structure of {} bytes does not fit into the file", header.structure_size);
  }
  return header;
}

DataType decode_dtype(std::uint8_t number) {
  if (number > static_cast<std::uint8_t>(DataType::kBool)) damaged("element type {} is unknown", number);
  return static_cast<DataType>(number);
}

ir::Shape decode_shape(const flatbuffers::Vector<const fb::Dim*>* dims) {
  ir::Shape shape;
  if (dims == nullptr) return shape;
  check_alignment(dims);
  if (dims->size() > kMaxRank) damaged("a tensor has rank {}", dims->size());
  for (const fb::Dim* dim : *dims) {
    const ir::Dim read(dim->value(), dim->batch());
    if (read.value < 0 || (read.batch && read.value == 0)) damaged("a tensor has the dimension {}", to_string(read));
    shape.dims().push_back(read);
  }
  return shape;
}

ir::Quantization decode_quantization(const fb::Quantization& stored) {
  ir::Quantization q;
  q.axis = stored.axis();
  q.scales.assign(stored.scales()->begin(), stored.scales()->end());
  if (stored.zero_points() != nullptr) q.zero_points.assign(stored.zero_points()->begin(), stored.zero_points()->end());
  return q;
}

const std::unordered_map<std::string_view, ir::OpType>& ops_by_name() {
  static const auto table = [] {
    std::unordered_map<std::string_view, ir::OpType> result;
    for (const ir::OpSchema& schema : ir::all_schemas()) result.emplace(schema.name, schema.op);
    return result;
  }();
  return table;
}

std::vector<ir::ValueId> decode_ids(const flatbuffers::Vector<std::int32_t>* ids, std::size_t count, bool allow_none) {
  std::vector<ir::ValueId> result;
  if (ids == nullptr) return result;
  for (const std::int32_t id : *ids) {
    const bool fits = (id >= 0 && static_cast<std::size_t>(id) < count) || (allow_none && id == ir::kNone);
    if (!fits) damaged("value number {} is out of range", id);
    result.push_back(id);
  }
  return result;
}

/// Rebuilds the graph through its building interface, so that every shape rule runs again on what the file claims.
class GraphDecoder {
 public:
  GraphDecoder(const fb::Graph& stored, std::span<const std::byte> weights, std::shared_ptr<const void> owner)
      : stored_(stored), weights_(weights), owner_(std::move(owner)) {}

  ir::Graph decode() {
    const std::size_t count = stored_.values()->size();
    ids_.assign(count, ir::kNone);
    if (stored_.name() != nullptr) graph_.name = stored_.name()->str();
    for (const ir::ValueId id : decode_ids(stored_.inputs(), count, false)) add_input(id);
    for (std::size_t i = 0; i < count; ++i) {
      if (stored_.values()->Get(i)->constant()) add_constant(i);
    }
    for (const fb::Node* node : *stored_.nodes()) add_node(*node);
    std::vector<ir::ValueId> outputs;
    for (const ir::ValueId id : decode_ids(stored_.outputs(), count, false)) outputs.push_back(defined(id));
    if (outputs.empty() || graph_.inputs().empty()) damaged("the graph has no inputs or no outputs");
    graph_.set_outputs(outputs);
    if (stored_.output_names()->size() != outputs.size()) damaged("the graph's output names don't match its outputs");
    std::vector<std::string> names;
    for (const auto* name : *stored_.output_names()) names.push_back(name->str());
    graph_.set_output_names(std::move(names));
    return std::move(graph_);
  }

 private:
  const fb::Value& stored_value(ir::ValueId id) const { return *stored_.values()->Get(static_cast<unsigned>(id)); }

  ir::ValueId defined(ir::ValueId stored_id) const {
    const ir::ValueId id = ids_[static_cast<std::size_t>(stored_id)];
    if (id == ir::kNone) damaged("value '{}' is used before it is computed", stored_value(stored_id).name()->str());
    return id;
  }

  void define(ir::ValueId stored_id, ir::ValueId id) {
    if (ids_[static_cast<std::size_t>(stored_id)] != ir::kNone) {
      damaged("value '{}' is computed twice", stored_value(stored_id).name()->str());
    }
    if (graph_.value(id).name != stored_value(stored_id).name()->string_view()) {
      damaged("value '{}' stands in the file twice", stored_value(stored_id).name()->str());
    }
    ids_[static_cast<std::size_t>(stored_id)] = id;
  }

  void add_input(ir::ValueId id) {
    const fb::Value& v = stored_value(id);
    define(id, graph_.add_input(v.name()->str(), decode_dtype(v.dtype()), decode_shape(v.shape())));
  }

  void add_constant(std::size_t index) {
    const auto stored_id = static_cast<ir::ValueId>(index);
    const fb::Value& v = stored_value(stored_id);
    const DataType dtype = decode_dtype(v.dtype());
    const ir::Shape shape = decode_shape(v.shape());
    if (!shape.is_static()) damaged("constant '{}' has a batch dimension", v.name()->str());
    const std::vector<std::int64_t> dims = shape.at(1);
    const std::uint64_t bytes = static_cast<std::uint64_t>(element_count(dims)) * size_of(dtype);
    if (v.offset() % kAlignment != 0 || v.offset() > weights_.size() || bytes > weights_.size() - v.offset()) {
      damaged("constant '{}' lies outside the weights", v.name()->str());
    }
    const auto stored = weights_.subspan(v.offset(), bytes);
    const auto is_bool = [](std::byte byte) { return byte == std::byte{0} || byte == std::byte{1}; };
    if (dtype == DataType::kBool && !std::all_of(stored.begin(), stored.end(), is_bool)) {
      damaged("constant '{}' holds bytes that are no bool", v.name()->str());
    }
    // The mapping is read-only and nothing writes to a constant; Tensor has no const form.
    auto* data = const_cast<std::byte*>(stored.data());
    std::optional<ir::Quantization> quantization;
    if (v.quantization() != nullptr) quantization = decode_quantization(*v.quantization());
    define(stored_id,
           graph_.add_constant(v.name()->str(), Tensor::view(dtype, dims, data, owner_), std::move(quantization)));
  }

  void add_node(const fb::Node& stored) {
    const auto found = ops_by_name().find(stored.op()->string_view());
    if (found == ops_by_name().end()) {
      throw EngineError(
          fmt::format("node '{}' has the unknown operator '{}'", stored.name()->str(), stored.op()->str()),
          "the engine may come from a newer xInfer");
    }
    const ir::OpSchema& schema = ir::schema_of(found->second);
    std::vector<ir::ValueId> inputs;
    for (const ir::ValueId id : decode_ids(stored.inputs(), ids_.size(), true)) {
      inputs.push_back(id == ir::kNone ? ir::kNone : defined(id));
    }
    const std::vector<ir::ValueId> outputs = decode_ids(stored.outputs(), ids_.size(), false);
    const auto fits = [](std::size_t n, int low, int high) {
      return n >= static_cast<std::size_t>(low) && (high < 0 || n <= static_cast<std::size_t>(high));
    };
    if (!fits(inputs.size(), schema.min_inputs, schema.max_inputs) ||
        !fits(outputs.size(), schema.min_outputs, schema.max_outputs)) {
      damaged("node '{}' has {} inputs and {} outputs", stored.name()->str(), inputs.size(), outputs.size());
    }
    for (int i = 0; i < schema.min_inputs; ++i) {
      if (inputs[static_cast<std::size_t>(i)] == ir::kNone)
        damaged("node '{}' lacks input {}", stored.name()->str(), i);
    }
    std::vector<std::string> names;
    for (const ir::ValueId id : outputs) names.push_back(stored_value(id).name()->str());
    const ir::NodeId node = graph_.add_node(schema.op, stored.name()->str(), std::move(inputs),
                                            engine::decode(schema.attrs_index, stored.attrs()), outputs.size(), names);
    if (graph_.node(node).name != stored.name()->string_view()) {
      damaged("node '{}' stands in the file twice", stored.name()->str());
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const ir::ValueId id = graph_.node(node).outputs[i];
      define(outputs[i], id);
      const fb::Value& claimed = stored_value(outputs[i]);
      ir::Value& value = graph_.value(id);
      value.dtype = decode_dtype(claimed.dtype());
      if (claimed.quantization() != nullptr) value.quantization = decode_quantization(*claimed.quantization());
      if (value.shape != decode_shape(claimed.shape())) {
        damaged("value '{}' has another shape than its node computes", value.name);
      }
    }
    graph_.infer(node);  // again, now that the outputs' quantization is known
  }

  const fb::Graph& stored_;
  std::span<const std::byte> weights_;
  std::shared_ptr<const void> owner_;
  ir::Graph graph_;
  std::vector<ir::ValueId> ids_;
};

Preprocessing decode_preprocessing(const fb::Engine& stored) {
  Preprocessing result;
  if (stored.preprocessing() == nullptr) return result;
  for (const fb::PreprocessStep* step : *stored.preprocessing()) {
    if (step->kind() > static_cast<std::uint8_t>(PreprocessStep::Kind::kCustom)) {
      damaged("preprocessing step {} is unknown", step->kind());
    }
    check_alignment(step->sizes());
    PreprocessStep out;
    out.kind = static_cast<PreprocessStep::Kind>(step->kind());
    if (step->sizes() != nullptr) out.sizes.assign(step->sizes()->begin(), step->sizes()->end());
    if (step->values() != nullptr) out.values.assign(step->values()->begin(), step->values()->end());
    if (step->name() != nullptr) out.name = step->name()->str();
    result.steps.push_back(std::move(out));
  }
  return result;
}

std::string text_or_empty(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

/// The file's sections, each checked against the file and its hash.
struct Sections {
  std::span<const std::byte> weights;
  std::span<const std::byte> code;
};

Sections sections_of(const fb::Engine& stored, std::span<const std::byte> bytes) {
  const std::size_t wanted = stored.cuda() == nullptr ? 1 : 2;
  if (stored.sections()->size() != wanted || stored.sections()->Get(0)->kind() != kWeightsSection ||
      (wanted == 2 && stored.sections()->Get(1)->kind() != kCodeSection)) {
    damaged("the file's sections are unknown");
  }
  Sections sections;
  std::uint64_t begin = 0;
  for (const fb::Section* section : *stored.sections()) {
    const bool weights = section->kind() == kWeightsSection;
    const char* name = weights ? "weights section" : "code section";
    if (section->offset() != begin || section->size() > bytes.size() - begin) {
      damaged("the {} does not match the file's size", name);
    }
    const auto content = bytes.subspan(begin, section->size());
    begin += section->size();
    if (hash_bytes(content) != section->hash()->string_view()) damaged("the {} does not match its hash", name);
    (weights ? sections.weights : sections.code) = content;
  }
  if (begin != bytes.size())
    damaged("the {} does not match the file's size", wanted == 1 ? "weights section" : "code section");
  return sections;
}

std::vector<HostNode> decode_host_nodes(const fb::Cuda& stored, const ir::Graph& graph) {
  std::vector<HostNode> result;
  if (stored.host_nodes() == nullptr) return result;
  std::unordered_set<std::string_view> unlisted;
  for (const ir::NodeId id : graph.order()) unlisted.insert(graph.node(id).name);
  for (const fb::HostNode* host : *stored.host_nodes()) {
    if (unlisted.erase(host->node()->string_view()) == 0) {
      damaged("node '{}', which is to run on the host, stands in the list twice or not in the graph",
              host->node()->str());
    }
    result.push_back({host->node()->str(), text_or_empty(host->reason())});
  }
  return result;
}

CudaParts decode_cuda(const fb::Cuda& stored, std::span<const std::byte> code, const std::shared_ptr<const void>& owner,
                      const ir::Graph& graph) {
  CudaParts parts;
  if (stored.batches() != nullptr) {
    check_alignment(stored.batches());
    parts.batches.assign(stored.batches()->begin(), stored.batches()->end());
  }
  if (stored.kernels() != nullptr) {
    for (const fb::Kernel* kernel : *stored.kernels()) {
      if (kernel->offset() > code.size() || kernel->size() > code.size() - kernel->offset()) {
        damaged("kernel {} lies outside the code section", kernel->key()->str());
      }
      // Nothing writes to it; Tensor has no const form.
      auto* data = const_cast<std::byte*>(code.data() + kernel->offset());
      parts.kernels.push_back(
          {kernel->key()->str(), kernel->arch()->str(),
           Tensor::view(DataType::kUInt8, {static_cast<std::int64_t>(kernel->size())}, data, owner)});
    }
  }
  if (stored.choices() != nullptr) {
    for (const fb::Choice* choice : *stored.choices()) {
      TunedChoice out{
          choice->arch()->str(), choice->batch(), choice->node()->str(), choice->implementation()->str(), {}, 0};
      if (choice->tactic() != nullptr) out.tactic.assign(choice->tactic()->begin(), choice->tactic()->end());
      out.microseconds = choice->microseconds();
      if (!(out.microseconds >= 0 && std::isfinite(out.microseconds))) {
        damaged("a kernel of node '{}' takes {} us", out.node, out.microseconds);
      }
      parts.choices.push_back(std::move(out));
    }
  }
  parts.host_nodes = decode_host_nodes(stored, graph);
  return parts;
}

std::vector<TensorRangeInfo> decode_ranges(const fb::Engine& stored) {
  std::vector<TensorRangeInfo> result;
  if (stored.ranges() == nullptr) return result;
  for (const fb::TensorRange* r : *stored.ranges()) {
    // Written so that NaN fails.
    const bool sound = r->threshold() > 0 && std::isfinite(r->threshold()) && r->clipped_share() >= 0;
    if (!sound || r->clipped_share() > 1) {
      damaged("the range of '{}' is {} with a share of {} beyond", r->name()->str(), r->threshold(),
              r->clipped_share());
    }
    result.push_back({r->name()->str(), r->threshold(), r->clipped_share()});
  }
  return result;
}

EngineFile decode(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const Header header = read_header(bytes);
  const auto structure = bytes.subspan(kHeaderSize, header.structure_size);
  if (hash_bytes(structure) != std::string_view(header.structure_hash, sizeof(header.structure_hash))) {
    damaged("the structure does not match its hash");
  }
  const auto* data = reinterpret_cast<const std::uint8_t*>(structure.data());
  flatbuffers::Verifier verifier(data, structure.size());
  if (!fb::VerifyEngineBuffer(verifier)) damaged("the structure is malformed");
  const fb::Engine& stored = *fb::GetEngine(data);
  const Sections sections = sections_of(stored, bytes.subspan(sections_begin(header.structure_size)));

  EngineFile engine;
  engine.producer = stored.producer()->str();
  engine.target = stored.target()->str();
  engine.max_batch = stored.max_batch();
  if (engine.max_batch < 1) damaged("the maximum batch size is {}", engine.max_batch);
  engine.preprocessing = decode_preprocessing(stored);
  if (stored.labels() != nullptr) {
    for (const auto* label : *stored.labels()) engine.labels.push_back(label->str());
  }
  if (stored.decisions() != nullptr) {
    for (const fb::Decision* d : *stored.decisions()) {
      engine.decisions.push_back(
          {d->node()->str(), text_or_empty(d->op()), text_or_empty(d->precision()), text_or_empty(d->reason())});
    }
  }
  if (stored.facts() != nullptr) {
    for (const fb::Fact* fact : *stored.facts()) engine.facts.emplace_back(fact->key()->str(), fact->value()->str());
  }
  engine.ranges = decode_ranges(stored);
  engine.graph = GraphDecoder(*stored.graph(), sections.weights, file.owner()).decode();
  if (stored.cuda() != nullptr) engine.cuda = decode_cuda(*stored.cuda(), sections.code, file.owner(), engine.graph);
  try {
    ir::verify(engine.graph, "loading");
  } catch (const std::logic_error& error) {
    damaged("the graph is inconsistent: {}", error.what());
  }
  return engine;
}

}  // namespace

EngineFile load(const std::string& path) {
  try {
    return decode(MappedFile(path));
  } catch (const Error& error) {
    throw EngineError(fmt::format("engine '{}': {}", path, error.what()));
  }
}

std::uint64_t file_size(const std::string& path) {
  try {
    return MappedFile(path).bytes().size();
  } catch (const Error& error) {
    throw EngineError(error.what());
  }
}

}  // namespace xinfer::engine
