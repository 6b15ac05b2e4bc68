#pragma once
// Ranges and layers that an earlier build fitted to the same data: the long part of a build at the default effort. Kept
// beside the calibration cache.
//
// File: a line "xinfer-fit 1 <hash of the rest>"; a line of JSON, {"ranges": {"key", "tensors": {name: [signed
// threshold, unsigned threshold, non-negative, method]}}, "layers": {"key", "nodes": {name: shape of the weights}}};
// then for each node, by name, its weights (s8), scales and biases (f32), little-endian.

#include <cstddef>
#include <string>

#include "ir/graph.h"
#include "quantize/choose_ranges.h"
#include "quantize/options.h"
#include "quantize/table.h"

namespace xinfer::builders {

struct FitCache {
  std::string ranges_key;  ///< of what the ranges were chosen from; empty: there are none
  quantize::ChosenRanges ranges;
  std::string layers_key;  ///< of what the layers were fitted to; empty: there are none
  quantize::LayerChoices layers;
};

/// What decides the outcome of choose_ranges(): graph, data (of which the first `samples` by their hashes are looked
/// at), plan.
std::string ranges_key(const ir::Graph& graph, const quantize::CalibrationTable& table, std::size_t samples,
                       const quantize::PlanOptions& plan);
/// What decides the outcome of reconstruct(): `ranges_key`, the layers left in float since, and `how`, the options of
/// the fit in the caller's words.
std::string layers_key(const std::string& ranges_key, const quantize::Ranges& ranges, const quantize::PlanOptions& plan,
                       const std::string& how);

/// The file's content. Throws Error when it can't be read, and CalibrationError naming it where it is damaged, of
/// another version, or does not fit `graph` (layers that it lacks or that have other shapes, numbers out of range).
FitCache load_fit_cache(const std::string& path, const ir::Graph& graph);
/// Writes the file atomically. Throws Error naming it.
void save_fit_cache(const std::string& path, const FitCache& cache);

}  // namespace xinfer::builders
