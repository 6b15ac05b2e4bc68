#include "builders/sample_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "quantize/batches.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

void check(const ir::Value& input, const Tensor& tensor) {
  if (tensor.empty() || tensor.dtype() != input.dtype) {
    throw CalibrationError(fmt::format("calibration data for input '{}' must be of type {}, got {}", input.name,
                                       name_of(input.dtype), tensor.empty() ? "nothing" : name_of(tensor.dtype())));
  }
  bool fits = tensor.rank() == input.shape.rank();
  for (std::size_t axis = 0; fits && axis < tensor.rank(); ++axis) {
    const ir::Dim& dim = input.shape[axis];
    fits = dim.batch ? tensor.shape()[axis] % std::max<std::int64_t>(1, dim.value) == 0
                     : tensor.shape()[axis] == dim.value;
  }
  if (!fits) {
    throw CalibrationError(fmt::format("calibration data for input '{}' has the shape {}, the model wants {}",
                                       input.name, to_string(tensor.shape()), ir::to_string(input.shape)),
                           tensor.rank() == 4 ? "resize images to the model's input, e.g. --resize 224x224" : "");
  }
}

}  // namespace

SampleStream::SampleStream(const ir::Graph& graph, INT8Calibrator& calibrator, bool first)
    : graph_(graph), calibrator_(calibrator) {
  if (!calibrator.reset() && !first) throw CalibrationError("the calibrator can't go back to its first batch");
}

std::optional<std::vector<Tensor>> SampleStream::next() {
  INT8Calibrator::Batch batch;
  if (!calibrator_.next_batch(batch)) return std::nullopt;
  std::vector<Tensor> ordered;
  for (const ir::ValueId id : graph_.inputs()) {
    const ir::Value& input = graph_.value(id);
    auto found = batch.find(input.name);
    if (found == batch.end() && graph_.inputs().size() == 1) found = batch.find("");
    if (found == batch.end()) {
      std::string given;
      for (const auto& [name, tensor] : batch) given += fmt::format("{}'{}'", given.empty() ? "" : ", ", name);
      throw CalibrationError(fmt::format("the calibrator gives no data for input '{}'", input.name),
                             fmt::format("it gives {}", given.empty() ? "nothing" : given));
    }
    check(input, found->second);
    ordered.push_back(found->second);
  }
  if (batch.size() > ordered.size()) {
    for (const auto& [name, tensor] : batch) {
      const ir::ValueId id = graph_.find_value(name);
      const auto& inputs = graph_.inputs();
      if (std::find(inputs.begin(), inputs.end(), id) != inputs.end()) continue;
      throw CalibrationError(fmt::format("the calibrator gives data for '{}', which is no input of the model", name));
    }
  }
  names_ = calibrator_.sample_names();
  const std::int64_t images = quantize::count_images(graph_, ordered);
  if (!names_.empty() && static_cast<std::int64_t>(names_.size()) != images) {
    throw CalibrationError(fmt::format("the calibrator gives {} names for {} samples", names_.size(), images));
  }
  return ordered;
}

}  // namespace xinfer::builders
