#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "core/file.h"
#include "core/hash.h"
#include "engine/attrs_codec.h"
#include "engine/engine_file.h"
#include "engine/layout.h"

namespace xinfer::engine {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr std::string_view kZeros(
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    kAlignment);

/// A section as pieces that point into constants or code, with the padding between them.
struct Pieces {
  std::vector<std::string_view> parts;
  std::uint64_t size = 0;
};

struct Weights : Pieces {
  std::vector<std::uint64_t> offsets;  // by ValueId
};

Weights collect_weights(const ir::Graph& graph) {
  Weights weights;
  weights.offsets.resize(graph.value_count(), 0);
  for (std::size_t id = 0; id < graph.value_count(); ++id) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(id));
    if (!value.is_constant()) continue;
    weights.offsets[id] = weights.size;
    const Tensor& tensor = *value.constant;
    weights.parts.emplace_back(static_cast<const char*>(tensor.raw()), tensor.bytes());
    weights.parts.push_back(kZeros.substr(0, padding_after(tensor.bytes())));
    weights.size += tensor.bytes() + padding_after(tensor.bytes());
  }
  return weights;
}

/// Appends to `code` the kernels' machine code, and returns their table.
Offset<fb::Cuda> encode_cuda(FlatBufferBuilder& builder, const CudaParts& cuda, Pieces& code) {
  std::vector<Offset<fb::Kernel>> kernels;
  for (const DeviceKernel& kernel : cuda.kernels) {
    const std::size_t size = kernel.code.bytes();
    kernels.push_back(fb::CreateKernelDirect(builder, kernel.key.c_str(), kernel.arch.c_str(), code.size, size));
    code.parts.emplace_back(static_cast<const char*>(kernel.code.raw()), size);
    code.parts.push_back(kZeros.substr(0, padding_after(size)));
    code.size += size + padding_after(size);
  }
  std::vector<Offset<fb::Choice>> choices;
  for (const TunedChoice& c : cuda.choices) {
    choices.push_back(fb::CreateChoiceDirect(builder, c.arch.c_str(), c.batch, c.node.c_str(), c.implementation.c_str(),
                                             &c.tactic, c.microseconds));
  }
  std::vector<Offset<fb::HostNode>> host_nodes;
  for (const HostNode& h : cuda.host_nodes) {
    host_nodes.push_back(fb::CreateHostNodeDirect(builder, h.node.c_str(), h.reason.c_str()));
  }
  return fb::CreateCudaDirect(builder, &cuda.batches, &kernels, &choices, host_nodes.empty() ? nullptr : &host_nodes);
}

std::string hash_of(const Pieces& section) {
  Hasher hasher;
  for (const std::string_view part : section.parts) hasher.update(part.data(), part.size());
  return hasher.hex();
}

std::vector<fb::Dim> encode_shape(const ir::Shape& shape) {
  std::vector<fb::Dim> dims;
  for (const ir::Dim& dim : shape) dims.emplace_back(dim.value, dim.batch);
  return dims;
}

Offset<fb::Graph> encode_graph(FlatBufferBuilder& builder, const ir::Graph& graph, const Weights& weights) {
  std::vector<Offset<fb::Value>> values;
  for (std::size_t id = 0; id < graph.value_count(); ++id) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(id));
    const auto name = builder.CreateString(value.name);
    const auto shape = builder.CreateVectorOfStructs(encode_shape(value.shape));
    Offset<fb::Quantization> quantization;
    if (value.quantization) {
      quantization = fb::CreateQuantizationDirect(builder, &value.quantization->scales,
                                                  &value.quantization->zero_points, value.quantization->axis);
    }
    values.push_back(fb::CreateValue(builder, name, static_cast<std::uint8_t>(value.dtype), shape, quantization,
                                     value.is_constant(), weights.offsets[id]));
  }
  std::vector<Offset<fb::Node>> nodes;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    const auto attrs = encode(builder, node.attrs);
    const std::string op(ir::name_of(node.op));
    nodes.push_back(fb::CreateNodeDirect(builder, op.c_str(), node.name.c_str(), &node.inputs, &node.outputs, &attrs));
  }
  const auto output_names = builder.CreateVectorOfStrings(graph.output_names());
  return fb::CreateGraph(builder, builder.CreateString(graph.name), builder.CreateVector(values),
                         builder.CreateVector(nodes), builder.CreateVector(graph.inputs()),
                         builder.CreateVector(graph.outputs()), output_names);
}

}  // namespace

void save(const EngineFile& engine, const std::string& path) {
  const Weights weights = collect_weights(engine.graph);
  Pieces code;

  // The structure holds the sections' offsets, which depend on its own size: sections are counted from its end.
  FlatBufferBuilder builder(1 << 16);
  const auto graph = encode_graph(builder, engine.graph, weights);
  std::vector<Offset<fb::PreprocessStep>> steps;
  for (const PreprocessStep& step : engine.preprocessing.steps) {
    steps.push_back(fb::CreatePreprocessStepDirect(builder, static_cast<std::uint8_t>(step.kind), &step.sizes,
                                                   &step.values, step.name.c_str()));
  }
  std::vector<Offset<fb::Decision>> decisions;
  for (const Decision& d : engine.decisions) {
    decisions.push_back(
        fb::CreateDecisionDirect(builder, d.node.c_str(), d.op.c_str(), d.precision.c_str(), d.reason.c_str()));
  }
  std::vector<Offset<fb::Fact>> facts;
  for (const auto& [key, value] : engine.facts) {
    facts.push_back(fb::CreateFactDirect(builder, key.c_str(), value.c_str()));
  }
  std::vector<Offset<fb::TensorRange>> ranges;
  for (const TensorRangeInfo& r : engine.ranges) {
    ranges.push_back(fb::CreateTensorRangeDirect(builder, r.name.c_str(), r.threshold, r.clipped_share));
  }
  Offset<fb::Cuda> cuda;
  if (engine.cuda) cuda = encode_cuda(builder, *engine.cuda, code);
  std::vector<Offset<fb::Section>> sections = {
      fb::CreateSectionDirect(builder, kWeightsSection, 0, weights.size, hash_of(weights).c_str())};
  if (engine.cuda) {
    sections.push_back(fb::CreateSectionDirect(builder, kCodeSection, weights.size, code.size, hash_of(code).c_str()));
  }
  const auto producer = builder.CreateString(engine.producer);
  const auto target = builder.CreateString(engine.target);
  const auto labels = builder.CreateVectorOfStrings(engine.labels);
  fb::FinishEngineBuffer(builder, fb::CreateEngine(builder, producer, target, engine.max_batch, graph,
                                                   builder.CreateVector(steps), labels, builder.CreateVector(decisions),
                                                   builder.CreateVector(facts), builder.CreateVector(sections), cuda,
                                                   ranges.empty() ? 0 : builder.CreateVector(ranges)));

  const std::string_view structure(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
  const std::uint64_t begin = sections_begin(structure.size());
  Header header;
  header.version = kFormatVersion;
  header.file_size = begin + weights.size + code.size;
  header.structure_offset = kHeaderSize;
  header.structure_size = structure.size();
  const std::string digest = hash_bytes(structure.data(), structure.size());
  std::memcpy(header.structure_hash, digest.data(), sizeof(header.structure_hash));
  const auto bytes = std::bit_cast<std::array<char, kHeaderSize>>(header);

  std::vector<std::string_view> parts = {std::string_view(bytes.data(), bytes.size()), structure,
                                         kZeros.substr(0, begin - kHeaderSize - structure.size())};
  parts.insert(parts.end(), weights.parts.begin(), weights.parts.end());
  parts.insert(parts.end(), code.parts.begin(), code.parts.end());
  write_file_atomically(path, parts);
}

}  // namespace xinfer::engine
