// New scales for an engine without its model.
#include "xinfer/builders/recalibrate.h"

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "builders/helpers.h"
#include "builders/range_table.h"
#include "engine/engine_file.h"
#include "gpu/compiler.h"
#include "ir/printer.h"
#include "onnx/reader.h"
#include "passes/pipeline.h"
#include "quantize/calibrate.h"
#include "quantize/plan.h"
#include "quantize/to_float.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The samples of two_input_batches(), times `factor`; their absolute values when `positive`.
std::vector<INT8Calibrator::Batch> scaled(std::int64_t count, std::int64_t size, float factor, bool positive = false) {
  std::vector<INT8Calibrator::Batch> batches = two_input_batches(count, size);
  for (auto& batch : batches) {
    for (auto& [name, tensor] : batch) {
      tensor = tensor.clone();
      for (float& x : tensor.data<float>()) x = factor * (positive ? std::abs(x) : x);
    }
  }
  return batches;
}

std::shared_ptr<MemoryCalibrator> over(std::vector<INT8Calibrator::Batch> batches,
                                       const std::string& manifest = "new") {
  auto calibrator = std::make_shared<MemoryCalibrator>(std::move(batches));
  calibrator->manifest = manifest;
  return calibrator;
}

const ScaleChange& change_of(const RecalibrationReport& report, const std::string& tensor) {
  for (const ScaleChange& c : report.changes) {
    if (c.tensor == tensor) return c;
  }
  throw std::out_of_range(tensor);
}

std::string fact(const engine::EngineFile& file, const std::string& key) {
  for (const auto& [k, value] : file.facts) {
    if (k == key) return value;
  }
  return "(none)";
}

/// Nodes in the same order; constants and types the same; scales too unless `scales` is false.
void expect_same_graph(const ir::Graph& a, const ir::Graph& b, bool scales) {
  const auto order = a.order(), other = b.order();
  ASSERT_EQ(order.size(), other.size());
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(a.node(order[i]).name, b.node(other[i]).name);
  ASSERT_EQ(a.value_count(), b.value_count());
  for (std::size_t i = 0; i < a.value_count(); ++i) {
    const ir::Value& wanted = a.value(static_cast<ir::ValueId>(i));
    const ir::ValueId id = b.find_value(wanted.name);
    ASSERT_NE(id, ir::kNone) << wanted.name;
    const ir::Value& got = b.value(id);
    EXPECT_EQ(got.dtype, wanted.dtype) << wanted.name;
    ASSERT_EQ(got.is_constant(), wanted.is_constant()) << wanted.name;
    if (scales || wanted.is_constant()) {
      EXPECT_EQ(got.quantization, wanted.quantization) << wanted.name;
    }
    if (!wanted.is_constant()) continue;
    ASSERT_EQ(got.constant->bytes(), wanted.constant->bytes()) << wanted.name;
    EXPECT_EQ(std::memcmp(got.constant->raw(), wanted.constant->raw(), wanted.constant->bytes()), 0) << wanted.name;
  }
}

class Recalibrates : public ::testing::Test {
 protected:
  Recalibrates() {
    write_two_input_model(model_);
    build(over(two_input_batches(64, 8), "old"));
  }

  void build(const std::shared_ptr<MemoryCalibrator>& calibrator) {
    EngineBuilder builder;
    builder.from_onnx(model_).with_int8(calibrator).with_max_batch_size(4).with_accuracy_check(4);
    builder.with_labels({"a", "b", "c", "d"}).build_and_save(old_);
    std::filesystem::remove(model_);
  }

  TempDir dir_;
  std::string model_ = dir_ / "two.onnx";
  std::string old_ = dir_ / "old.engine";
  std::string new_ = dir_ / "new.engine";
};

TEST_F(Recalibrates, FollowsTheDataAndKeepsEverythingElse) {
  const RecalibrationReport report = recalibrate(old_, over(scaled(64, 8, 4)), new_);
  EXPECT_EQ(report.samples, 64);
  EXPECT_EQ(report.compared, 64);
  EXPECT_NEAR(change_of(report, "left").change(), 3, 0.8);
  EXPECT_NEAR(change_of(report, "right").change(), 3, 0.8);
  EXPECT_GT(change_of(report, "left").clipped, 0.2);
  EXPECT_GT(report.after.sqnr_db, 25);
  EXPECT_LT(report.before.sqnr_db, report.after.sqnr_db - 10);
  EXPECT_TRUE(report.after.top1_agreement.has_value());
  EXPECT_TRUE(report.remarks.empty());

  const engine::EngineFile before = engine::load(old_);
  const engine::EngineFile after = engine::load(new_);
  expect_same_graph(before.graph, after.graph, false);
  EXPECT_EQ(after.labels, before.labels);
  EXPECT_EQ(after.max_batch, 4);
  EXPECT_EQ(after.target, before.target);
  EXPECT_EQ(after.decisions.size(), before.decisions.size());
  EXPECT_EQ(fact(after, "model hash"), fact(before, "model hash"));
  EXPECT_EQ(fact(after, "calibration"), "64 samples, ranges by auto");
  EXPECT_EQ(fact(after, "calibration data hash"), "new");
  EXPECT_EQ(fact(after, "recalibrated"), "on 64 samples, data hash new");
  EXPECT_NE(fact(before, "SQNR on calibration data"), "(none)");
  EXPECT_EQ(fact(after, "SQNR on calibration data"), "(none)");
  EXPECT_EQ(after.ranges.size(), report.changes.size());
  const runtime::InferenceEngine engine(new_);
  EXPECT_EQ(engine.infer({random_tensor({2, 8}, 1), random_tensor({2, 8}, 2)}).front().dim(0), 2);
}

TEST_F(Recalibrates, TheSameDataChangeLittle) {
  const RecalibrationReport report = recalibrate(old_, over(two_input_batches(64, 8)), new_);
  for (const ScaleChange& c : report.changes) EXPECT_NEAR(c.change(), 0, 0.25) << c.tensor;
  EXPECT_NEAR(report.after.sqnr_db, report.before.sqnr_db, 3);
}

TEST_F(Recalibrates, DependsOnTheSetOfSamplesOnly) {
  auto batches = scaled(64, 8, 2);
  recalibrate(old_, over(batches), new_);
  const std::string once = read_file(new_);
  std::reverse(batches.begin(), batches.end());
  RecalibrateOptions options;
  options.threads = 1;
  recalibrate(old_, over(batches), new_, options);
  EXPECT_EQ(read_file(new_), once);
  recalibrate(old_, over(scaled(64, 5, 2)), old_);
  EXPECT_EQ(read_file(old_), once) << "in place";
}

TEST_F(Recalibrates, MethodsDiffer) {
  RecalibrateOptions options;
  options.method = RangeMethod::kMinMax;
  const RecalibrationReport report = recalibrate(old_, over(two_input_batches(64, 8)), new_, options);
  float largest = 0;
  for (const auto& batch : two_input_batches(64, 8)) {
    for (const float x : batch.at("left").data<float>()) largest = std::max(largest, std::abs(x));
  }
  EXPECT_NEAR(change_of(report, "left").after, largest, 1e-5);
  EXPECT_EQ(fact(engine::load(new_), "calibration"), "64 samples, ranges by minmax");
}

TEST_F(Recalibrates, ATensorOfZerosKeepsItsScale) {
  auto batches = two_input_batches(16, 8);
  for (auto& batch : batches) batch["left"] = Tensor(DataType::kFloat32, {8, 8});
  const RecalibrationReport report = recalibrate(old_, over(batches), new_);
  EXPECT_NEAR(change_of(report, "left").change(), 0, 1e-6);
  ASSERT_EQ(report.remarks.size(), 1U);
  EXPECT_THAT(report.remarks[0], HasSubstr("'left' was zero"));
}

TEST_F(Recalibrates, StoresWhatTheNewDataShow) {
  recalibrate(old_, over(scaled(64, 8, 4)), new_);
  runtime::RuntimeOptions options;
  options.drift_sample_period = 1;
  const auto shares = [&](const std::string& path) {
    const runtime::InferenceEngine engine(path, options);
    for (const auto& batch : scaled(64, 1, 4)) engine.infer({batch.at("left"), batch.at("right")});
    return engine.drift();
  };
  for (const runtime::TensorDrift& t : shares(new_).tensors) {
    ASSERT_TRUE(t.expected.has_value()) << t.tensor;
    EXPECT_DOUBLE_EQ(*t.expected, t.share()) << "the samples are the same";
    EXPECT_FALSE(t.drifted()) << t.tensor;
  }
  int drifted = 0;
  for (const runtime::TensorDrift& t : shares(old_).tensors) drifted += t.drifted() ? 1 : 0;
  EXPECT_GE(drifted, 2);
}

TEST_F(Recalibrates, ReportsAsTextAndJson) {
  const RecalibrationReport report = recalibrate(old_, over(scaled(64, 8, 4)), new_);
  EXPECT_THAT(report.to_text(), AllOf(HasSubstr("old.engine -> "), HasSubstr("64 samples, ranges by auto"),
                                      HasSubstr("tensors, changed by"), HasSubstr("  old scales  SQNR")));
  const auto json = nlohmann::json::parse(report.to_json());
  EXPECT_EQ(json["changes"].size(), report.changes.size());
  EXPECT_EQ(json["samples"], 64);
  EXPECT_LT(json["before"]["sqnr_db"], json["after"]["sqnr_db"]);
}

TEST_F(Recalibrates, StopsWhenProgressSaysSoAndLeavesNothing) {
  for (const BuildStage stage :
       {BuildStage::kCalibrate, BuildStage::kQuantize, BuildStage::kCheck, BuildStage::kSave}) {
    RecalibrateOptions options;
    options.progress = [&](BuildStage now, std::int64_t, std::int64_t) { return now != stage; };
    expect_error<CancelledError>([&] { recalibrate(old_, over(two_input_batches(8, 4)), new_, options); }, {});
    EXPECT_FALSE(std::filesystem::exists(new_)) << name_of(stage);
  }
}

class OtherPreprocessing : public MemoryCalibrator {
 public:
  using MemoryCalibrator::MemoryCalibrator;
  Preprocessing preprocessing() const override { return {{{PreprocessStep::Kind::kResize, {8, 8}, {}, ""}}}; }
};

TEST_F(Recalibrates, RefusesWhatDoesNotFit) {
  expect_error<CalibrationError>([&] { recalibrate(old_, nullptr, new_); }, {"no calibrator"});
  expect_error<CalibrationError>([&] { recalibrate(old_, over({}), new_); }, {"no images"});
  expect_error<EngineError>([&] { recalibrate(dir_ / "none", over(two_input_batches(8, 4)), new_); }, {"none"});
  expect_error<Error>([&] { recalibrate(old_, over(two_input_batches(8, 4)), dir_ / "no/new.engine"); }, {"no"});
  const auto other = std::make_shared<OtherPreprocessing>(two_input_batches(8, 4));
  expect_error<CalibrationError>([&] { recalibrate(old_, other, new_); }, {"preprocessed", "resize"});
  write_two_input_model(model_);
  EngineBuilder plain;
  plain.from_onnx(model_).build_and_save(old_);
  expect_error<EngineError>([&] { recalibrate(old_, over(two_input_batches(8, 4)), new_); }, {"no layer in INT8"});
  EXPECT_FALSE(std::filesystem::exists(new_));
}

TEST_F(Recalibrates, KeepsGpuKernelsOrMakesTheMissingOnes) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  write_two_input_model(model_);
  EngineBuilder builder;
  builder.from_onnx(model_).with_int8(over(scaled(64, 8, 1, true))).with_max_batch_size(2).with_accuracy_check(0);
  builder.with_gpu_archs({"80"}).with_batches({1, 2}).build_and_save(old_);
  const engine::EngineFile before = engine::load(old_);
  const auto keys = [](const engine::EngineFile& file) {
    std::vector<std::string> result;
    for (const engine::DeviceKernel& kernel : file.cuda.value().kernels) result.push_back(kernel.key);
    return result;
  };
  EXPECT_TRUE(recalibrate(old_, over(scaled(64, 8, 3, true)), new_).remarks.empty());
  EXPECT_EQ(keys(engine::load(new_)), keys(before));

  const RecalibrationReport report = recalibrate(old_, over(two_input_batches(64, 8)), new_);
  EXPECT_TRUE(change_of(report, "left").new_type) << "unsigned before, when nothing negative was seen";
  ASSERT_EQ(report.remarks.size(), 1U);
  EXPECT_THAT(report.remarks[0], HasSubstr("other GPU kernels"));
  const engine::EngineFile after = engine::load(new_);
  EXPECT_NE(keys(after), keys(before));
  EXPECT_EQ(after.target, before.target);
  EXPECT_EQ(after.cuda->batches, before.cuda->batches);
}

TEST_F(Recalibrates, KeepsOnTheHostWhatTheBuildLeftThere) {
  if (!gpu::compiler_available()) GTEST_SKIP() << gpu::why_no_compiler();
  write_large_topk_model(model_);
  const auto over_x = [](float scale) {
    std::vector<INT8Calibrator::Batch> batches;
    for (std::uint32_t i = 0; i < 4; ++i) {
      batches.push_back({{"x", random_tensor({2, 6000}, i)}});
      for (float& x : batches.back()["x"].data<float>()) x *= scale;
    }
    return std::make_shared<MemoryCalibrator>(batches);
  };
  EngineBuilder builder;
  builder.from_onnx(model_).with_int8(over_x(1)).with_max_batch_size(2).with_accuracy_check(0);
  builder.with_gpu_archs({"80"}).with_batches({2}).with_cpu_fallback(true).build_and_save(old_);
  const auto host_nodes = [](const std::string& path) {
    std::vector<std::string> names;
    const engine::EngineFile file = engine::load(path);
    for (const engine::HostNode& host : file.cuda.value().host_nodes) names.push_back(host.node);
    return names;
  };
  ASSERT_EQ(host_nodes(old_), std::vector<std::string>{"best"});
  EXPECT_TRUE(recalibrate(old_, over_x(2), new_).remarks.empty());
  EXPECT_EQ(host_nodes(new_), std::vector<std::string>{"best"});
}

TEST(RecalibratesANetwork, ToFloatIsUndoneByQuantizeAcrossAFile) {
  ir::Graph graph = onnx::read(std::string(XINFER_SOURCE_DIR) + "/models/fashion_mobilenet_v2.onnx", {});
  passes::run_default(graph);
  const auto shared = std::make_shared<const ir::Graph>(graph);
  quantize::Calibrator calibrator(graph, quantize::cpu_runner(shared));
  const std::vector<Tensor> images = {random_tensor(graph.value(graph.inputs()[0]).shape.at(4), 3)};
  calibrator.add(images);
  const quantize::Ranges ranges = calibrator.finish().table.pick(quantize::RangeMethod::kAuto);
  engine::EngineFile file;
  file.graph = quantize::quantize(graph, ranges).graph;
  const TempDir dir;
  engine::save(file, dir / "e");
  const engine::EngineFile loaded = engine::load(dir / "e");
  const quantize::FloatForm form = quantize::to_float(loaded.graph);
  EXPECT_EQ(form.graph.node_count(), graph.node_count());
  expect_same_graph(file.graph, quantize::quantize(form.graph, ranges, form.options).graph, true);
}

}  // namespace
}  // namespace xinfer::builders::testing
