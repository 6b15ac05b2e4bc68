#pragma once
// What the tests of the builder share: ONNX models made up on the spot, and calibrators over tensors in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/file.h"
#include "support/temp_dir.h"
#include "xinfer/builders/engine_builder.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders::testing {

using testing_support::TempDir;

inline Tensor random_tensor(std::vector<std::int64_t> shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor tensor(DataType::kFloat32, std::move(shape));
  for (float& x : tensor.data<float>()) x = normal(random);
  return tensor;
}

/// Writes a model of two inputs: scores = (relu(left W1 + b1) + relu(right W2 + b2)) W3 + b3, with left and right
/// [N, 8] and scores [N, 4]. Nodes: left_fc, left_relu, right_fc, right_relu, add, head.
void write_two_input_model(const std::string& path);

/// Writes a model whose INT8 form is bad by plain means: scores [N, 4] = relu(relu(x W1) W2) W3 with x [N, 8], where
/// channel 3 of the first layer is 1000 times as large as the others, which the second layer's weights undo. Nodes:
/// first, second, head, and the ReLUs.
void write_outlier_model(const std::string& path);

/// Writes a model whose node "best" no GPU kernel takes: it finds the largest 5000 of x [N, 6000] and their places;
/// node "head" makes 4 scores of the former.
void write_large_topk_model(const std::string& path);

/// Batches in memory.
class MemoryCalibrator : public INT8Calibrator {
 public:
  explicit MemoryCalibrator(std::vector<Batch> batches) : batches_(std::move(batches)) {}

  bool next_batch(Batch& batch) override {
    ++calls;
    if (next_ == batches_.size()) return false;
    batch = batches_[next_++];
    return true;
  }
  bool reset() override {
    if (!repeatable && next_ > 0) return false;
    next_ = 0;
    return true;
  }
  std::string manifest_hash() const override { return manifest; }
  std::vector<std::int64_t> labels() const override { return classes.empty() ? classes : classes_of_last_batch(); }

  std::vector<std::int64_t> classes;  ///< of all samples, in order; may be empty
  int calls = 0;
  bool repeatable = true;
  std::string manifest = "00000000000000000000000000000001";

 private:
  std::vector<std::int64_t> classes_of_last_batch() const {
    std::int64_t begin = 0;
    for (std::size_t i = 0; i + 1 < next_; ++i) begin += batches_[i].begin()->second.dim(0);
    const std::int64_t count = batches_[next_ - 1].begin()->second.dim(0);
    return {classes.begin() + begin, classes.begin() + begin + count};
  }

  std::vector<Batch> batches_;
  std::size_t next_ = 0;
};

/// `count` samples for the model above, `size` a batch (the last may be short).
inline std::vector<INT8Calibrator::Batch> two_input_batches(std::int64_t count, std::int64_t size) {
  const Tensor left = random_tensor({count, 8}, 1);
  const Tensor right = random_tensor({count, 8}, 2);
  std::vector<INT8Calibrator::Batch> batches;
  for (std::int64_t begin = 0; begin < count; begin += size) {
    const std::int64_t end = std::min(count, begin + size);
    batches.push_back({{"left", left.rows(begin, end)}, {"right", right.rows(begin, end)}});
  }
  return batches;
}

/// Expects exactly one kind of error with all of these parts.
template <class Type, class F>
void expect_error(F&& call, std::initializer_list<const char*> parts) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown; expected: " << (parts.size() > 0 ? *parts.begin() : "an error");
  } catch (const Type& error) {
    for (const char* part : parts) EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error: " << error.what();
  }
}

}  // namespace xinfer::builders::testing
