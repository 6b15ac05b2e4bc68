#pragma once
// How one value of a graph differs between two devices.

#include <cstdint>
#include <string>

#include "ir/graph.h"
#include "xinfer/core/tensor.h"

namespace xinfer::tools {

/// How one value differs between the devices.
struct Comparison {
  std::string name;
  DataType type = DataType::kFloat32;
  bool is_output = false;
  std::int64_t elements = 0, different = 0;
  std::int64_t beyond_one = 0;  ///< integers that differ by more than 1
  double largest = 0;           ///< difference: in steps (integers), or relative to the largest element (floats)
  double decibels = 0;          ///< signal-to-noise ratio; infinite where all is equal
  double share() const { return elements == 0 ? 0 : static_cast<double>(different) / static_cast<double>(elements); }
};

/// Compares value `id` as both computed it. Throws Error where types or shapes differ.
Comparison compare(const ir::Graph& graph, ir::ValueId id, const Tensor& cpu, const Tensor& gpu);

}  // namespace xinfer::tools
