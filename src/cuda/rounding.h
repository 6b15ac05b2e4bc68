#pragma once
// The host side of to_steps (kernels/rows.cuh): how a float result becomes an element of the output.

#include <memory>
#include <optional>
#include <vector>

#include "cuda/step.h"

namespace xinfer::cuda {

/// Element type of output 0, and what a result is multiplied with or divided by before it is rounded.
struct Rounding {
  Element element = Element::kF16;
  int mode = 0;    ///< XI_STEP: 0 no scale, 1 multiply by `step`, 2 divide by it
  float step = 1;  ///< the output's scale, or its reciprocal where that is exact

  /// Empty when the output is an integer without a plain scale (see plain_scale).
  static std::optional<Rounding> of(const Request& request);

  /// Adds XI_OUT_T and XI_STEP.
  void define(gpu::KernelSource& source) const;
};

/// Floats in device memory, zeros up to a multiple of `granularity`.
Resident resident_floats(std::vector<float> values, std::size_t granularity = 256);

/// The f32 constant that input i is; nullptr when it is none.
const Tensor* constant_floats(const Request& request, std::size_t i);

}  // namespace xinfer::cuda
