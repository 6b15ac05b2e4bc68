#pragma once
// First layers: what their producers may know of them.

#include "cuda/step.h"

namespace xinfer::cuda {

/// Whether the value's only use is as the image of a first layer that takes it as Format::pixels. `producer` is the
/// request of the node that computes it.
bool feeds_stem(const Request& producer, ir::ValueId id);

}  // namespace xinfer::cuda
