// Building and saving: what stops a build, the calibration cache, determinism, and the report.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "builders/helpers.h"
#include "core/hash.h"
#include "engine/engine_file.h"
#include "gpu/compiler.h"
#include "gpu/device.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class Builds : public ::testing::Test {
 protected:
  Builds() { write_two_input_model(model_); }

  EngineBuilder int8(std::int64_t samples = 24, std::int64_t batch = 8) {
    calibrator_ = std::make_shared<MemoryCalibrator>(two_input_batches(samples, batch));
    EngineBuilder builder;
    builder.from_onnx(model_).with_int8(calibrator_).with_max_batch_size(4).with_accuracy_check(0);
    return builder;
  }

  TempDir dir_;
  std::string model_ = dir_ / "two.onnx";
  std::string engine_ = dir_ / "two.engine";
  std::shared_ptr<MemoryCalibrator> calibrator_;
};

TEST_F(Builds, StopWhenProgressSaysSoAndLeaveNothing) {
  for (const BuildStage stage :
       {BuildStage::kRead, BuildStage::kCalibrate, BuildStage::kQuantize, BuildStage::kCheck, BuildStage::kSave}) {
    EngineBuilder builder = int8();
    bool reached = false;
    builder.with_accuracy_check(4).with_progress([&](BuildStage now, std::int64_t, std::int64_t) {
      reached = reached || now == stage;
      return now != stage;
    });
    expect_error<CancelledError>([&] { builder.build_and_save(engine_); }, {});
    EXPECT_TRUE(reached) << name_of(stage);
    EXPECT_EQ(dir_.entries(), 1U) << name_of(stage);
  }
}

TEST_F(Builds, ProgressCountsSamples) {
  std::int64_t calibrated = 0;
  std::int64_t checked = 0;
  EngineBuilder builder = int8(24, 7);
  builder.with_accuracy_check(10).with_progress([&](BuildStage stage, std::int64_t done, std::int64_t) {
    if (stage == BuildStage::kCalibrate) calibrated = done;
    if (stage == BuildStage::kCheck) checked = done;
    return true;
  });
  builder.build();
  EXPECT_EQ(calibrated, 24);
  EXPECT_EQ(checked, 10);
}

TEST_F(Builds, FailBeforeTheLongWorkWhenTheOutputCannotBeWritten) {
  EngineBuilder builder = int8();
  expect_error<Error>([&] { builder.build_and_save(dir_ / "missing/two.engine"); }, {"missing", "does not exist"});
  expect_error<Error>([&] { builder.build_and_save(dir_ / "."); }, {"could not write"});
  expect_error<Error>([&] { builder.calibrate_and_save(dir_ / "missing/two.calib"); }, {"does not exist"});
  builder.with_calibration_cache(dir_ / "missing/two.calib");
  expect_error<Error>([&] { builder.build_and_save(engine_); }, {"two.calib"});
  EXPECT_EQ(calibrator_->calls, 0);
  EXPECT_EQ(dir_.entries(), 1U);
}

TEST_F(Builds, AFullDiskIsAnError) {
  EngineBuilder builder = int8();
  expect_error<Error>([&] { builder.build_and_save("/dev/full"); }, {"/dev/full", "No space left"});
}

TEST_F(Builds, WrongOrders) {
  EngineBuilder nothing;
  expect_error<ModelError>([&] { nothing.build(); }, {"no model"});
  expect_error<Error>([&] { nothing.with_max_batch_size(0); }, {"at least 1"});
  expect_error<Error>([&] { nothing.with_threads(-1); }, {"-1"});
  nothing.from_onnx(dir_ / "missing.onnx");
  expect_error<ModelError>([&] { nothing.build(); }, {"missing.onnx"});
  EngineBuilder plain;
  plain.from_onnx(model_).with_precision("*", Precision::kFloat32);
  expect_error<Error>([&] { plain.build(); }, {"with_int8"});
  expect_error<CalibrationError>([&] { plain.calibrate_and_save(dir_ / "c"); }, {"needs data"});
}

TEST_F(Builds, PrecisionPatterns) {
  EngineBuilder wrong = int8();
  wrong.with_precision("no_such_layer*", Precision::kFloat32);
  expect_error<Error>([&] { wrong.build(); }, {"no_such_layer*"});
  EngineBuilder builder = int8();
  builder.with_precision("left*", Precision::kFloat32);
  builder.build();
  bool seen = false;
  for (const NodeReport& node : builder.report().nodes) {
    if (node.node.rfind("left", 0) == 0) {
      seen = true;
      EXPECT_EQ(node.precision, "fp32");
      EXPECT_FALSE(node.reason.empty());
    }
    if (node.node == "head") {
      EXPECT_EQ(node.precision, "int8") << node.reason;
    }
  }
  EXPECT_TRUE(seen);
  EngineBuilder none = int8();
  none.with_precision("*", Precision::kFloat32);
  expect_error<CalibrationError>([&] { none.build(); }, {"no node", "INT8"});
}

TEST_F(Builds, GiveTheSameBytesForTheSameData) {
  int8(24, 8).build_and_save(dir_ / "a");
  int8(24, 8).build_and_save(dir_ / "b");
  int8(24, 5).build_and_save(dir_ / "c");  // other batches
  auto samples = two_input_batches(24, 1);
  std::shuffle(samples.begin(), samples.end(), std::mt19937(3));
  EngineBuilder shuffled;
  shuffled.from_onnx(model_)
      .with_int8(std::make_shared<MemoryCalibrator>(samples))
      .with_max_batch_size(4)
      .with_accuracy_check(0);
  shuffled.build_and_save(dir_ / "d");
  const std::string bytes = read_file(dir_ / "a");
  EXPECT_TRUE(bytes == read_file(dir_ / "b")) << "two builds differ";
  EXPECT_TRUE(bytes == read_file(dir_ / "c")) << "the batch size shows";
  EXPECT_TRUE(bytes == read_file(dir_ / "d")) << "the order shows";
  auto other = two_input_batches(24, 8);
  other[0]["left"] = random_tensor({8, 8}, 99);
  EngineBuilder changed;
  changed.from_onnx(model_).with_int8(std::make_shared<MemoryCalibrator>(other)).with_max_batch_size(4);
  changed.with_accuracy_check(0).build_and_save(dir_ / "e");
  EXPECT_FALSE(bytes == read_file(dir_ / "e")) << "other data must show";
}

TEST_F(Builds, UseACacheThatMatches) {
  const std::string cache = dir_ / "two.calib";
  int8().with_effort(0).with_calibration_cache(cache).build_and_save(dir_ / "a");
  EngineBuilder again = int8();
  const BuildReport report = again.with_effort(0).with_calibration_cache(cache).build_and_save(dir_ / "b");
  EXPECT_TRUE(report.calibration_from_cache);
  EXPECT_EQ(report.calibration_samples, 0);
  EXPECT_EQ(calibrator_->calls, 0);
  EXPECT_TRUE(report.remarks.empty());
  EXPECT_THAT(report.to_text(), HasSubstr("from the cache"));
  EXPECT_TRUE(read_file(dir_ / "a") == read_file(dir_ / "b"));
  // calibrate_and_save() writes the same text.
  int8().calibrate_and_save(dir_ / "alone.calib");
  EXPECT_EQ(read_file(dir_ / "alone.calib"), read_file(cache));
}

TEST_F(Builds, ReadTheDataForWeightsWhenRangesAreCached) {
  const std::string cache = dir_ / "two.calib";
  int8().with_calibration_cache(cache).build_and_save(dir_ / "a");
  EXPECT_TRUE(int8().with_calibration_cache(cache).build_and_save(dir_ / "b").calibration_from_cache);
  EXPECT_GT(calibrator_->calls, 0);
  EXPECT_TRUE(read_file(dir_ / "a") == read_file(dir_ / "b"));
}

TEST_F(Builds, TakeFittedLayersFromTheCache) {
  const std::string cache = dir_ / "two.calib";
  EXPECT_FALSE(int8().with_calibration_cache(cache).build_and_save(dir_ / "a").layers_from_cache);
  const std::string fitted = read_file(cache + ".fit");
  EngineBuilder again = int8();
  const BuildReport report = again.with_calibration_cache(cache).build_and_save(dir_ / "b");
  EXPECT_TRUE(report.layers_from_cache);
  EXPECT_TRUE(report.remarks.empty());
  EXPECT_TRUE(read_file(dir_ / "a") == read_file(dir_ / "b"));
  EXPECT_TRUE(read_file(cache + ".fit") == fitted);
  // Whatever decides the outcome is part of the key.
  EngineBuilder harder = int8();
  EXPECT_FALSE(harder.with_effort(2).with_calibration_cache(cache).build_and_save(dir_ / "c").layers_from_cache);
  EXPECT_TRUE(int8().with_effort(2).with_calibration_cache(cache).build_and_save(dir_ / "c").layers_from_cache);
  EngineBuilder other = int8();
  other.with_range_method(RangeMethod::kMinMax).with_effort(2).with_calibration_cache(cache);
  EXPECT_FALSE(other.build_and_save(dir_ / "d").layers_from_cache);
  EngineBuilder without = int8();
  without.with_repair(Repair::kBiasCorrection, false).with_effort(2).with_calibration_cache(cache);
  EXPECT_FALSE(without.build_and_save(dir_ / "e").layers_from_cache);
  EngineBuilder data = int8();
  calibrator_->manifest = "00000000000000000000000000000002";
  EXPECT_FALSE(data.with_calibration_cache(cache).build_and_save(dir_ / "f").layers_from_cache);
}

TEST_F(Builds, MakeADamagedFitAgain) {
  const std::string cache = dir_ / "two.calib";
  int8().with_calibration_cache(cache).build_and_save(dir_ / "a");
  const std::string fitted = read_file(cache + ".fit");
  const auto build_with = [&](const std::string& text) {
    write_file_atomically(cache + ".fit", text);
    EngineBuilder builder = int8();
    const BuildReport report = builder.with_calibration_cache(cache).build_and_save(dir_ / "b");
    EXPECT_FALSE(report.layers_from_cache);
    EXPECT_THAT(report.remarks, Contains(HasSubstr("layers fitted again")));
    EXPECT_TRUE(read_file(dir_ / "a") == read_file(dir_ / "b"));
    EXPECT_TRUE(read_file(cache + ".fit") == fitted);
  };
  const auto signed_file = [](const std::string& body) {
    return fmt::format("xinfer-fit 1 {}\n{}", hash_bytes(body.data(), body.size()), body);
  };
  const std::string body = fitted.substr(fitted.find('\n') + 1);
  ASSERT_EQ(signed_file(body), fitted);
  build_with("");
  build_with("something else");
  build_with(signed_file(std::string(1 << 20, '[') + "\n"));  // deeper than any stack
  build_with(signed_file("{}\n"));
  build_with(signed_file(body.substr(0, body.size() - 1)));
  build_with(signed_file(body + '\0'));
  build_with(signed_file(body.substr(0, body.size() - 4) + std::string("\xff\xff\xff\x7f")));  // no number
  for (std::size_t at = 0; at < fitted.size(); at += std::max<std::size_t>(1, fitted.size() / 16)) {
    SCOPED_TRACE(at);
    build_with(fitted.substr(0, at));
    std::string changed = fitted;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    build_with(changed);
  }
}

TEST_F(Builds, SayWhenACacheDoesNotMatch) {
  const std::string cache = dir_ / "two.calib";
  int8().with_calibration_cache(cache).build();
  EngineBuilder other = int8();
  calibrator_->manifest = "00000000000000000000000000000002";
  other.with_calibration_cache(cache).build();
  EXPECT_FALSE(other.report().calibration_from_cache);
  EXPECT_THAT(other.report().remarks, Contains(AllOf(HasSubstr("cache not used"), HasSubstr("images"))));
  EngineBuilder same = int8();
  calibrator_->manifest = "00000000000000000000000000000002";
  same.with_calibration_cache(cache).build();
  EXPECT_TRUE(same.report().calibration_from_cache) << "the cache is written anew";
  write_file_atomically(cache, "not a cache\n");
  EngineBuilder damaged = int8();
  damaged.with_calibration_cache(cache).build();
  EXPECT_THAT(damaged.report().remarks, Contains(HasSubstr("cache not used")));
}

TEST_F(Builds, Report) {
  EngineBuilder builder = int8();
  const BuildReport report = builder.with_accuracy_check(8).build_and_save(engine_);
  EXPECT_EQ(report.engine, engine_);
  EXPECT_EQ(report.engine_bytes, std::filesystem::file_size(engine_));
  EXPECT_EQ(report.precision, "int8");
  EXPECT_EQ(report.model_hash.size(), 32U);
  ASSERT_EQ(report.speed.size(), 1U);
  EXPECT_THAT(report.to_text(), AllOf(HasSubstr("24 samples"), HasSubstr("SQNR"), HasSubstr("nodes in INT8")));
  const auto json = nlohmann::json::parse(report.to_json());
  EXPECT_EQ(json.at("precision"), "int8");
  EXPECT_EQ(json.at("engine"), engine_);
  EXPECT_EQ(json.at("max_batch"), 4);
  EXPECT_EQ(json.at("calibration").at("samples"), 24);
  EXPECT_EQ(json.at("int8_nodes"), report.int8_nodes);
  EXPECT_EQ(json.at("nodes").size(), report.nodes.size());
  EXPECT_EQ(json.at("accuracy").at("samples"), 8);
  EXPECT_GT(json.at("speed").at(0).at("int8_ms"), 0);
  const runtime::InferenceEngine engine(engine_);
  std::vector<std::string> keys;
  for (const auto& [key, value] : engine.facts()) keys.push_back(key);
  EXPECT_THAT(keys, ::testing::IsSupersetOf({"model", "model hash", "precision", "calibration", "int8 nodes"}));
}

TEST_F(Builds, AFloatEngine) {
  EngineBuilder builder;
  Preprocessing steps;
  steps.steps.push_back({PreprocessStep::Kind::kScale, {}, {255}, ""});
  builder.from_onnx(model_).with_max_batch_size(2).with_labels({"a", "b"}).with_preprocessing(steps);
  const BuildReport report = builder.build_and_save(engine_);
  EXPECT_EQ(report.precision, "fp32");
  EXPECT_FALSE(nlohmann::json::parse(report.to_json()).contains("calibration"));
  const runtime::InferenceEngine engine(engine_);
  EXPECT_EQ(engine.labels(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(engine.preprocessing(), steps);
  EXPECT_EQ(engine.max_batch_size(), 2);
}

TEST_F(Builds, NodesThatTheGpuRefusesRunOnTheHostOnlyWhereThatIsAllowed) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  write_large_topk_model(model_);
  EngineBuilder builder;
  builder.from_onnx(model_).with_gpu_archs({"80"});
  expect_error<UnsupportedError>([&] { builder.build_and_save(engine_); }, {"'best'", "k is above", "--allow-cpu"});
  EXPECT_FALSE(std::filesystem::exists(engine_));
  builder.with_cpu_fallback(true);
  const BuildReport report = builder.build_and_save(engine_);
  ASSERT_EQ(report.remarks.size(), 1U);
  EXPECT_THAT(report.remarks[0], AllOf(HasSubstr("'best'"), HasSubstr("on the host"), HasSubstr("k is above")));
  EXPECT_THAT(report.to_text(), HasSubstr("note: node 'best'"));
  const runtime::InferenceEngine engine(engine_);
  ASSERT_EQ(engine.file().cuda.value().host_nodes.size(), 1U);
  EXPECT_EQ(engine.file().cuda->host_nodes[0].node, "best");
  write_two_input_model(model_);
  EXPECT_TRUE(builder.build_and_save(engine_).remarks.empty()) << "nothing has to run there";
}

TEST_F(Builds, LeaveOutOfInt8WhatMeasuresSlowerOnTheGpu) {
  if (gpu::device_count() == 0) GTEST_SKIP() << gpu::why_no_device();
  const auto slow = [](const BuildReport& report) {
    return std::ranges::count_if(report.nodes, [](const NodeReport& node) {
      return node.reason.find("INT8 was slower than FP16 here") != std::string::npos && node.precision == "fp32";
    });
  };
  const auto built = [&](bool never_slower) {
    EngineBuilder builder = int8();
    builder.with_device(runtime::Device::kCuda).with_batches({1, 4}).with_never_slower(never_slower);
    return builder.build_and_save(engine_);
  };
  EXPECT_EQ(slow(built(false)), 0);
  const BuildReport report = built(true);  // what is slower there, only the device knows
  const bool remarked = std::ranges::any_of(report.remarks, [](const std::string& remark) {
    return remark.find("stay in half precision") != std::string::npos;
  });
  EXPECT_EQ(remarked, slow(report) > 0);
  EXPECT_GT(report.int8_nodes, 0U);
  const runtime::InferenceEngine engine(engine_);
  EXPECT_EQ(engine.infer({random_tensor({3, 8}, 5), random_tensor({3, 8}, 6)})[0].shape(),
            (std::vector<std::int64_t>{3, 4}));

  EngineBuilder wished = int8();
  wished.with_device(runtime::Device::kCuda).with_batches({1, 4}).with_precision("*", Precision::kInt8);
  EXPECT_EQ(slow(wished.build_and_save(engine_)), 0) << "the user's wish wins";
}

TEST_F(Builds, DumpPasses) {
  EngineBuilder builder;
  builder.from_onnx(model_).with_pass_dumps(dir_ / "passes").build();
  EXPECT_THAT(read_file(dir_ / "passes/00_read.txt"), HasSubstr("left_relu"));
  EXPECT_THAT(read_file(dir_ / "passes/00_read.dot"), HasSubstr("digraph"));
}

}  // namespace
}  // namespace xinfer::builders::testing
