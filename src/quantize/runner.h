#pragma once
// Runner: runs the float graph for calibration, and counts the values that it computes.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "cpu/program.h"
#include "ir/graph.h"
#include "quantize/histogram.h"
#include "xinfer/core/tensor.h"

namespace xinfer::quantize {

/// One object belongs to one thread at a time.
class Runner {
 public:
  virtual ~Runner() = default;
  /// A power of two: run() takes so many images, and every smaller power of two.
  virtual std::int64_t max_images() const = 0;
  /// Runs `images` images, one tensor for each graph input in graph order, and adds the values of each image to
  /// `histograms` (by value id; null: not wanted). A value that doesn't depend on N counts once for each image. What is
  /// counted of an image depends neither on its companions nor on `images`.
  virtual void run(std::span<const Tensor> inputs, std::int64_t images, std::span<Histogram* const> histograms) = 0;
  /// Runs one image as run() does, and also writes the largest magnitude of each wanted value to `abs_max` (by value
  /// id; the others keep what they are; infinite or NaN where a value is). False, with nothing run, when this runner
  /// doesn't look at images one by one.
  virtual bool run_image(std::span<const Tensor> /*inputs*/, std::span<Histogram* const> /*histograms*/,
                         std::span<float> /*abs_max*/) {
    return false;
  }
};

/// Runs the graph on one image (N = 1) and shows every value.
using GraphFunction = std::function<void(std::span<const Tensor> inputs, const cpu::ValueObserver& observer)>;

/// Counts what a function shows.
std::shared_ptr<Runner> tensor_runner(GraphFunction function);

/// On the CPU backend, image by image. Throws UnsupportedError as cpu::compile does.
std::shared_ptr<Runner> cpu_runner(const std::shared_ptr<const ir::Graph>& graph, int threads = 0);

/// On the GPU of this index, in single precision (no TF32), up to 16 images at once. Values are counted there: only
/// counts come back. Throws DeviceError where there is no such GPU, and UnsupportedError naming the node that it
/// doesn't take. run() throws DeviceError, also when copies of one image come out differently: then the graph mixes
/// images.
std::shared_ptr<Runner> cuda_runner(const std::shared_ptr<const ir::Graph>& graph, int gpu = 0);

}  // namespace xinfer::quantize
