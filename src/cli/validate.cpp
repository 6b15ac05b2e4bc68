#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "xinfer/builders/engine_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string engine, reference;
  std::optional<double> max_drop;
  DeviceOptions device;
  bool json = false;
  std::vector<std::string> shapes;
  DataOptions data;
  PreprocessingOptions preprocessing;
};

/// Class scores of one sample.
using Scores = std::span<const float>;

bool in_top(Scores scores, std::int64_t label, std::int64_t k) {
  if (label < 0 || label >= static_cast<std::int64_t>(scores.size())) return false;
  const float own = scores[static_cast<std::size_t>(label)];
  // Equal scores count in favour of the lower index, as in a stable sort.
  std::int64_t better = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > own || (scores[i] == own && static_cast<std::int64_t>(i) < label)) ++better;
  }
  return better < k && !std::isnan(own);
}

std::int64_t best_of(Scores scores) { return std::max_element(scores.begin(), scores.end()) - scores.begin(); }

struct Tally {
  std::int64_t samples = 0, top1 = 0, top5 = 0;
  void add(Scores scores, std::int64_t label) {
    ++samples;
    top1 += in_top(scores, label, 1) ? 1 : 0;
    top5 += in_top(scores, label, 5) ? 1 : 0;
  }
  double percent(std::int64_t hits) const {
    return samples == 0 ? 0 : 100.0 * static_cast<double>(hits) / static_cast<double>(samples);
  }
};

/// True when the best class leads the second by 0.1 or more in probability: an answer that small errors shouldn't flip.
bool clear_answer(Scores scores) {
  constexpr double kMargin = 0.1;
  const float best = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  std::array<double, 2> top = {0, 0};
  for (const float score : scores) {
    const double p = std::exp(static_cast<double>(score) - best);
    sum += p;
    if (p > top[0])
      top = {p, top[0]};
    else if (p > top[1])
      top[1] = p;
  }
  return top[0] - top[1] >= kMargin * sum;
}

double cosine(Scores a, Scores b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return ab / std::sqrt(aa * bb);
}

struct Comparison {
  double signal = 0, noise = 0;
  std::int64_t samples = 0, agree = 0;
  std::int64_t clear = 0, agree_clear = 0;       // of the samples whose reference answer is clear
  double cosine_sum = 0, cosine_min = INFINITY;  // of each sample's first output
  void add(const Tensor& reference, const Tensor& engine) {
    const auto a = reference.data<float>();
    const auto b = engine.data<float>();
    if (a.size() != b.size()) throw EngineError("engine and reference give outputs of different sizes");
    for (std::size_t i = 0; i < a.size(); ++i) {
      signal += static_cast<double>(a[i]) * a[i];
      noise += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    }
  }
  void add_answer(Scores reference, Scores engine) {
    ++samples;
    const bool same = best_of(reference) == best_of(engine);
    agree += same ? 1 : 0;
    if (clear_answer(reference)) {
      ++clear;
      agree_clear += same ? 1 : 0;
    }
    const double c = cosine(reference, engine);
    cosine_sum += c;
    cosine_min = std::min(cosine_min, c);
  }
  double sqnr() const { return noise == 0 ? INFINITY : 10 * std::log10(signal / noise); }
  double agreement() const {
    return 100.0 * static_cast<double>(agree) / static_cast<double>(std::max<std::int64_t>(1, samples));
  }
  double agreement_clear() const {
    return 100.0 * static_cast<double>(agree_clear) / static_cast<double>(std::max<std::int64_t>(1, clear));
  }
  double cosine_mean() const { return cosine_sum / static_cast<double>(std::max<std::int64_t>(1, samples)); }
};

struct Result {
  Tally engine, reference;
  Comparison comparison;
  std::int64_t bad_labels = 0;
  bool labelled = false, compared = false, classifier = false;

  /// In points of top-1 with labels, else the share of samples whose answer changed.
  std::optional<double> drop() const {
    if (!compared || !classifier) return std::nullopt;
    if (labelled) return reference.percent(reference.top1) - engine.percent(engine.top1);
    return 100 - comparison.agreement();
  }
};

Scores row(const Tensor& tensor, std::int64_t index) {
  const auto classes = static_cast<std::size_t>(tensor.dim(1));
  return tensor.data<float>().subspan(static_cast<std::size_t>(index) * classes, classes);
}

Result measure(const SampleSource& source, const runtime::InferenceEngine& engine,
               const runtime::InferenceEngine* reference) {
  Result result;
  result.labelled = source.labelled;
  result.compared = reference != nullptr;
  ProgressBar bar;
  std::int64_t done = 0;
  source.for_each([&](const SampleBatch& batch) {
    throw_if_interrupted();
    const std::vector<Tensor> got = engine.infer(batch.inputs);
    const std::vector<Tensor> wanted = reference != nullptr ? reference->infer(batch.inputs) : std::vector<Tensor>{};
    const Tensor& scores = got.front();
    result.classifier = scores.dtype() == DataType::kFloat32 && scores.rank() == 2 && scores.dim(1) > 1;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (got[i].dtype() == DataType::kFloat32) result.comparison.add(wanted[i], got[i]);
    }
    const std::int64_t count = batch.inputs.front().dim(0);
    for (std::int64_t i = 0; i < count && result.classifier; ++i) {
      if (!wanted.empty()) result.comparison.add_answer(row(wanted.front(), i), row(scores, i));
      if (batch.labels.empty()) continue;
      const std::int64_t label = batch.labels[static_cast<std::size_t>(i)];
      if (label >= scores.dim(1)) ++result.bad_labels;
      result.engine.add(row(scores, i), label);
      if (!wanted.empty()) result.reference.add(row(wanted.front(), i), label);
    }
    done += count;
    bar.update("validate", done, source.count);
  });
  bar.finish();
  if (done == 0) throw DataError("there were no samples to validate on");
  if (result.bad_labels > 0) {
    throw DataError(fmt::format("{} samples have a class index beyond the engine's outputs", result.bad_labels),
                    "the folder names, sorted, must be the model's classes in order");
  }
  return result;
}

nlohmann::json to_json(const Result& r, std::int64_t samples) {
  nlohmann::json json = {{"samples", samples}};
  if (r.labelled && r.classifier) {
    json["engine"] = {{"top1", r.engine.percent(r.engine.top1)}, {"top5", r.engine.percent(r.engine.top5)}};
    if (r.compared) {
      json["reference"] = {{"top1", r.reference.percent(r.reference.top1)},
                           {"top5", r.reference.percent(r.reference.top5)}};
    }
  }
  if (r.compared) {
    if (r.classifier) {
      json["agreement"] = r.comparison.agreement();
      json["clear"] = r.comparison.clear;
      if (r.comparison.clear > 0) json["agreement_clear"] = r.comparison.agreement_clear();
      json["cosine_mean"] = r.comparison.cosine_mean();
      json["cosine_min"] = r.comparison.cosine_min;
    }
    json["sqnr_db"] = r.comparison.sqnr();
  }
  if (r.drop()) json["drop"] = *r.drop();
  return json;
}

std::string to_text(const Result& r, std::int64_t samples) {
  std::string text = fmt::format("{} samples\n", samples);
  if (r.labelled && r.classifier) {
    std::vector<std::vector<std::string>> rows = {{"", "top-1 %", "top-5 %"}};
    const auto add = [&](const char* name, const Tally& t) {
      rows.push_back({name, fmt::format("{:.2f}", t.percent(t.top1)), fmt::format("{:.2f}", t.percent(t.top5))});
    };
    if (r.compared) add("reference (FP32)", r.reference);
    add("engine", r.engine);
    text += table(rows);
  }
  if (r.compared) {
    if (r.classifier) {
      text += fmt::format("same answer as the reference: {:.2f} %\n", r.comparison.agreement());
      if (r.comparison.clear > 0) {
        text += fmt::format("  on the {} samples where the reference leads by 0.1 in probability: {:.2f} %\n",
                            r.comparison.clear, r.comparison.agreement_clear());
      }
      text += fmt::format("cosine with the reference's output: mean {:.4f}, least {:.4f}\n", r.comparison.cosine_mean(),
                          r.comparison.cosine_min);
    }
    text += fmt::format("signal to quantization noise: {:.1f} dB\n", r.comparison.sqnr());
  }
  if (r.drop()) {
    text += fmt::format("drop: {:.2f} {}\n", *r.drop(), r.labelled ? "points of top-1" : "% of the answers changed");
  }
  return text;
}

int validate(const Options& o) {
  const runtime::RuntimeOptions runtime_options = o.device.runtime();
  const runtime::InferenceEngine engine(o.engine, runtime_options);
  std::optional<runtime::InferenceEngine> reference;
  if (!o.reference.empty()) {
    builders::EngineBuilder builder;
    builder.from_onnx(o.reference).with_max_batch_size(engine.max_batch_size()).with_threads(o.device.threads());
    for (const std::string& text : o.shapes) {
      auto [name, shape] = parse_shape(text);
      builder.with_input_shape(name, std::move(shape));
    }
    reference.emplace(builder.build());
  }
  const SampleSource source = open_samples(o.data, o.preprocessing, engine);
  if (!reference && !source.labelled) {
    throw CLI::ValidationError("--reference", "without labels (one folder a class) there is nothing to compare with");
  }
  const Result result = measure(source, engine, reference ? &*reference : nullptr);
  if (!result.classifier && !result.compared) {
    throw EngineError("the engine's first output is no list of class scores",
                      "give --reference model.onnx to compare outputs");
  }
  const std::optional<double> drop = result.drop();
  if (o.max_drop && !drop) {
    throw EngineError("--max-drop needs class scores and a --reference", "read the SQNR instead for other networks");
  }
  print(o.json ? to_json(result, source.count).dump(2) + "\n" : to_text(result, source.count));
  if (o.max_drop && *drop > *o.max_drop) {
    fmt::print(stderr, "xinfer: the drop of {:.2f} is larger than the {:.2f} allowed\n", *drop, *o.max_drop);
    return 1;
  }
  return 0;
}

}  // namespace

void add_validate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("validate", "Compare an engine with labels and with its float model");
  command->footer(
      "Exit code: 0 within --max-drop, 1 past it.\n"
      "With one sub-folder a class, labels come from the folders' names in sorted order.\n"
      "Example:\n"
      "  xinfer validate model.engine --reference model.onnx --data test/ --max-drop 0.5");
  command->add_option("engine", options->engine, "Engine file")->required();
  command->add_option("--reference", options->reference, "ONNX model to compare with, in FP32");
  options->data.add_to(*command, "--data", "Folder of test images, flat or one folder a class");
  options->preprocessing.add_to(*command);
  command->add_option("--max-drop", options->max_drop,
                      "Largest drop allowed: points of top-1 with labels, else % of answers that differ");
  command->add_option("--shape", options->shapes, "Fixes an input's shape of the reference: ids=Nx128");
  options->device.add_to(*command);
  command->add_flag("--json", options->json, "Print figures as JSON");
  command->callback([options, &action] { action = [options] { return validate(*options); }; });
}

}  // namespace xinfer::cli
