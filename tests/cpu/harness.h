#pragma once
// Runs a graph through the CPU program and through the reference, and compares.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "cpu/program.h"
#include "ir/graph.h"

namespace xinfer::cpu::testing {

using Sizes = std::vector<std::int64_t>;

/// Reproducible random tensors.
class Random {
 public:
  explicit Random(std::uint32_t seed = 1) : engine_(seed) {}
  float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  Tensor floats(const Sizes& shape, float low = -1, float high = 1);
  /// s8 or u8; the range is clipped to the type's.
  Tensor integers(DataType type, const Sizes& shape, int low, int high);
  Tensor indices(const Sizes& shape, int low, int high);  ///< s64
  Tensor bools(const Sizes& shape);
  /// Fit for an input of the graph: floats in [-2, 2], the full range of 8-bit types (0, 1, 2 for others).
  Tensor any(DataType type, const Sizes& shape);

 private:
  std::mt19937 engine_;
};

/// Gives a value an 8-bit type and one scale.
void make_quantized(ir::Graph& graph, ir::ValueId id, DataType type, float scale);
ir::ValueId quantized_input(ir::Graph& graph, const std::string& name, DataType type, const ir::Shape& shape,
                            float scale);

struct Tolerance {
  double relative = 2e-5;  ///< of f32 outputs, to the larger of |expected| and `absolute_scale`
  double absolute_scale = 1.0;
  double off_by_one = 0.0;  ///< share of 8-bit elements that may differ, by one step at most
};

void expect_equal(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance, const std::string& what);

/// Random inputs for every graph input.
std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch, std::uint32_t seed);

/// Runs the program once.
std::vector<Tensor> run_program(const Program& program, const ir::Graph& graph, const std::vector<Tensor>& inputs);

/// Compiles, runs, compares with the reference; returns the program's steps.
std::vector<StepInfo> check(const ir::Graph& graph, const std::vector<Tensor>& inputs, const Tolerance& tolerance = {},
                            const CompileOptions& options = {});
/// The same with random inputs, for batches 1 and 3.
std::vector<StepInfo> check_random(const ir::Graph& graph, const Tolerance& tolerance = {}, std::uint32_t seed = 7);

/// Fails unless the node is computed by something other than the reference.
void expect_fast(const std::vector<StepInfo>& steps, const std::string& node);

}  // namespace xinfer::cpu::testing
