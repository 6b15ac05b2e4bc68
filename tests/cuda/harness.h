#pragma once
// Runs a graph through the CUDA program and through the reference, and compares. Without a GPU it compiles the graph's
// kernels for several architectures instead, so that a kernel that does not compile fails everywhere.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cuda/program.h"
#include "ir/graph.h"

namespace xinfer::cuda::testing {

using Sizes = std::vector<std::int64_t>;

/// Reproducible random tensors.
class Random {
 public:
  explicit Random(std::uint32_t seed = 1) : engine_(seed) {}
  float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  Tensor floats(const Sizes& shape, float low = -1, float high = 1);
  /// Multiples of 1/8: exact in half precision, and so are short sums of their products in float.
  Tensor eighths(const Sizes& shape, int low = -16, int high = 16);
  Tensor integers(DataType type, const Sizes& shape, int low, int high);  ///< s8, u8, s32, s64
  Tensor bools(const Sizes& shape);
  /// For an input of the graph: eighths, the full range of 8-bit types, 0 to 2 for others.
  Tensor any(DataType type, const Sizes& shape);

 private:
  std::mt19937 engine_;
};

/// Gives a value an 8-bit type and one scale.
void make_quantized(ir::Graph& graph, ir::ValueId id, DataType type, float scale);
ir::ValueId quantized_input(ir::Graph& graph, const std::string& name, DataType type, const ir::Shape& shape,
                            float scale);
/// s8 weights with one scale a channel of `axis`; the scales are powers of two, so that integer tests have no ties
/// other than exact ones.
ir::ValueId quantized_weights(ir::Graph& graph, const std::string& name, const Sizes& shape, int axis, Random& random);

struct Tolerance {
  double relative = 0;  ///< of f32 outputs, to the larger of |expected| and `absolute_scale`
  double absolute_scale = 1.0;
  double off_by_one = 0.0;  ///< share of 8-bit elements that may differ, by one step at most

  static Tolerance exact() { return {}; }
  static Tolerance half() { return {2e-3, 1.0, 1e-2}; }  ///< values stored in half precision in between
};

struct CheckOptions {
  Element real = Element::kF16;
  /// Use this implementation for each node of `op` (every other node as the list says). Every variant of it is run when
  /// `all_tactics`. Empty: the list's choice. The test fails when it refuses.
  std::string implementation;
  ir::OpType op = ir::OpType::kConv;
  bool all_tactics = false;
  std::vector<std::int64_t> batches{1, 3};
  /// Choose as for this older architecture, though the kernels are compiled for the GPU at hand.
  std::optional<gpu::Arch> arch{};
};

/// Compiles, runs with random inputs (seeded by `seed`), compares with the reference.
void check(const ir::Graph& graph, const Tolerance& tolerance, const CheckOptions& options = {},
           std::uint32_t seed = 7);
/// The same with given inputs (their shapes imply the batch).
void check_inputs(const ir::Graph& graph, const std::vector<Tensor>& inputs, const Tolerance& tolerance,
                  const CheckOptions& options = {});

void expect_equal(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance, const std::string& what);

}  // namespace xinfer::cuda::testing
