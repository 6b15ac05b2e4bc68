#pragma once
// Picks the samples whose answers the quantization changed most.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "quantize/sample_set.h"
#include "xinfer/builders/quality.h"
#include "xinfer/core/preprocessing.h"

namespace xinfer::builders {

struct WorstOptions {
  std::size_t count = 12;
  std::vector<std::string> labels = {};  ///< class names; classes beyond them get numbers
  Preprocessing preprocessing = {};      ///< how the samples' pictures were made
};

/// The samples with the lowest SQNR over all float outputs; where the first output scores classes, those that change
/// their class come first. `float_outputs` and `int8_outputs` hold the outputs of each sample, as SampleRunner::run()
/// gives them. Samples whose outputs are equal to the last bit are no candidates. Ties are broken by name, then by
/// position. Samples without a name are called by their number. Throws Error when the numbers of samples differ.
std::vector<WorstSample> worst_samples(std::span<const quantize::Sample> samples,
                                       std::span<const std::vector<Tensor>> float_outputs,
                                       std::span<const std::vector<Tensor>> int8_outputs,
                                       const WorstOptions& options = {});

/// A PNG file of at most 96 pixels a side that shows the input as it was before preprocessing: its colours where they
/// are known, else stretched from darkest to brightest. Empty when `input` is no picture (see is_image()).
std::string thumbnail(const Tensor& input, const Preprocessing& preprocessing);

}  // namespace xinfer::builders
