#include "builders/fit_cache.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
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

/// Hands out the bytes behind the header, in order.
class Blob {
 public:
  explicit Blob(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  void take(std::span<T> to) {
    if (bytes_.size() < to.size_bytes()) throw CalibrationError("it ends too early");
    if (!to.empty()) std::memcpy(to.data(), bytes_.data(), to.size_bytes());
    bytes_.remove_prefix(to.size_bytes());
  }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

template <class T>
void append(std::string& blob, std::span<const T> values) {
  blob.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());  // NOLINT: bytes of plain numbers
}

quantize::LayerParameters read_layer(const json& shape_of_weights, Blob& blob, const ir::Graph& graph,
                                     const ir::Node& node) {
  const auto shape = quantize::layer_shape(graph, node);
  if (!shape) throw CalibrationError("the node has no weights to fit");
  const Tensor& given = *graph.value(node.inputs[1]).constant;
  if (shape_of_weights.get<std::vector<std::int64_t>>() != given.shape()) {
    throw CalibrationError("the weights have another shape");
  }
  quantize::LayerParameters layer;
  layer.weights.values = Tensor(DataType::kInt8, given.shape());
  blob.take(layer.weights.values.data<std::int8_t>());
  layer.weights.quantization.axis = 0;
  layer.weights.quantization.scales.resize(static_cast<std::size_t>(shape->channels()));
  blob.take(std::span<float>(layer.weights.quantization.scales));
  layer.bias = Tensor(DataType::kFloat32, {shape->channels()});
  blob.take(layer.bias.data<float>());
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

/// Takes what stands before the next `end` off `text`.
std::string_view cut(std::string_view& text, char end) {
  const std::size_t size = text.find(end);
  if (size == std::string_view::npos) throw CalibrationError("it is no file of fitted layers");
  const std::string_view piece = text.substr(0, size);
  text.remove_prefix(size + 1);
  return piece;
}

FitCache parse(std::string_view text, const ir::Graph& graph) {
  if (cut(text, ' ') != kFormat) throw CalibrationError("it is no file of fitted layers");
  const std::string_view version = cut(text, ' ');
  if (version != std::to_string(kVersion)) {
    throw CalibrationError(
        fmt::format("its version is {}, but this program reads {}", version.substr(0, 20), kVersion));
  }
  const std::string_view hash = cut(text, '\n');
  if (hash != hash_bytes(text.data(), text.size())) throw CalibrationError("it is damaged");
  const json content = json::parse(cut(text, '\n'));
  Blob blob(text);
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
      cache.layers.emplace(name, read_layer(layer, blob, graph, graph.node(found->second)));
    } catch (const CalibrationError& error) {
      throw CalibrationError(fmt::format("layer '{}': {}", name, error.what()));
    }
  }
  if (!blob.empty()) throw CalibrationError("there is more behind its end");
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
  std::string blob;
  for (const auto& [name, layer] : cache.layers) {  // in the order of their names, as the header has them
    nodes[name] = layer.weights.values.shape();
    append(blob, layer.weights.values.data<std::int8_t>());
    append(blob, std::span<const float>(layer.weights.quantization.scales));
    append(blob, layer.bias.data<float>());
  }
  const json content = {{"ranges", {{"key", cache.ranges_key}, {"tensors", std::move(tensors)}}},
                        {"layers", {{"key", cache.layers_key}, {"nodes", std::move(nodes)}}}};
  const std::string body = content.dump() + "\n" + blob;
  const std::string first = fmt::format("{} {} {}\n", kFormat, kVersion, hash_bytes(body.data(), body.size()));
  const std::string_view parts[] = {first, body};
  write_file_atomically(path, parts);
}

}  // namespace xinfer::builders
