#pragma once
// Looks for preprocessing that doesn't fit the model, by trying others.

#include <cstddef>
#include <span>
#include <vector>

#include "quantize/sample_runner.h"
#include "xinfer/builders/quality.h"
#include "xinfer/core/preprocessing.h"

namespace xinfer::builders {

/// Runs the float model on up to `most` samples as given, with red and blue swapped, and with pixels encoded in other
/// usual ways (which undoes the given encoding on the tensors), and adds a finding when another one fits far better.
///
/// What counts is not confidence (networks are surest of all where wrong pixels saturate them) but the mutual
/// information of image and class, H(mean p) - mean H(p), over its maximum, ln min(samples, classes): wrong pixels make
/// a network answer the same, or nothing clear, whatever the image. Another encoding wins when it has twice the
/// information and 0.2 more, and either much in itself (0.5) or also the higher confidence; so images of one class,
/// which don't let any encoding shine, give no false alarm.
///
/// Only for classifiers of pictures: one input as is_image() wants it, and a first output [N, classes]. Otherwise, or
/// with fewer than 8 samples, nothing is tried and the result is empty. The first trial is the given preprocessing.
std::vector<PreprocessingTrial> check_preprocessing(const quantize::SampleRunner& float_runner,
                                                    std::span<const quantize::Sample> samples,
                                                    const Preprocessing& preprocessing, std::vector<Finding>& findings,
                                                    std::size_t most = 32);

}  // namespace xinfer::builders
