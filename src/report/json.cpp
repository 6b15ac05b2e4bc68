#include <cmath>
#include <nlohmann/json.hpp>

#include "report/escape.h"
#include "xinfer/builders/build_report.h"

namespace xinfer::builders {
namespace {

using nlohmann::json;

/// null stands for what was not measured, and for what JSON has no number for.
json number(std::optional<double> value) { return value && std::isfinite(*value) ? json(*value) : json(); }

json numbers(const std::vector<double>& values) {
  json list = json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

/// An array, also when it is empty.
template <class T, class ToJson>
json array_of(const std::vector<T>& items, const ToJson& to_json) {
  json list = json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

json of(const ImageRemark& remark) { return {{"image", remark.image}, {"remark", remark.remark}}; }

json of(const LayerQuality& layer) {
  return {{"node", layer.node},
          {"op", layer.op},
          {"precision", layer.precision},
          {"sqnr_db", number(layer.sqnr_db)},
          {"sensitivity_db", number(layer.sensitivity_db)},
          {"int8_ms", number(layer.int8_ms)},
          {"float_ms", number(layer.float_ms)},
          {"scale", number(layer.scale)}};
}

json of(const OutputQuality& output) {
  return {{"output", output.output},
          {"sqnr_db", number(output.sqnr_db)},
          {"cosine_mean", number(output.cosine_mean)},
          {"cosine_min", number(output.cosine_min)},
          {"kl_divergence", number(output.kl_divergence)}};
}

json of(const TensorQuality& tensor) {
  return {{"tensor", tensor.tensor},
          {"type", tensor.type},
          {"method", tensor.method},
          {"scale", number(tensor.scale)},
          {"threshold", number(tensor.threshold)},
          {"min", number(tensor.min)},
          {"max", number(tensor.max)},
          {"zero_share", number(tensor.zero_share)},
          {"clipped_share", number(tensor.clipped_share)},
          {"sqnr_db", number(tensor.sqnr_db)},
          {"histogram", numbers(tensor.histogram)}};
}

json of(const DataQuality& data) {
  const auto remark = [](const ImageRemark& r) { return of(r); };
  return {
      {"images", data.images},
      {"converged_after", data.converged_after ? json(*data.converged_after) : json()},
      {"curve", array_of(data.curve,
                         [](const CurvePoint& p) {
                           return json{{"images", p.images},
                                       {"worst_change", number(p.worst_change)},
                                       {"median_change", number(p.median_change)}};
                         })},
      {"stretching", array_of(data.stretching, remark)},
      {"duplicates", array_of(data.duplicates, remark)},
      {"constant", array_of(data.constant, remark)},
      {"preprocessing", array_of(data.preprocessing, [](const PreprocessingTrial& t) {
         return json{{"name", t.name}, {"confidence", number(t.confidence)}, {"information", number(t.information)}};
       })}};
}

json of(const Environment& e) {
  return {{"xinfer", e.xinfer},
          {"cpu", e.cpu},
          {"gpu", e.gpu},
          {"os", e.os},
          {"threads", e.threads},
          {"date", e.date},
          {"calibration_hash", e.calibration_hash}};
}

void add_quality(json& to, const Quality& quality) {
  to["findings"] = array_of(quality.findings, [](const Finding& f) {
    return json{{"where", f.where}, {"cause", f.cause}, {"remedy", f.remedy}, {"cost", f.cost}};
  });
  to["outputs"] = array_of(quality.outputs, [](const OutputQuality& o) { return of(o); });
  to["layers"] = array_of(quality.layers, [](const LayerQuality& l) { return of(l); });
  to["tensors"] = array_of(quality.tensors, [](const TensorQuality& t) { return of(t); });
  to["data"] = of(quality.data);
  to["metric"] = {{"name", quality.metric},
                  {"fp32", number(quality.float_score)},
                  {"int8", number(quality.int8_score)},
                  {"budget", number(quality.budget)}};
  to["pareto"] = array_of(quality.pareto, [](const ParetoPoint& p) {
    return json{{"drop", number(p.drop)}, {"ms", number(p.ms)}, {"float_nodes", p.float_nodes}, {"chosen", p.chosen}};
  });
  to["worst"] = array_of(quality.worst, [](const WorstSample& s) {
    return json{{"image", s.image},
                {"float_answer", s.float_answer},
                {"int8_answer", s.int8_answer},
                {"sqnr_db", number(s.sqnr_db)},
                {"thumbnail_png", report::base64(s.thumbnail)}};
  });
  to["environment"] = of(quality.environment);
}

}  // namespace

std::string BuildReport::to_json() const {
  json json = {{"model", model},
               {"model_hash", model_hash},
               {"engine", engine},
               {"engine_bytes", engine_bytes},
               {"precision", precision},
               {"max_batch", max_batch},
               {"int8_nodes", int8_nodes},
               {"total_nodes", nodes.size()},
               {"remarks", remarks},
               {"seconds",
                {{"read", read_seconds},
                 {"survey", survey_seconds},
                 {"calibrate", calibrate_seconds},
                 {"quantize", quantize_seconds},
                 {"measure", measure_seconds},
                 {"gpu", gpu_seconds},
                 {"check", check_seconds}}}};
  json["target"] = target;
  if (gpu_kernels > 0) json["gpu"] = {{"kernels", gpu_kernels}, {"batches", gpu_batches}, {"tuned", gpu_tuned}};
  if (precision == "int8") {
    json["calibration"] = {{"samples", calibration_samples},
                           {"from_cache", calibration_from_cache},
                           {"layers_from_cache", layers_from_cache},
                           {"range_method", range_method}};
  }
  if (accuracy) {
    json["accuracy"] = {{"samples", accuracy->samples}, {"sqnr_db", number(accuracy->sqnr_db)}};
    if (accuracy->top1_agreement) json["accuracy"]["top1_agreement"] = *accuracy->top1_agreement;
  }
  for (const SpeedCheck& s : speed) {
    json["speed"].push_back({{"batch", s.batch}, {"fp32_ms", number(s.fp32_ms)}, {"int8_ms", number(s.int8_ms)}});
  }
  for (const NodeReport& node : nodes) {
    json["nodes"].push_back(
        {{"node", node.node}, {"op", node.op}, {"precision", node.precision}, {"reason", node.reason}});
  }
  add_quality(json, quality);
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace xinfer::builders
