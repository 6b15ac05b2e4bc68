#include "quantize/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "cpu/program.h"
#include "quantize/parallel.h"
#include "quantize/placement.h"
#include "quantize/plan.h"
#include "quantize/remainder.h"
#include "quantize/sample_runner.h"
#include "quantize/tensor_quality.h"
#include "quantize/weights.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

struct Layer {
  NodeId node = ir::kNone;  // of the float graph
  Remainder remainder;
  std::vector<std::vector<ErrorSums>> errors;  // [sample][f32 output]
};

double decibels(double noise_ratio) { return -10.0 * std::log10(noise_ratio); }

// Of several outputs the mean, so that one of large values doesn't hide the others.
double mean_noise_ratio(const std::vector<std::vector<ErrorSums>>& errors) {
  double sum = 0;
  for (std::size_t output = 0; output < errors.front().size(); ++output) {
    ErrorSums total;
    for (const std::vector<ErrorSums>& sample : errors) total += sample[output];
    sum += total.noise_ratio();
  }
  return sum / static_cast<double>(errors.front().size());
}

std::vector<Tensor> new_outputs(const Graph& graph) {
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs()) outputs.emplace_back(graph.value(id).dtype, graph.value(id).shape.at(1));
  return outputs;
}

class Measurement {
 public:
  Measurement(std::shared_ptr<const Graph> float_graph, const Ranges& ranges, std::span<const Sample> samples,
              const SensitivityOptions& options)
      : float_graph_(std::move(float_graph)),
        ranges_(ranges),
        samples_(samples.first(std::min(samples.size(), options.samples))),
        options_(options) {
    for (std::size_t i = 0; i < float_graph_->outputs().size(); ++i) {
      if (float_graph_->value(float_graph_->outputs()[i]).dtype == DataType::kFloat32) f32_outputs_.push_back(i);
    }
    if (samples_.empty()) throw Error("sensitivity was to be measured on no samples");
    if (f32_outputs_.empty()) throw Error("sensitivity needs an f32 output, and the network has none");
  }

  Sensitivity run() {
    make_base();
    make_layers();
    if (options_.mode == SensitivityMode::kLeftOut) {
      references_ = SampleRunner(float_graph_, options_.threads).run(samples_);
    } else {
      references_.resize(samples_.size());
    }
    const std::size_t block = block_size();
    const std::size_t blocks = (samples_.size() + block - 1) / block;
    steps_ = blocks * (1 + layers_.size());
    for (std::size_t begin = 0; begin < samples_.size(); begin += block) {
      measure(begin, std::min(block, samples_.size() - begin));
    }
    return summarize();
  }

 private:
  // The graph that each layer's variant differs from in that layer: float, or the whole plan.
  void make_base() {
    const QuantizedModel all = quantize(*float_graph_, ranges_, options_.plan);
    const Placement placement = place(*float_graph_, &ranges_, options_.plan);
    for (const NodeId id : float_graph_->order()) {
      const NodeChoice& choice = placement[static_cast<std::size_t>(id)];
      if (choice.kind != NodeKind::kAnchor || choice.precision != Precision::kInt8) continue;
      layers_.emplace_back().node = id;
    }
    plan_ = options_.plan;
    if (options_.mode == SensitivityMode::kAlone) {
      base_ = float_graph_;
      return;
    }
    base_ = std::make_shared<const Graph>(all.graph);
    keep_weights(all.graph);
  }

  // Every variant then shares the integer weights of the base, in place of rounding them once more.
  void keep_weights(const Graph& quantized) {
    std::map<std::string, NodeId> nodes;
    for (const NodeId id : quantized.order()) nodes.emplace(quantized.node(id).name, id);
    for (const Layer& layer : layers_) {
      const std::string& name = float_graph_->node(layer.node).name;
      const ir::Value& weights = quantized.value(quantized.node(nodes.at(name)).inputs[1]);
      if (!weights.is_constant() || plan_.layers.contains(name)) continue;
      plan_.layers[name].weights = {*weights.constant, *weights.quantization};
    }
  }

  void make_layers() {
    parallel_for(layers_.size(), options_.threads, [this](std::size_t i) {
      Layer& layer = layers_[i];
      PlanOptions plan = plan_;
      const auto set = [&plan](PrecisionOverride::Match match, const std::string& pattern, Precision precision) {
        plan.overrides.push_back({match, pattern, ir::OpType::kConv, precision});
      };
      const std::string& name = float_graph_->node(layer.node).name;
      if (options_.mode == SensitivityMode::kAlone) {
        set(PrecisionOverride::Match::kGlob, "*", Precision::kFloat);
        set(PrecisionOverride::Match::kNode, name, Precision::kInt8);
      } else {
        set(PrecisionOverride::Match::kNode, name, Precision::kFloat);
      }
      layer.remainder = remainder_of(*base_, quantize(*float_graph_, ranges_, plan).graph);
      layer.errors.resize(samples_.size());
    });
  }

  // Samples whose kept values fit in the wanted memory.
  std::size_t block_size() {
    wanted_.assign(base_->value_count(), false);
    for (const Layer& layer : layers_) {
      for (const ValueId id : layer.remainder.inputs) wanted_[static_cast<std::size_t>(id)] = true;
      for (const OutputSource& output : layer.remainder.outputs) {
        if (output.known != ir::kNone) wanted_[static_cast<std::size_t>(output.known)] = true;
      }
    }
    std::size_t bytes = 1;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const ir::Value& value = base_->value(static_cast<ValueId>(i));
      if (wanted_[i]) bytes += static_cast<std::size_t>(value.shape.element_count().at(1)) * size_of(value.dtype);
    }
    return std::clamp<std::size_t>(options_.bytes / bytes, 1, samples_.size());
  }

  void measure(std::size_t begin, std::size_t count) {
    kept_.assign(count, std::vector<Tensor>(wanted_.size()));
    base_outputs_ = SampleRunner(base_, options_.threads)
                        .run(samples_.subspan(begin, count), [this](std::size_t i, ValueId id, const Tensor& tensor) {
                          const auto index = static_cast<std::size_t>(id);
                          if (wanted_[index]) kept_[i][index] = tensor.clone();
                        });
    if (options_.mode == SensitivityMode::kAlone) {
      std::copy(base_outputs_.begin(), base_outputs_.end(), references_.begin() + static_cast<std::ptrdiff_t>(begin));
    } else {
      for (std::size_t i = 0; i < count; ++i) base_errors_.push_back(compare(begin + i, base_outputs_[i]));
    }
    advance();
    parallel_for(layers_.size(), options_.threads, [&](std::size_t i) {
      measure(layers_[i], begin, count);
      advance();
    });
  }

  void measure(Layer& layer, std::size_t begin, std::size_t count) const {
    const auto graph = std::make_shared<const Graph>(layer.remainder.graph);
    cpu::CompileOptions compile;
    compile.threads = 1;
    const auto program = cpu::compile(graph, 1, compile, weights_);
    const auto context = program->new_context();
    std::vector<Tensor> computed = new_outputs(*graph);
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<Tensor>& kept = kept_[i];
      std::vector<Tensor> inputs;
      for (const ValueId id : layer.remainder.inputs) inputs.push_back(kept[static_cast<std::size_t>(id)]);
      program->run(*context, inputs, computed);
      std::vector<Tensor> outputs = base_outputs_[i];
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        const OutputSource& source = layer.remainder.outputs[o];
        if (source.computed) outputs[o] = computed[*source.computed];
        if (source.known != ir::kNone) outputs[o] = kept[static_cast<std::size_t>(source.known)];
      }
      layer.errors[begin + i] = compare(begin + i, outputs);
    }
  }

  std::vector<ErrorSums> compare(std::size_t sample, std::span<const Tensor> outputs) const {
    std::vector<ErrorSums> errors;
    for (const std::size_t o : f32_outputs_) {
      errors.emplace_back().add(references_[sample][o].data<float>(), outputs[o].data<float>());
    }
    return errors;
  }

  void advance() {
    const std::lock_guard lock(mutex_);
    ++done_;
    if (options_.progress) options_.progress(done_, steps_);
  }

  Sensitivity summarize() const {
    Sensitivity result;
    for (const Layer& layer : layers_) {
      const ir::Node& node = float_graph_->node(layer.node);
      const double noise_ratio = mean_noise_ratio(layer.errors);
      result.layers.push_back({node.name, node.op, noise_ratio, decibels(noise_ratio)});
    }
    if (!base_errors_.empty()) result.all_int8_sqnr_db = decibels(mean_noise_ratio(base_errors_));
    return result;
  }

  std::shared_ptr<const Graph> float_graph_;
  const Ranges& ranges_;
  std::span<const Sample> samples_;
  const SensitivityOptions& options_;
  std::vector<std::size_t> f32_outputs_;
  PlanOptions plan_;
  std::shared_ptr<const Graph> base_;
  std::vector<Layer> layers_;
  std::vector<bool> wanted_;                         // by value of the base: some layer's remainder reads it
  std::vector<std::vector<Tensor>> references_;      // outputs of the float graph, by sample
  std::vector<std::vector<Tensor>> kept_;            // of the base for the current block, by sample and value
  std::vector<std::vector<Tensor>> base_outputs_;    // of the current block
  std::vector<std::vector<ErrorSums>> base_errors_;  // of the whole plan, by sample
  std::shared_ptr<cpu::WeightCache> weights_ = cpu::make_weight_cache();
  std::mutex mutex_;
  std::size_t done_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

Sensitivity measure_sensitivity(const std::shared_ptr<const ir::Graph>& float_graph, const Ranges& ranges,
                                std::span<const Sample> samples, const SensitivityOptions& options) {
  return Measurement(float_graph, ranges, samples, options).run();
}

}  // namespace xinfer::quantize
