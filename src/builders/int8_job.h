#pragma once
// What the steps of an INT8 build hand on.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builders/data_doctor.h"
#include "builders/fit_cache.h"
#include "ir/graph.h"
#include "quantize/plan.h"
#include "quantize/sample_set.h"
#include "quantize/table.h"

namespace xinfer::builders {

/// A batch that was read ahead, in the order of the graph's inputs.
struct ReadAhead {
  std::vector<Tensor> batch;
  std::vector<std::string> names;
};

struct Int8Job {
  Int8Job(std::shared_ptr<const ir::Graph> float_model, quantize::SampleLimits limits)
      : model(std::move(float_model)), graph(model), set(*model, limits), doctor(*model) {}

  std::shared_ptr<const ir::Graph> model;  ///< as it was read and fused
  std::shared_ptr<const ir::Graph> graph;  ///< the same with balanced channels: what is calibrated and quantized
  quantize::SampleSet set;
  DataDoctor doctor;
  bool surveyed = false;                  ///< set and doctor have seen all data
  std::optional<ReadAhead> read_ahead;    ///< of a stream that can't be repeated
  std::vector<quantize::Sample> kept;     ///< all that the set kept
  std::vector<quantize::Sample> samples;  ///< those of them that layers are fitted to
  quantize::CalibrationTable table;
  FitCache fitted;  ///< by an earlier build, as far as its keys say so; then by this one
  quantize::Ranges ranges;
  std::map<std::string, std::string> range_methods;  ///< of tensors whose rule is not the one asked for
  quantize::PlanOptions plan;
  quantize::QuantizedModel result;
  std::optional<std::map<std::string, double>> sensitivities;  ///< in dB, by node
};

}  // namespace xinfer::builders
