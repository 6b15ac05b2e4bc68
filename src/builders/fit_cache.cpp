#include "builders/fit_cache.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "builders/model_hash.h"
#include "core/file.h"
#include "core/hash.h"
#include "quantize/layer_rows.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kFormat = "xinfer-fit";
constexpr int kVersion = 1;  // also when choose_ranges() or reconstruct() choose otherwise: keys don't tell

void add_plan(Hasher& hasher, const quantize::PlanOptions& plan) {
  hasher.update_string(fmt::format("{} {} {} {}", quantize::name_of(plan.method), plan.symmetric_s8_only,
                                   plan.quantize_matmul, plan.float_residuals));
  for (const std::string& pattern : plan.keep_float) hasher.update_string(pattern);
  for (const quantize::PrecisionOverride& o : plan.overrides) {  // why they are there changes nothing
    hasher.update_string(fmt::format("{} {} {}", static_cast<int>(o.match), ir::name_of(o.op), name_of(o.precision)));
    hasher.update_string(o.pattern);
  }
}

template <class T>
json bytes_of(std::span<const T> values) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(values.data());  // NOLINT: bytes of plain numbers
  return json::binary({begin, begin + values.size_bytes()});
}

template <class T>
void copy_bytes(const json& from, std::span<T> to, const char* what) {
  const json::binary_t& bytes = from.get_binary();
  if (bytes.size() != to.size_bytes()) throw CalibrationError(fmt::format("the {} have another size", what));
  if (!bytes.empty()) std::memcpy(to.data(), bytes.data(), bytes.size());
}

json to_json(const quantize::LayerParameters& layer) {
  const Tensor& weights = layer.weights.values;
  return {{"shape", weights.shape()},
          {"weights", bytes_of(weights.data<std::int8_t>())},
          {"scales", bytes_of(std::span<const float>(layer.weights.quantization.scales))},
          {"bias", bytes_of(layer.bias.data<float>())}};
}

quantize::LayerParameters read_layer(const json& from, const ir::Graph& graph, const ir::Node& node) {
  const auto shape = quantize::layer_shape(graph, node);
  if (!shape) throw CalibrationError("the node has no weights to fit");
  const Tensor& given = *graph.value(node.inputs[1]).constant;
  if (from.at("shape").get<std::vector<std::int64_t>>() != given.shape()) {
    throw CalibrationError("the weights have another shape");
  }
  quantize::LayerParameters layer;
  layer.weights.values = Tensor(DataType::kInt8, given.shape());
  copy_bytes(from.at("weights"), layer.weights.values.data<std::int8_t>(), "weights");
  layer.weights.quantization.axis = 0;
  layer.weights.quantization.scales.resize(static_cast<std::size_t>(shape->channels()));
  copy_bytes(from.at("scales"), std::span<float>(layer.weights.quantization.scales), "scales");
  layer.bias = Tensor(DataType::kFloat32, {shape->channels()});
  copy_bytes(from.at("bias"), layer.bias.data<float>(), "biases");
  for (const float scale : layer.weights.quantization.scales) {
    if (!(std::isfinite(scale) && scale > 0)) throw CalibrationError("a scale is not a positive number");
  }
  for (const float bias : layer.bias.data<float>()) {
    if (!std::isfinite(bias)) throw CalibrationError("a bias is not finite");
  }
  return layer;
}

void read_ranges(const json& from, const ir::Graph& graph, quantize::ChosenRanges& to) {
  for (const auto& [name, tensor] : from.items()) {
    if (graph.find_value(name) == ir::kNone) throw CalibrationError(fmt::format("the model has no tensor '{}'", name));
    quantize::Range range;
    tensor.at(0).get_to(range.threshold);
    tensor.at(1).get_to(range.unsigned_threshold);
    tensor.at(2).get_to(range.non_negative);
    for (const float threshold : {range.threshold, range.unsigned_threshold}) {
      if (!(std::isfinite(threshold) && threshold >= 0)) {
        throw CalibrationError(fmt::format("the range of '{}' is no range", name));
      }
    }
    to.ranges.emplace(name, range);
    to.methods.emplace(name, tensor.at(3).get<std::string>());
  }
}

FitCache parse(const std::string& text, const ir::Graph& graph) {
  const json outer = json::from_cbor(text);
  if (outer.at("format") != kFormat) throw CalibrationError("it is no file of fitted layers");
  if (outer.at("version") != kVersion) {
    throw CalibrationError(
        fmt::format("its version is {}, but this program reads {}", outer.at("version").get<std::int64_t>(), kVersion));
  }
  const json::binary_t& bytes = outer.at("content").get_binary();
  if (outer.at("hash") != hash_bytes(bytes.data(), bytes.size())) throw CalibrationError("it is damaged");
  const json content = json::from_cbor(bytes);
  FitCache cache;
  content.at("ranges").at("key").get_to(cache.ranges_key);
  read_ranges(content.at("ranges").at("tensors"), graph, cache.ranges);
  content.at("layers").at("key").get_to(cache.layers_key);
  std::unordered_map<std::string, ir::NodeId> nodes;
  for (const ir::NodeId id : graph.order()) nodes.emplace(graph.node(id).name, id);
  for (const auto& [name, layer] : content.at("layers").at("nodes").items()) {
    const auto found = nodes.find(name);
    if (found == nodes.end()) throw CalibrationError(fmt::format("the model has no node '{}'", name));
    try {
      cache.layers.emplace(name, read_layer(layer, graph, graph.node(found->second)));
    } catch (const CalibrationError& error) {
      throw CalibrationError(fmt::format("layer '{}': {}", name, error.what()));
    }
  }
  return cache;
}

}  // namespace

std::string ranges_key(const ir::Graph& graph, const quantize::CalibrationTable& table, std::size_t samples,
                       const quantize::PlanOptions& plan) {
  Hasher hasher;
  hasher.update_string(content_hash(graph));
  hasher.update_string(std::to_string(samples));
  hasher.update_string(to_text(table));
  add_plan(hasher, plan);
  return hasher.hex();
}

std::string layers_key(const std::string& ranges_key, const quantize::Ranges& ranges, const quantize::PlanOptions& plan,
                       const std::string& how) {
  Hasher hasher;
  hasher.update_string(ranges_key);
  for (const auto& [name, range] : ranges) {
    hasher.update_string(name);
    hasher.update_string(fmt::format("{} {} {}", range.threshold, range.unsigned_threshold, range.non_negative));
  }
  add_plan(hasher, plan);
  hasher.update_string(how);
  return hasher.hex();
}

FitCache load_fit_cache(const std::string& path, const ir::Graph& graph) {
  const std::string text = read_file(path);
  std::string why;
  try {
    return parse(text, graph);
  } catch (const json::exception& error) {
    why = fmt::format("it is damaged ({})", error.what());
  } catch (const CalibrationError& error) {
    why = error.what();
  }
  throw CalibrationError(fmt::format("fitted layers '{}': {}", path, why), "delete the file and build again");
}

void save_fit_cache(const std::string& path, const FitCache& cache) {
  json tensors = json::object();
  for (const auto& [name, range] : cache.ranges.ranges) {
    tensors[name] = {range.threshold, range.unsigned_threshold, range.non_negative, cache.ranges.methods.at(name)};
  }
  json nodes = json::object();
  for (const auto& [name, layer] : cache.layers) nodes[name] = to_json(layer);
  const json content = {{"ranges", {{"key", cache.ranges_key}, {"tensors", std::move(tensors)}}},
                        {"layers", {{"key", cache.layers_key}, {"nodes", std::move(nodes)}}}};
  std::vector<std::uint8_t> bytes = json::to_cbor(content);
  const std::string hash = hash_bytes(bytes.data(), bytes.size());
  const json outer = {
      {"format", kFormat}, {"version", kVersion}, {"hash", hash}, {"content", json::binary(std::move(bytes))}};
  const std::vector<std::uint8_t> file = json::to_cbor(outer);
  write_file_atomically(path, std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));  // NOLINT
}

}  // namespace xinfer::builders
