#include "quantize/calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "quantize/placement.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {

std::vector<ir::ValueId> values_to_observe(const ir::Graph& graph) {
  std::vector<bool> wanted(graph.value_count(), false);
  for (const bool quantize_matmul : {false, true}) {
    PlanOptions options;
    options.quantize_matmul = quantize_matmul;
    const Placement placement = place(graph, nullptr, options);
    for (const ir::NodeId id : graph.order()) {
      if (placement[static_cast<std::size_t>(id)].precision != Precision::kInt8) continue;
      const ir::Node& node = graph.node(id);
      for (const std::size_t i : data_inputs(graph, node)) wanted[static_cast<std::size_t>(node.inputs[i])] = true;
      for (const ir::ValueId out : node.outputs) wanted[static_cast<std::size_t>(out)] = true;
    }
  }
  std::vector<ir::ValueId> result;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    if (wanted[i] && !graph.value(id).is_constant() && graph.value(id).dtype == DataType::kFloat32) {
      result.push_back(id);
    }
  }
  return result;
}

Calibrator::Calibrator(const ir::Graph& graph, std::shared_ptr<Runner> runner, CalibrateOptions options)
    : graph_(graph), runner_(std::move(runner)), options_(std::move(options)), observed_(graph.value_count(), nullptr) {
  for (const ir::ValueId id : values_to_observe(graph)) {
    observed_[static_cast<std::size_t>(id)] = &histograms_[graph.value(id).name];
  }
  const auto append = [this](const std::vector<ir::ValueId>& ids) {
    for (const ir::ValueId id : ids) {
      if (observed_[static_cast<std::size_t>(id)] != nullptr) in_order_.push_back(id);
    }
  };
  append(graph.inputs());
  for (const ir::NodeId node : graph.order()) append(graph.node(node).outputs);
}

void Calibrator::check_finite(std::span<Histogram* const> histograms, std::int64_t image) const {
  for (const ir::ValueId id : in_order_) {
    const Histogram& histogram = *histograms[static_cast<std::size_t>(id)];
    if (histogram.nans() == 0 && histogram.infinities() == 0) continue;
    const ir::Value& value = graph_.value(id);
    const std::string where = value.producer == ir::kNone
                                  ? std::string("a graph input")
                                  : fmt::format("computed by node '{}'", graph_.node(value.producer).name);
    throw CalibrationError(
        fmt::format("'{}' ({}) has {} NaN and {} infinite values for calibration image {}", value.name, where,
                    histogram.nans(), histogram.infinities(), image),
        "run the float model on this image: either the image, the preprocessing or the model is broken");
  }
}

bool Calibrator::run_and_tell(std::span<const Tensor> image) {
  if (!options_.image_maxima) return false;
  std::vector<float> by_id(observed_.size(), 0.0F);
  if (!runner_->run_image(image, observed_, by_id)) return false;
  std::vector<float> maxima;
  for (const ir::ValueId id : in_order_) maxima.push_back(by_id[static_cast<std::size_t>(id)]);
  options_.image_maxima(image, maxima);
  return true;
}

void Calibrator::run(std::span<const Tensor> batch, std::int64_t begin, std::int64_t end) {
  const std::vector<Tensor> images = cut_images(graph_, batch, begin, end);
  if (end - begin > 1 || !run_and_tell(images)) runner_->run(images, end - begin, observed_);
  const bool finite = std::all_of(in_order_.begin(), in_order_.end(), [this](ir::ValueId id) {
    const Histogram& histogram = *observed_[static_cast<std::size_t>(id)];
    return histogram.nans() == 0 && histogram.infinities() == 0;
  });
  if (finite) return;
  for (std::int64_t i = begin; i < end; ++i) {  // to name the image
    std::vector<Histogram> fresh(in_order_.size());
    std::vector<Histogram*> observed(observed_.size(), nullptr);
    for (std::size_t k = 0; k < fresh.size(); ++k) observed[static_cast<std::size_t>(in_order_[k])] = &fresh[k];
    runner_->run(cut_images(graph_, batch, i, i + 1), 1, observed);
    check_finite(observed, images_ + i - begin);
  }
  check_finite(observed_, images_);  // no image alone is to blame
}

void Calibrator::add(std::span<const Tensor> batch) {
  const std::int64_t count = count_images(graph_, batch);
  for (std::int64_t begin = 0; begin < count;) {
    std::int64_t size = runner_->max_images();
    while (size > count - begin) size /= 2;
    run(batch, begin, begin + size);
    begin += size;
    for (std::int64_t i = 0; i < size; ++i) {
      ++images_;
      if (options_.progress && !options_.progress(images_, options_.total_images)) {
        throw CancelledError(fmt::format("calibration was cancelled after {} images", images_));
      }
    }
  }
}

void Calibrator::check_alive(const std::string& name) const {
  const Placement placement = place(graph_, nullptr, options_.plan);
  for (const ir::NodeId user : graph_.value(graph_.find_value(name)).consumers) {
    const NodeChoice& choice = placement[static_cast<std::size_t>(user)];
    if (choice.precision != Precision::kInt8 || choice.kind == NodeKind::kMover) continue;
    const ir::Node& node = graph_.node(user);
    throw CalibrationError(
        fmt::format("'{}', which feeds {} '{}', is zero for all {} calibration images", name, ir::name_of(node.op),
                    node.name, images_),
        "check the images and the preprocessing; if the tensor is zero for a reason, allow dead ranges, which keeps "
        "the nodes that read it in float");
  }
}

CalibrationResult Calibrator::finish() const {
  if (images_ == 0) {
    throw CalibrationError("calibration saw no images", "give 100 to 500 images like those of the application");
  }
  CalibrationResult result;
  result.table.images = images_;
  result.table.percentile = options_.percentile;
  for (const auto& [name, histogram] : histograms_) {
    const TensorRanges& ranges = result.table.tensors[name] = summarize(histogram, options_.percentile);
    if (ranges.count == 0) {
      throw CalibrationError(fmt::format("the runner never showed '{}', or it is empty", name));
    }
    if (ranges.zeros < ranges.count) continue;
    if (!options_.allow_dead_ranges) check_alive(name);
    result.dead_tensors.push_back(name);
  }
  return result;
}

CalibrationResult calibrate(const ir::Graph& graph, const std::shared_ptr<Runner>& runner, const BatchSource& next,
                            const CalibrateOptions& options) {
  Calibrator calibrator(graph, runner, options);
  while (const std::optional<std::vector<Tensor>> batch = next()) calibrator.add(*batch);
  return calibrator.finish();
}

}  // namespace xinfer::quantize
