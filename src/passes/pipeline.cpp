#include "passes/pipeline.h"

#include <fmt/format.h>

#include <stdexcept>

#include "ir/verifier.h"
#include "passes/rewrites.h"
#include "xinfer/core/errors.h"

namespace xinfer::passes {
namespace {

constexpr int kRoundBound = 32;

// Patterns come before the moves of transposes, which would pull them apart.
constexpr Pass kCanonical[] = {
    {"eliminate_dead", eliminate_dead},
    {"fold_constants", fold_constants},
    {"eliminate_identity", eliminate_identity},
    {"simplify_arithmetic", simplify_arithmetic},
    {"merge_clips", merge_clips},
    {"eliminate_common", eliminate_common},
    {"form_gelu", form_gelu},
    {"form_swish", form_swish},
    {"form_layer_norm", form_layer_norm},
    {"form_attention", form_attention},
    {"form_linear", form_linear},
    {"form_global_pool", form_global_pool},
    {"merge_reshapes", merge_reshapes},
    {"merge_transposes", merge_transposes},
    {"sink_transposes", sink_transposes},
    {"absorb_transposes", absorb_transposes},
    {"unwrap_linear", unwrap_linear},
    {"move_past_linear", move_past_linear},
    {"merge_movements", merge_movements},
    {"fold_batch_norm", fold_batch_norm},
    {"fuse_scale_and_bias", fuse_scale_and_bias},
    {"split_packed_linear", split_packed_linear},
    {"unfold_patches", unfold_patches},
};

constexpr Pass kFusing[] = {
    {"lower_batch_norm", lower_batch_norm}, {"fuse_pad", fuse_pad},
    {"fuse_residual", fuse_residual},       {"fuse_activation", fuse_activation},
    {"eliminate_common", eliminate_common}, {"eliminate_dead", eliminate_dead},
};

}  // namespace

std::span<const Pass> canonical_passes() { return kCanonical; }
std::span<const Pass> fusing_passes() { return kFusing; }
std::span<const Pass> default_passes() {
  static const std::vector<Pass> all = [] {
    std::vector<Pass> list(std::begin(kCanonical), std::end(kCanonical));
    list.insert(list.end(), std::begin(kFusing), std::end(kFusing));
    return list;
  }();
  return all;
}

void run(ir::Graph& graph, std::span<const Pass> passes, const PipelineOptions& options) {
  ir::verify(graph, "before the passes");
  int number = 0;
  std::string restless;
  for (int round = 0; round < options.max_rounds; ++round) {
    restless.clear();
    for (const Pass& pass : passes) {
      bool changed = false;
      try {
        changed = pass.run(graph);
      } catch (const Error&) {
        throw;  // says itself which node and why
      } catch (const std::exception& error) {
        throw std::logic_error(fmt::format("pass '{}' failed: {}", pass.name, error.what()));
      }
      ir::verify(graph, fmt::format("after pass '{}'", pass.name));
      if (!changed) continue;
      restless += restless.empty() ? pass.name : fmt::format(", {}", pass.name);
      if (options.after_pass) options.after_pass(number, pass.name, graph);
      ++number;
    }
    if (restless.empty()) return;
  }
  if (options.max_rounds > 1) {
    throw std::logic_error(
        fmt::format("passes did not settle in {} rounds; the last round changed: {}", options.max_rounds, restless));
  }
}

void run_default(ir::Graph& graph, const PipelineOptions& options) {
  PipelineOptions bounded = options;
  if (bounded.max_rounds <= 1) bounded.max_rounds = kRoundBound;
  int number = 0;
  if (options.after_pass) {
    bounded.after_pass = [&](int, const char* name, const ir::Graph& g) { options.after_pass(number++, name, g); };
  }
  run(graph, canonical_passes(), bounded);
  run(graph, fusing_passes(), bounded);
  graph.compact();
}

}  // namespace xinfer::passes
