#pragma once
// Outputs that score classes.

#include <vector>

#include "xinfer/core/tensor.h"

namespace xinfer::builders {

/// True for the scores of one sample: float, [1, classes] with at least two classes.
bool is_class_scores(const Tensor& output);

/// Probabilities: the scores themselves where they are non-negative and sum to 1, else their softmax. `scores` as
/// is_class_scores() wants them.
std::vector<double> probabilities(const Tensor& scores);

}  // namespace xinfer::builders
