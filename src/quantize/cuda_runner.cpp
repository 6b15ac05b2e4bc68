// Calibration on the GPU.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cuda/executor.h"
#include "cuda/value_statistics.h"
#include "quantize/runner.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

constexpr std::int64_t kMostImages = 16;
/// All values of a batch stay in device memory. A fixed limit, so that the batch depends on the graph alone.
constexpr std::size_t kArenaLimit = std::size_t{4} << 30;

/// A graph without N runs on what it is given as a whole.
bool takes_batches(const ir::Graph& graph) {
  const auto& inputs = graph.inputs();
  return std::any_of(inputs.begin(), inputs.end(), [&](ir::ValueId id) { return !graph.value(id).shape.is_static(); });
}

std::shared_ptr<const cuda::Program> compile(const std::shared_ptr<const ir::Graph>& graph,
                                             const cuda::Target& target) {
  cuda::CompileOptions options;
  options.target = target;
  options.real = cuda::Element::kF32;
  options.keep_values = true;
  for (std::int64_t images = takes_batches(*graph) ? kMostImages : 1;; images /= 2) {
    auto program = cuda::compile(graph, images, options);
    if (program->arena_bytes <= kArenaLimit || images == 1) return program;
  }
}

/// The program always runs full: a smaller number of images is repeated and the counts are divided. So a value is
/// computed by the same instructions whatever the number of images, and no kernel has to know which images count.
class CudaRunner final : public Runner {
 public:
  CudaRunner(const std::shared_ptr<const ir::Graph>& graph, int gpu)
      : state_(std::make_shared<cuda::DeviceState>(gpu::Device::open(gpu), std::make_shared<gpu::Compiler>())),
        program_(compile(graph, state_->target())),
        context_(std::make_shared<const cuda::LoadedProgram>(program_, state_)) {
    for (const ir::ValueId id : graph->inputs()) inputs_.emplace_back(dtype_and_shape(id));
    for (const ir::ValueId id : graph->outputs()) outputs_.emplace_back(dtype_and_shape(id));
  }

  std::int64_t max_images() const override { return program_->batch; }

  void run(std::span<const Tensor> inputs, std::int64_t images, std::span<Histogram* const> histograms) override {
    const std::int64_t copies = program_->batch / images;
    for (std::size_t i = 0; i < inputs.size(); ++i) repeat(inputs[i], inputs_[i]);
    context_.run(inputs_, outputs_);
    Statistics& wanted = statistics_for(histograms);
    const std::vector<cuda::FloatExtent> extents = wanted.statistics->extents(context_.stream());
    std::vector<int> exponents;
    for (const cuda::FloatExtent& extent : extents) exponents.push_back(Histogram::exponent_for(extent.largest()));
    wanted.statistics->count(context_.stream(), exponents);
    for (std::size_t v = 0; v < extents.size(); ++v) {
      const ir::Value& value = program_->graph->value(wanted.values[v]);
      const Share share = value.shape.is_static() ? Share{images, 1} : Share{1, copies};
      add(extents[v], exponents[v], wanted.statistics->bins_of(v), share, value,
          *histograms[static_cast<std::size_t>(wanted.values[v])]);
    }
  }

 private:
  /// Which values are wanted; nearly always the same ones as before.
  struct Statistics {
    std::vector<ir::ValueId> values;
    std::unique_ptr<cuda::ValueStatistics> statistics;
  };
  /// What to multiply counts by, and then to divide them by.
  struct Share {
    std::int64_t times, parts;
  };

  Tensor dtype_and_shape(ir::ValueId id) const {
    const ir::Value& value = program_->graph->value(id);
    return Tensor(value.dtype, value.shape.at(program_->batch));
  }

  static void repeat(const Tensor& from, Tensor& to) {
    auto* at = static_cast<std::byte*>(to.raw());
    for (std::size_t done = 0; done < to.bytes(); done += from.bytes())
      std::memcpy(at + done, from.raw(), from.bytes());
  }

  Statistics& statistics_for(std::span<Histogram* const> histograms) {
    std::vector<ir::ValueId> values;
    std::vector<const cuda::Visible*> places;
    for (const cuda::Visible& visible : program_->visible) {
      if (histograms[static_cast<std::size_t>(visible.value)] == nullptr) continue;
      values.push_back(visible.value);
      places.push_back(&visible);
    }
    if (statistics_.statistics != nullptr && values == statistics_.values) return statistics_;
    std::vector<cuda::FloatRows> rows;
    for (const cuda::Visible* visible : places) {
      const cuda::Dims dims = program_->graph->value(visible->value).shape.at(program_->batch);
      rows.push_back(cuda::rows_of(context_.address(*visible), dims, visible->format));
    }
    statistics_.statistics = std::make_unique<cuda::ValueStatistics>(*state_, rows, Histogram::kLogBins);
    statistics_.values = std::move(values);
    return statistics_;
  }

  void add(const cuda::FloatExtent& extent, int exponent, std::span<const std::uint64_t> bins, Share share,
           const ir::Value& value, Histogram& histogram) {
    const auto times = static_cast<std::uint64_t>(share.times);
    const auto parts = static_cast<std::uint64_t>(share.parts);
    const auto scale = [&](std::uint64_t count) {
      if (count % parts != 0) {
        throw DeviceError(fmt::format("the values of '{}' differ between copies of one image", value.name),
                          "the graph mixes the images of a batch: calibrate on the CPU (--calib-device cpu)");
      }
      return count * times / parts;
    };
    scaled_.resize(bins.size());
    std::transform(bins.begin(), bins.end(), scaled_.begin(), scale);
    const std::span<const std::uint64_t> all(scaled_);
    histogram.add(BinCounts{.exponent = exponent,
                            .count = scale(extent.count),
                            .zeros = scale(extent.zeros),
                            .nans = scale(extent.nans),
                            .infinities = scale(extent.infinities),
                            .min = extent.min,
                            .max = extent.max,
                            .positive = all.first(Histogram::kBins),
                            .negative = all.last(Histogram::kBins)});
  }

  std::shared_ptr<cuda::DeviceState> state_;
  std::shared_ptr<const cuda::Program> program_;
  cuda::Context context_;
  std::vector<Tensor> inputs_, outputs_;
  Statistics statistics_;
  std::vector<std::uint64_t> scaled_;
};

}  // namespace

std::shared_ptr<Runner> cuda_runner(const std::shared_ptr<const ir::Graph>& graph, int gpu) {
  if (gpu::device_count() == 0) {
    throw DeviceError(fmt::format("there is no usable NVIDIA GPU to calibrate on: {}", gpu::why_no_device()),
                      "calibrate on the CPU (--calib-device cpu), or see 'xinfer doctor'");
  }
  try {
    return std::make_shared<CudaRunner>(graph, gpu);
  } catch (const UnsupportedError& error) {
    const std::string message = error.what();  // without its hint, which is one for building
    throw UnsupportedError(message.substr(0, message.find('\n')), "calibrate on the CPU (--calib-device cpu)");
  }
}

}  // namespace xinfer::quantize
