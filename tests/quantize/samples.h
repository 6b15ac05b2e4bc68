#pragma once
// Random samples for graphs of tests.

#include <vector>

#include "graphs.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize::testing {

/// `count` samples: the images of random_batch() one by one.
inline std::vector<Sample> random_samples(const ir::Graph& graph, std::int64_t count, std::uint32_t seed = 1) {
  const std::vector<Tensor> batch = random_batch(graph, count, seed);
  std::vector<Sample> samples;
  for (std::int64_t i = 0; i < count; ++i) samples.push_back({cut_images(graph, batch, i, i + 1), ""});
  return samples;
}

}  // namespace xinfer::quantize::testing
