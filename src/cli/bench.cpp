#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/options.h"
#include "xinfer/core/errors.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string engine;
  std::int64_t batch = 1;
  double seconds = 3;
  int streams = 1, drift = 0;
  DeviceOptions device;
  bool profile = false, json = false;
};

std::vector<Tensor> make_inputs(const runtime::InferenceEngine& engine, std::int64_t batch) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<Tensor> inputs;
  for (const runtime::TensorInfo& info : engine.inputs()) {
    std::vector<std::int64_t> shape = info.shape;
    for (std::int64_t& dim : shape) dim = dim < 0 ? batch : dim;
    Tensor tensor(info.dtype, shape);
    if (info.dtype == DataType::kFloat32) {
      for (float& x : tensor.data<float>()) x = normal(random);
    } else if (info.dtype == DataType::kInt64) {
      std::fill(tensor.data<std::int64_t>().begin(), tensor.data<std::int64_t>().end(), 1);
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

struct Timing {
  std::vector<double> latencies_ms;
  double wall_seconds = 0;
};

/// Keeps `streams` batches in flight and times each from its submission to its result.
Timing measure(const runtime::InferenceEngine& engine, const Options& o, const std::vector<Tensor>& inputs) {
  Timing timing;
  std::vector<Tensor> outputs = engine.infer(inputs);  // first run: prepares kernels, gives the outputs' shapes
  for (int i = 0; i < 3; ++i) engine.infer_into(inputs, outputs);
  const auto begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const auto milliseconds = [](Clock::time_point from) {
    return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
  };
  if (o.streams == 1) {
    do {
      throw_if_interrupted();
      const auto start = Clock::now();
      engine.infer_into(inputs, outputs);
      timing.latencies_ms.push_back(milliseconds(start));
    } while (elapsed() < o.seconds);
  } else {
    std::vector<std::pair<Clock::time_point, std::future<std::vector<Tensor>>>> flying;
    for (std::size_t i = 0; elapsed() < o.seconds || !flying.empty(); ++i) {
      while (elapsed() < o.seconds && flying.size() < static_cast<std::size_t>(o.streams)) {
        flying.emplace_back(Clock::now(), engine.infer_async(inputs));
      }
      if (flying.empty()) break;
      throw_if_interrupted();
      flying.front().second.get();
      timing.latencies_ms.push_back(milliseconds(flying.front().first));
      flying.erase(flying.begin());
    }
  }
  timing.wall_seconds = elapsed();
  std::sort(timing.latencies_ms.begin(), timing.latencies_ms.end());
  return timing;
}

double percentile(const std::vector<double>& sorted, double share) {
  const auto index = static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)));
  return sorted[std::min(index, sorted.size() - 1)];
}

std::string profile_table(const std::vector<runtime::LayerInfo>& layers, double total_us) {
  const bool floors = std::ranges::any_of(layers, [](const auto& layer) { return layer.floor_microseconds > 0; });
  std::vector<std::vector<std::string>> rows = {{"layer", "op", "precision", "kernel", "us", "%", "GB/s", "TOP/s"}};
  if (floors) rows[0].insert(rows[0].end(), {"floor us", "floor %"});
  const auto rate = [](double amount, double microseconds) {
    return amount > 0 && microseconds > 0 ? fmt::format("{:.1f}", amount / microseconds) : "";
  };
  double floor_sum = 0;
  for (const auto& layer : layers) {
    rows.push_back({layer.name, layer.op, layer.precision, layer.implementation,
                    fmt::format("{:.1f}", layer.microseconds),
                    fmt::format("{:.1f}", 100 * layer.microseconds / total_us),
                    rate(layer.megabytes * 1e3, layer.microseconds), rate(layer.gigaops * 1e3, layer.microseconds)});
    if (!floors) continue;
    rows.back().push_back(layer.floor_microseconds > 0 ? fmt::format("{:.2f}", layer.floor_microseconds) : "");
    rows.back().push_back(rate(100 * layer.floor_microseconds, layer.microseconds));
    floor_sum += layer.floor_microseconds;
  }
  std::string text = table(rows);
  if (floors) {
    text += fmt::format("\nfloors of the layers together {:.1f} us, {:.1f} % of their times\n", floor_sum,
                        100 * floor_sum / total_us);
  }
  return text;
}

int bench(const Options& o) {
  runtime::RuntimeOptions runtime_options = o.device.runtime();
  runtime_options.async_workers = o.streams;
  runtime_options.drift_sample_period = o.drift;
  const runtime::InferenceEngine engine(o.engine, runtime_options);
  const std::vector<Tensor> inputs = make_inputs(engine, o.batch);
  const Timing timing = measure(engine, o, inputs);
  const auto& ms = timing.latencies_ms;
  const double per_second = static_cast<double>(o.batch) * static_cast<double>(ms.size()) / timing.wall_seconds;
  std::vector<runtime::LayerInfo> layers;
  if (o.profile) layers = engine.profile(inputs, static_cast<int>(std::clamp<std::size_t>(ms.size(), 5, 200)));
  const double device_us = engine.device_time(inputs, static_cast<int>(std::clamp<std::size_t>(ms.size(), 5, 200)));
  double total = 0;
  for (const auto& layer : layers) total += layer.microseconds;
  if (o.json) {
    nlohmann::json json = {{"batch", o.batch},
                           {"runs", ms.size()},
                           {"samples_per_second", per_second},
                           {"latency_ms",
                            {{"min", ms.front()},
                             {"p50", percentile(ms, 0.5)},
                             {"p90", percentile(ms, 0.9)},
                             {"p99", percentile(ms, 0.99)},
                             {"max", ms.back()}}}};
    json["device"] = engine.device_name();
    if (device_us > 0) json["device_ms"] = device_us / 1e3;
    for (const auto& layer : layers) {
      json["layers"].push_back({{"name", layer.name},
                                {"op", layer.op},
                                {"precision", layer.precision},
                                {"implementation", layer.implementation},
                                {"microseconds", layer.microseconds},
                                {"megabytes", layer.megabytes},
                                {"gigaops", layer.gigaops},
                                {"floor_microseconds", layer.floor_microseconds},
                                {"tuned_microseconds", layer.tuned_microseconds}});
    }
    print(json.dump(2) + "\n");
    return 0;
  }
  print(fmt::format("{}, batch {}, {} runs in {:.1f} s\n", engine.device_name(), o.batch, ms.size(),
                    timing.wall_seconds));
  print(table({{"latency ms", "min", "p50", "p90", "p99", "max"},
               {"", fmt::format("{:.3f}", ms.front()), fmt::format("{:.3f}", percentile(ms, 0.5)),
                fmt::format("{:.3f}", percentile(ms, 0.9)), fmt::format("{:.3f}", percentile(ms, 0.99)),
                fmt::format("{:.3f}", ms.back())}}));
  print(fmt::format("throughput {:.1f} samples/s\n", per_second));
  if (device_us > 0) {
    print(fmt::format("on the device alone, without copies: {:.3f} ms, {:.1f} samples/s\n", device_us / 1e3,
                      static_cast<double>(o.batch) * 1e6 / device_us));
  }
  if (!layers.empty()) print("\n" + profile_table(layers, total));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "Time an engine on random inputs");
  command->footer("Examples:\n  xinfer bench model.engine --batch 8\n  xinfer bench model.engine --profile");
  command->add_option("engine", options->engine, "Engine file")->required();
  command->add_option("--batch", options->batch, "Batch size")->check(CLI::Range(1, 65536))->capture_default_str();
  command->add_option("--seconds", options->seconds, "How long to measure")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  options->device.add_to(*command);
  command->add_option("--streams", options->streams, "Batches in flight at the same time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--drift", options->drift,
                   "Watch one inference in so many for drift, to see what that costs (0: none)")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  command->add_flag("--profile", options->profile, "Print the time of each layer");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return bench(*options); }; });
}

}  // namespace xinfer::cli
