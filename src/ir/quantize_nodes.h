#pragma once
// Adding the two nodes at the border between floats and integers.

#include <string>

#include "ir/graph.h"

namespace xinfer::ir {

/// Adds a Quantize node; returns its output: the shape of `x`, type `dtype` (s8 or u8), scale as in `quantization`.
/// Throws ModelError when `x` is not f32, and std::logic_error when `dtype` or the scales are unfit.
ValueId add_quantize(Graph& graph, const std::string& name, ValueId x, DataType dtype, Quantization quantization);

/// Adds a Dequantize node; returns its f32 output. Throws ModelError when `x` has no Quantization.
ValueId add_dequantize(Graph& graph, const std::string& name, ValueId x);

}  // namespace xinfer::ir
