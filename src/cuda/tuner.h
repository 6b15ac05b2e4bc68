#pragma once
// Tuner: times the variants of every node on the GPU at hand and keeps the fastest.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/executor.h"
#include "cuda/program.h"
#include "cuda/timing_cache.h"

namespace xinfer::cuda {

struct TunedNode {
  std::string node;
  Choice choice;
  double microseconds = 0;  ///< as measured now or when the cache's entry was made
};

/// Inputs to time a graph on: normal reals; indices and masks are zero.
std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch);

/// Chooses for one graph at one batch size.
class Tuner {
 public:
  /// `cache` may be nullptr.
  Tuner(std::shared_ptr<const ir::Graph> graph, std::int64_t batch, CompileOptions options,
        std::shared_ptr<DeviceState> state, TimingCache* cache);

  /// Number of times that run() will call `round_done`: 0 when the cache knows every node.
  int rounds() const { return rounds_; }

  /// Runs the whole graph once for each candidate number: in round r every node that the cache doesn't know uses its
  /// r-th candidate (counted round where it has fewer), on random inputs, and the device times each step. So candidates
  /// are timed on the data and in the neighbourhood that they will see. `round_done` may throw.
  std::vector<TunedNode> run(const std::function<void()>& round_done = {});

 private:
  struct Layer {
    std::string key;
    std::vector<Choice> candidates;
    std::optional<TimedChoice> known;
  };
  /// The network with one candidate for each layer.
  struct Trial {
    std::shared_ptr<const Program> program;
    std::unordered_map<std::string, const Layer*> layer_of;  // by node
  };
  struct Timed {
    Choice choice;
    std::vector<double> microseconds;  // of every layer of the kind
  };
  std::optional<Choice> choice_of(const Request& request, int round) const;
  std::vector<Trial> trials() const;
  static void note(std::vector<Timed>& candidates, const Choice& choice, double microseconds);
  /// The fastest of what was timed for the layer's kind; nothing when nothing was.
  std::optional<TunedNode> best_of(const StepInfo& info, const Layer& layer,
                                   std::map<std::string, std::vector<Timed>>& timed) const;
  std::vector<TunedNode> choose(const std::vector<Trial>& trials,
                                std::map<std::string, std::vector<Timed>>& timed) const;

  std::shared_ptr<const ir::Graph> graph_;
  std::int64_t batch_;
  CompileOptions options_;
  std::shared_ptr<DeviceState> state_;
  TimingCache* cache_;
  std::unordered_map<std::string, Layer> layers_;  // by node, and whether the Quantize behind it is folded in
  int rounds_ = 0;
};

}  // namespace xinfer::cuda
