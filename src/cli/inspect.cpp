#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/gpu_parts.h"
#include "cli/options.h"
#include "engine/engine_file.h"
#include "ir/printer.h"
#include "onnx/reader.h"
#include "passes/pipeline.h"
#include "xinfer/core/errors.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string file;
  bool why = false, raw = false, dot = false, graph = false, json = false, kernels = false;
  std::int64_t batch = 1;
  std::vector<std::string> shapes;
  DeviceOptions device;
};

bool looks_like_engine(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  char magic[8] = {};
  stream.read(magic, sizeof(magic));
  return stream.gcount() == sizeof(magic) && std::string_view(magic, 7) == "XINFENG";
}

int inspect_model(const Options& o) {
  onnx::ReadOptions options;
  for (const std::string& text : o.shapes) options.input_shapes.insert(parse_shape(text));
  ir::Graph graph = onnx::read(o.file, options);
  if (!o.raw) passes::run_default(graph);
  if (o.dot) {
    print(ir::to_dot(graph));
    return 0;
  }
  std::map<std::string, int> histogram;
  std::int64_t weights = 0;
  for (const ir::NodeId id : graph.order()) ++histogram[std::string(ir::name_of(graph.node(id).op))];
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(i));
    if (value.is_constant()) weights += value.constant->numel();
  }
  if (o.json) {
    nlohmann::json json = {{"nodes", graph.node_count()}, {"constants", weights}, {"operators", histogram}};
    for (const ir::NodeId id : graph.order()) {
      const ir::Node& node = graph.node(id);
      json["graph"].push_back({{"name", node.name},
                               {"op", ir::name_of(node.op)},
                               {"attributes", ir::to_string(node.attrs)},
                               {"shape", ir::to_string(graph.value(node.outputs.front()).shape)}});
    }
    print(json.dump(2) + "\n");
    return 0;
  }
  print(ir::to_text(graph));
  print(fmt::format("\n{} nodes{}, {} constants\n", graph.node_count(), o.raw ? "" : " after fusion", weights));
  for (const auto& [op, count] : histogram) print(fmt::format("  {:5}  {}\n", count, op));
  return 0;
}

nlohmann::json engine_json(const runtime::InferenceEngine& engine, const std::vector<runtime::LayerInfo>& layers) {
  nlohmann::json json = {{"producer", engine.producer()},
                         {"target", engine.file().target},
                         {"max_batch", engine.max_batch_size()},
                         {"preprocessing", to_string(engine.preprocessing())},
                         {"labels", engine.labels()}};
  const auto tensors = [](const std::vector<runtime::TensorInfo>& infos) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& info : infos) {
      list.push_back({{"name", info.name}, {"type", name_of(info.dtype)}, {"shape", info.shape}});
    }
    return list;
  };
  json["inputs"] = tensors(engine.inputs());
  json["outputs"] = tensors(engine.outputs());
  for (const auto& [key, value] : engine.facts()) json["facts"][key] = value;
  for (const auto& layer : layers) {
    json["layers"].push_back({{"name", layer.name},
                              {"op", layer.op},
                              {"precision", layer.precision},
                              {"kernel", layer.implementation},
                              {"layout", layer.layout},
                              {"reorders", layer.reorders},
                              {"megabytes", layer.megabytes},
                              {"gigaops", layer.gigaops},
                              {"floor_microseconds", layer.floor_microseconds},
                              {"tuned_microseconds", layer.tuned_microseconds},
                              {"output_scales", layer.output_scales},
                              {"reason", layer.reason},
                              {"refusals", layer.refusals}});
  }
  if (engine.file().cuda) json["gpu"] = gpu_json(*engine.file().cuda);
  return json;
}

std::string layer_table(const std::vector<runtime::LayerInfo>& layers) {
  const auto some = [&](double runtime::LayerInfo::*figure) {
    return std::ranges::any_of(layers, [&](const auto& layer) { return layer.*figure > 0; });
  };
  const bool floors = some(&runtime::LayerInfo::floor_microseconds);
  const bool times = some(&runtime::LayerInfo::tuned_microseconds);
  std::vector<std::vector<std::string>> rows = {{"layer", "op", "precision", "scale", "kernel", "layout", "reorders"}};
  if (floors) rows[0].emplace_back("floor us");
  if (times) rows[0].emplace_back("tuned us");
  const auto microseconds = [](double us) { return us > 0 ? fmt::format("{:.2f}", us) : ""; };
  for (const auto& layer : layers) {
    rows.push_back({layer.name, layer.op, layer.precision,
                    layer.output_scales.empty() ? "" : fmt::format("{:.5g}", layer.output_scales.front()),
                    layer.implementation, layer.layout, layer.reorders == 0 ? "" : std::to_string(layer.reorders)});
    if (floors) rows.back().push_back(microseconds(layer.floor_microseconds));
    if (times) rows.back().push_back(microseconds(layer.tuned_microseconds));
  }
  return table(rows);
}

int inspect_engine(const Options& o) {
  const runtime::InferenceEngine engine(o.file, o.device.runtime());
  if (o.graph || o.dot) {
    print(o.dot ? ir::to_dot(engine.file().graph) : ir::to_text(engine.file().graph));
    return 0;
  }
  const std::vector<runtime::LayerInfo> layers = engine.layers(o.batch);
  if (o.json) {
    print(engine_json(engine, layers).dump(2) + "\n");
    return 0;
  }
  std::string text = fmt::format("{}: {}, {}, max batch {}\n", o.file, engine.producer(), engine.file().target,
                                 engine.max_batch_size());
  text += fmt::format("runs on  {}\n", engine.device_name());
  for (const auto& info : engine.inputs()) {
    text += fmt::format("input   {}: {} {}\n", info.name, name_of(info.dtype), to_string(info.shape));
  }
  for (const auto& info : engine.outputs()) {
    text += fmt::format("output  {}: {} {}\n", info.name, name_of(info.dtype), to_string(info.shape));
  }
  text += fmt::format("preprocessing  {}\n",
                      engine.preprocessing().empty() ? "none stored" : to_string(engine.preprocessing()));
  for (const auto& [key, value] : engine.facts()) text += fmt::format("{}  {}\n", key, value);
  const auto& cuda = engine.file().cuda;
  if (cuda) text += host_nodes_text(*cuda);
  std::size_t int8 = 0;
  int reorders = 0;
  for (const auto& layer : layers) {
    int8 += layer.precision == "int8" ? 1 : 0;
    reorders += layer.reorders;
  }
  text += "\n" + layer_table(layers);
  text += fmt::format("\n{} of {} layers compute in INT8; {} conversions of layout or type\n", int8, layers.size(),
                      reorders);
  if (o.kernels && cuda) text += kernels_text(*cuda, o.batch);
  if (o.kernels && !cuda) text += "\nit was not built for GPUs: there are no GPU kernels\n";
  if (o.why) {
    text += "\nwhy not:\n";
    for (const auto& layer : layers) {
      if (!layer.reason.empty()) text += fmt::format("  {}: {} ({})\n", layer.name, layer.precision, layer.reason);
      for (const std::string& refusal : layer.refusals) text += fmt::format("  {}: not {}\n", layer.name, refusal);
    }
  }
  print(text);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Show an ONNX model or an engine");
  command->footer(
      "Examples:\n"
      "  xinfer inspect model.engine --why          precision, scale and kernel of each layer, and what was refused\n"
      "  xinfer inspect gpu.engine --kernels --batch 32   GPU kernels and the build's timings; needs no GPU\n"
      "  xinfer inspect model.onnx                  the graph after fusion\n"
      "  xinfer inspect model.onnx --dot | dot -Tsvg > model.svg");
  command->add_option("file", options->file, "ONNX model or engine file")->required()->check(CLI::ExistingFile);
  command->add_flag("--why", options->why, "Say why layers are not in INT8 and why better kernels were refused");
  command->add_flag("--kernels", options->kernels,
                    "Engine for GPUs: the kernel that the build chose for each layer, and its measured time");
  command->add_flag("--raw", options->raw, "ONNX: the graph as read, before any rewrite");
  command->add_flag("--graph", options->graph, "Engine: its graph as text");
  command->add_flag("--dot", options->dot, "The graph in Graphviz format");
  command->add_option("--batch", options->batch, "Engine: batch size to choose kernels for")->capture_default_str();
  options->device.add_to(*command);
  command->add_option("--shape", options->shapes, "ONNX: fixes an input's shape: ids=Nx128");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] {
    action = [options] {
      return looks_like_engine(options->file) ? inspect_engine(*options) : inspect_model(*options);
    };
  });
}

}  // namespace xinfer::cli
