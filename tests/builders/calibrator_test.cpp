// Calibration data from calibrators of the user's own: what is taken, and what is refused.
#include <cmath>

#include "builders/helpers.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::HasSubstr;

class Calibrators : public ::testing::Test {
 protected:
  Calibrators() { write_two_input_model(model_); }

  EngineBuilder builder_for(std::vector<INT8Calibrator::Batch> batches) {
    calibrator_ = std::make_shared<MemoryCalibrator>(std::move(batches));
    EngineBuilder builder;
    builder.from_onnx(model_).with_int8(calibrator_).with_max_batch_size(8).with_accuracy_check(16);
    return builder;
  }
  /// Expects a CalibrationError when building on these batches, and no engine file.
  void expect_refused(std::vector<INT8Calibrator::Batch> batches, std::initializer_list<const char*> parts) {
    EngineBuilder builder = builder_for(std::move(batches));
    const std::size_t before = dir_.entries();
    expect_error<CalibrationError>([&] { builder.build_and_save(dir_ / "e.engine"); }, parts);
    EXPECT_EQ(dir_.entries(), before);
  }

  TempDir dir_;
  std::string model_ = dir_ / "two.onnx";
  std::shared_ptr<MemoryCalibrator> calibrator_;
};

TEST_F(Calibrators, TwoNamedInputs) {
  EngineBuilder builder = builder_for(two_input_batches(64, 5));
  const runtime::InferenceEngine engine = builder.build();
  EXPECT_EQ(builder.report().calibration_samples, 64);
  ASSERT_TRUE(builder.report().accuracy.has_value());
  EXPECT_EQ(builder.report().accuracy->samples, 16);
  EXPECT_GT(builder.report().accuracy->sqnr_db, 25);
  EXPECT_GE(builder.report().int8_nodes, 3U) << builder.report().to_text();

  EngineBuilder plain;
  plain.from_onnx(model_).with_max_batch_size(8);
  const runtime::InferenceEngine reference = plain.build();
  const std::vector<Tensor> inputs = {random_tensor({8, 8}, 5), random_tensor({8, 8}, 6)};
  const Tensor wanted = reference.infer(inputs).front();
  const Tensor got = engine.infer(inputs).front();
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < wanted.data<float>().size(); ++i) {
    signal += std::pow(wanted.data<float>()[i], 2);
    noise += std::pow(wanted.data<float>()[i] - got.data<float>()[i], 2);
  }
  EXPECT_GT(10 * std::log10(signal / noise), 25);
}

TEST_F(Calibrators, AStreamThatCannotBeRepeatedIsCalibratedButNotChecked) {
  EngineBuilder builder = builder_for(two_input_batches(16, 16));
  calibrator_->repeatable = false;
  builder.build();
  EXPECT_FALSE(builder.report().accuracy.has_value());
  EXPECT_THAT(builder.report().to_text(), HasSubstr("can't repeat"));
}

TEST_F(Calibrators, WrongNames) {
  auto batches = two_input_batches(4, 4);
  auto renamed = batches;
  renamed[0]["rihgt"] = renamed[0]["right"];
  renamed[0].erase("right");
  expect_refused(renamed, {"no data for input 'right'", "'left', 'rihgt'"});
  auto unnamed = batches;
  unnamed[0][""] = unnamed[0]["right"];
  unnamed[0].erase("right");
  expect_refused(unnamed, {"no data for input 'right'"});
  auto more = batches;
  more[0]["up"] = more[0]["right"];
  expect_refused(more, {"'up'", "no input of the model"});
  expect_refused({{}}, {"no data for input 'left'", "gives nothing"});
}

TEST_F(Calibrators, WrongShapesAndTypes) {
  auto batches = two_input_batches(4, 4);
  batches[0]["right"] = random_tensor({4, 9}, 1);
  expect_refused(batches, {"'right'", "[4, 9]", "[N, 8]"});
  batches[0]["right"] = random_tensor({4, 8, 1}, 1);
  expect_refused(batches, {"'right'", "[4, 8, 1]"});
  batches[0]["right"] = Tensor(DataType::kInt64, {4, 8});
  expect_refused(batches, {"'right'", "f32", "s64"});
  batches[0]["right"] = Tensor();
  expect_refused(batches, {"'right'", "nothing"});
  batches[0]["right"] = random_tensor({3, 8}, 1);
  expect_refused(batches, {"'right'", "3"});
}

TEST_F(Calibrators, ALaterBatchIsCheckedLikeTheFirst) {
  auto batches = two_input_batches(8, 4);
  batches[1]["left"] = random_tensor({4, 7}, 1);
  expect_refused(batches, {"'left'", "[4, 7]"});
}

TEST_F(Calibrators, NoSamples) {
  expect_refused({}, {"no images"});
  expect_refused({{{"left", Tensor(DataType::kFloat32, {0, 8})}, {"right", Tensor(DataType::kFloat32, {0, 8})}}}, {});
}

TEST_F(Calibrators, NanAndInfinity) {
  for (const float bad : {NAN, INFINITY}) {
    auto batches = two_input_batches(4, 2);
    batches[1]["left"] = batches[1]["left"].clone();
    batches[1]["left"].data<float>()[3] = bad;
    expect_refused(batches, {"'left'", "image 2"});
  }
}

TEST_F(Calibrators, AllZeroIsADeadRange) {
  expect_refused({{{"left", Tensor(DataType::kFloat32, {4, 8})}, {"right", Tensor(DataType::kFloat32, {4, 8})}}},
                 {"'left'", "zero"});
}

TEST_F(Calibrators, WhatACalibratorThrowsEndsTheBuild) {
  class Failing : public INT8Calibrator {
   public:
    bool next_batch(Batch&) override { throw DataError("the camera is unplugged"); }
    bool reset() override { return true; }
  };
  EngineBuilder builder;
  builder.from_onnx(model_).with_int8(std::make_shared<Failing>());
  expect_error<DataError>([&] { builder.build_and_save(dir_ / "e.engine"); }, {"camera is unplugged"});
  EXPECT_EQ(dir_.entries(), 1U);
}

TEST_F(Calibrators, NullIsRefusedAtOnce) {
  EngineBuilder builder;
  expect_error<CalibrationError>([&] { builder.with_int8(nullptr); }, {"no calibrator"});
}

}  // namespace
}  // namespace xinfer::builders::testing
