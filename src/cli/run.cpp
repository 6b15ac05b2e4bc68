#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/npy.h"
#include "cli/options.h"
#include "xinfer/core/errors.h"
#include "xinfer/runtime/inference_engine.h"

namespace xinfer::cli {
namespace {

struct Options {
  std::string engine, labels, output;
  std::vector<std::string> inputs;
  std::int64_t top = 5;
  DeviceOptions device;
  bool json = false;
};

bool is_npy(const std::string& text) { return text.size() > 4 && text.compare(text.size() - 4, 4, ".npy") == 0; }

struct Work {
  std::vector<Tensor> inputs;      ///< all samples
  std::vector<std::string> names;  ///< one for each sample
};

Work load(const Options& o, const runtime::InferenceEngine& engine) {
  const auto arrays = static_cast<std::size_t>(std::count_if(o.inputs.begin(), o.inputs.end(), is_npy));
  if (arrays != 0 && arrays != o.inputs.size()) {
    throw CLI::ValidationError("inputs", "give images or .npy files, not both");
  }
  if (arrays == 0) return {{engine.load_images(o.inputs)}, o.inputs};
  DataOptions data;
  data.arrays = o.inputs;
  std::map<std::string, Tensor> named = data.load_arrays();
  Work work;
  for (const runtime::TensorInfo& info : engine.inputs()) {
    auto found = named.find(info.name);
    if (found == named.end() && engine.inputs().size() == 1) found = named.find("");
    if (found == named.end()) {
      throw EngineError(fmt::format("input '{}' is missing", info.name), fmt::format("add {}=file.npy", info.name));
    }
    work.inputs.push_back(found->second);
  }
  if (work.inputs.front().dim(0) == 0) throw DataError("the arrays hold no samples");
  for (std::int64_t i = 0; i < work.inputs.front().dim(0); ++i) work.names.push_back(fmt::format("sample {}", i));
  return work;
}

/// Runs all samples in batches that the engine takes and joins the outputs.
std::vector<Tensor> infer_all(const runtime::InferenceEngine& engine, const Work& work) {
  const auto count = static_cast<std::int64_t>(work.names.size());
  std::vector<std::vector<Tensor>> pieces(engine.outputs().size());
  for (std::int64_t begin = 0; begin < count; begin += engine.max_batch_size()) {
    throw_if_interrupted();
    std::vector<Tensor> batch;
    for (const Tensor& input : work.inputs) {
      batch.push_back(input.rows(begin, std::min(count, begin + engine.max_batch_size())));
    }
    const std::vector<Tensor> outputs = engine.infer(batch);
    for (std::size_t i = 0; i < outputs.size(); ++i) pieces[i].push_back(outputs[i]);
  }
  std::vector<Tensor> joined;
  for (const std::vector<Tensor>& parts : pieces) {
    std::vector<std::int64_t> shape = parts.front().shape();
    if (parts.size() == 1 || shape.empty()) {
      joined.push_back(parts.front());
      continue;
    }
    shape[0] = 0;
    for (const Tensor& part : parts) shape[0] += part.dim(0);
    Tensor whole(parts.front().dtype(), shape);
    auto* target = static_cast<std::byte*>(whole.raw());
    for (const Tensor& part : parts) {
      std::copy_n(static_cast<const std::byte*>(part.raw()), part.bytes(), target);
      target += part.bytes();
    }
    joined.push_back(std::move(whole));
  }
  return joined;
}

struct Answer {
  std::int64_t index;
  std::string label;
  float score;         ///< the network's own output
  double probability;  ///< its softmax over the classes
};

std::vector<Answer> top_answers(std::span<const float> scores, std::int64_t top,
                                const std::vector<std::string>& labels) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  const float highest = scores[static_cast<std::size_t>(order.front())];
  double sum = 0;
  for (const float score : scores) sum += std::exp(static_cast<double>(score) - highest);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < std::min(order.size(), static_cast<std::size_t>(top)); ++i) {
    const auto index = static_cast<std::size_t>(order[i]);
    answers.push_back({order[i], index < labels.size() ? labels[index] : "", scores[index],
                       std::exp(static_cast<double>(scores[index]) - highest) / sum});
  }
  return answers;
}

void print_answers(const Options& o, const std::vector<std::string>& labels, const Work& work, const Tensor& scores) {
  const auto classes = static_cast<std::size_t>(scores.dim(1));
  nlohmann::json json = nlohmann::json::array();
  for (std::size_t i = 0; i < work.names.size(); ++i) {
    const auto answers = top_answers(scores.data<float>().subspan(i * classes, classes), o.top, labels);
    nlohmann::json entry = {{"input", work.names[i]}, {"top", nlohmann::json::array()}};
    std::string text = work.names[i] + "\n";
    for (const Answer& a : answers) {
      entry["top"].push_back(
          {{"class", a.index}, {"label", a.label}, {"score", a.score}, {"probability", a.probability}});
      text += fmt::format("  {:6.2f} %  {}{}{}\n", 100 * a.probability, a.index, a.label.empty() ? "" : "  ", a.label);
    }
    json.push_back(entry);
    if (!o.json) print(text);
  }
  if (o.json) print(json.dump(2) + "\n");
}

std::string npy_name(const std::string& base, const std::string& output, std::size_t count) {
  if (count == 1) return base;
  std::string safe = output;
  for (char& c : safe) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return (is_npy(base) ? base.substr(0, base.size() - 4) : base) + "." + safe + ".npy";
}

int run(const Options& o) {
  const runtime::InferenceEngine engine(o.engine, o.device.runtime());
  const std::vector<std::string> labels = o.labels.empty() ? engine.labels() : read_labels(o.labels);
  const Work work = load(o, engine);
  const std::vector<Tensor> outputs = infer_all(engine, work);
  if (!o.output.empty()) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      write_npy(npy_name(o.output, engine.outputs()[i].name, outputs.size()), outputs[i]);
    }
    return 0;
  }
  const Tensor& scores = outputs.front();
  if (scores.dtype() == DataType::kFloat32 && scores.rank() == 2 && scores.dim(1) > 1) {
    print_answers(o, labels, work, scores);
    return 0;
  }
  nlohmann::json json = nlohmann::json::array();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    json.push_back({{"output", engine.outputs()[i].name}, {"shape", outputs[i].shape()}});
    if (!o.json) {
      print(fmt::format("{}: {} {}\n", engine.outputs()[i].name, name_of(outputs[i].dtype()),
                        to_string(outputs[i].shape())));
    }
  }
  if (o.json) print(json.dump(2) + "\n");
  if (!o.json) print("these outputs are no class scores; store them with -o out.npy\n");
  return 0;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run an engine on images or arrays");
  command->footer(
      "Examples:\n"
      "  xinfer run model.engine cat.png dog.jpg --labels names.txt\n"
      "  xinfer run bert.engine ids=ids.npy mask=mask.npy -o embeddings.npy");
  command->add_option("engine", options->engine, "Engine file")->required();
  command->add_option("inputs", options->inputs, "Images, or .npy files (input=file.npy for each input)")->required();
  command->add_option("--labels", options->labels, "Text file of class names, one a line");
  command->add_option("--top", options->top, "How many classes to print")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Write the outputs to this .npy file instead of printing");
  options->device.add_to(*command);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xinfer::cli
