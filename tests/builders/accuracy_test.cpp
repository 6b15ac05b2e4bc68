// What a build does for accuracy: repairs, measurements, and precisions inside a budget.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "builders/helpers.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<INT8Calibrator::Batch> batches(std::int64_t count, std::int64_t size, std::uint32_t seed) {
  const Tensor x = random_tensor({count, 8}, seed);
  std::vector<INT8Calibrator::Batch> result;
  for (std::int64_t begin = 0; begin < count; begin += size) {
    result.push_back({{"x", x.rows(begin, std::min(count, begin + size))}});
  }
  return result;
}

class Accuracy : public ::testing::Test {
 protected:
  Accuracy() { write_outlier_model(model_); }

  /// By plain means: the extremes' ranges, rounding to nearest.
  EngineBuilder plain() { return std::move(int8().with_effort(0).with_range_method(RangeMethod::kMinMax)); }
  EngineBuilder int8(std::int64_t batch = 16) {
    EngineBuilder builder;
    builder.from_onnx(model_).with_int8(std::make_shared<MemoryCalibrator>(batches(200, batch, 1)));
    return std::move(builder.with_max_batch_size(4).with_accuracy_check(32));
  }
  /// Classes that the float model gives, for samples of this seed.
  std::vector<std::int64_t> classes(std::int64_t count, std::uint32_t seed) {
    EngineBuilder builder;
    const runtime::InferenceEngine engine = builder.from_onnx(model_).build();
    std::vector<std::int64_t> result;
    for (const auto& batch : batches(count, 1, seed)) {
      const auto scores = engine.infer(batch.at("x"));
      const auto row = scores.data<float>();
      result.push_back(std::max_element(row.begin(), row.end()) - row.begin());
    }
    return result;
  }
  std::shared_ptr<MemoryCalibrator> labelled(std::int64_t count, std::uint32_t seed) {
    auto data = std::make_shared<MemoryCalibrator>(batches(count, 16, seed));
    data->classes = classes(count, seed);
    return data;
  }
  static std::vector<std::string> float_nodes(const BuildReport& report) {
    std::vector<std::string> names;
    for (const NodeReport& node : report.nodes) {
      if (node.precision != "int8") names.push_back(node.node);
    }
    return names;
  }

  TempDir dir_;
  std::string model_ = dir_ / "outlier.onnx";
  std::string engine_ = dir_ / "outlier.engine";
};

TEST_F(Accuracy, PlainMeansFailAndTheDefaultRepairs) {
  EngineBuilder bad = plain();
  bad.build();
  EXPECT_LT(bad.report().accuracy->sqnr_db, 10);
  EngineBuilder good = int8();
  good.build();
  EXPECT_GT(good.report().accuracy->sqnr_db, 30);
  EXPECT_TRUE(float_nodes(good.report()).empty());
  EXPECT_THAT(good.report().quality.findings,
              Contains(AllOf(Field(&Finding::where, "first"), Field(&Finding::cause, HasSubstr("times the median")))));
  EXPECT_THAT(good.report().to_text(), HasSubstr("times the median"));
}

TEST_F(Accuracy, RepairsCanBeSwitchedOff) {
  EngineBuilder builder = int8();
  builder.with_range_method(RangeMethod::kMinMax).with_repair(Repair::kEqualization, false);
  builder.with_repair(Repair::kMigration, false).build();
  EXPECT_LT(builder.report().accuracy->sqnr_db, 20) << "nothing else helps here";
  for (const Repair repair : {Repair::kEqualization, Repair::kMigration}) {  // each alone does
    builder.with_repair(repair, true).build();
    EXPECT_GT(builder.report().accuracy->sqnr_db, 30) << name_of(repair);
    builder.with_repair(repair, false);
  }
  // Without any repair, effort 1 gives the weights of effort 0.
  const auto weights_of = [&](int effort, bool repairs) {
    EngineBuilder other = int8();
    other.with_effort(effort).with_accuracy_check(0).with_range_method(RangeMethod::kMse);
    for (const Repair repair :
         {Repair::kEqualization, Repair::kMigration, Repair::kWeightRounding, Repair::kBiasCorrection}) {
      other.with_repair(repair, repairs);
    }
    const runtime::InferenceEngine engine = other.build();
    return engine.infer(random_tensor({4, 8}, 9));
  };
  const Tensor none = weights_of(0, true);
  EXPECT_TRUE(std::ranges::equal(none.data<float>(), weights_of(1, false).data<float>()));
  EXPECT_FALSE(std::ranges::equal(none.data<float>(), weights_of(1, true).data<float>()));
}

TEST_F(Accuracy, ABudgetKeepsTheLoudLayerInFloat) {
  EngineBuilder builder = plain();
  builder.with_accuracy_budget(2);
  const BuildReport report = builder.build_and_save(engine_);
  EXPECT_THAT(float_nodes(report), ElementsAre("second"));
  EXPECT_GT(report.int8_nodes, 0U);
  const Quality& quality = report.quality;
  EXPECT_EQ(quality.metric, "top-1 agreement with FP32");
  EXPECT_EQ(quality.float_score, 100);
  EXPECT_GE(quality.int8_score.value(), 98);
  EXPECT_EQ(quality.budget, 2);
  ASSERT_GE(quality.pareto.size(), 2U);
  EXPECT_EQ(std::ranges::count_if(quality.pareto, &ParetoPoint::chosen), 1);
  for (const ParetoPoint& point : quality.pareto) {
    EXPECT_EQ(point.chosen, point.float_nodes == std::vector<std::string>{"second"});
    if (point.chosen) {
      EXPECT_NEAR(point.ms, report.speed[0].int8_ms, 1e-9) << "scaled to what was measured";
    }
  }
  EXPECT_THAT(quality.findings,
              Contains(AllOf(Field(&Finding::where, "second"), Field(&Finding::cause, HasSubstr("dB")),
                             Field(&Finding::remedy, HasSubstr("float")))));
  const auto second = std::ranges::find(report.nodes, "second", &NodeReport::node);
  EXPECT_THAT(second->reason, HasSubstr("accuracy budget"));
  EXPECT_THAT(report.to_text(), HasSubstr("within the budget of 2.00"));
  const runtime::InferenceEngine engine(engine_);
  EXPECT_THAT(engine.facts(), Contains(AllOf(Field(&std::pair<std::string, std::string>::first, quality.metric),
                                             Field(&std::pair<std::string, std::string>::second, HasSubstr("INT8")))));
}

TEST_F(Accuracy, ABudgetThatIsKeptAnywayChangesNothing) {
  EngineBuilder without = int8();
  without.build_and_save(dir_ / "a");
  EngineBuilder with = int8();
  const BuildReport report = with.with_accuracy_budget(5).build_and_save(dir_ / "b");
  EXPECT_TRUE(float_nodes(report).empty());
  ASSERT_EQ(report.quality.pareto.size(), 1U);
  EXPECT_TRUE(report.quality.pareto[0].chosen);
  const auto graph = [](const std::string& path) { return runtime::InferenceEngine(path).layers(); };
  EXPECT_EQ(graph(dir_ / "a").size(), graph(dir_ / "b").size());
}

TEST_F(Accuracy, ABudgetThatNoPlanKeepsFailsWithTheBestFound) {
  EngineBuilder builder = plain();
  builder.with_metric("exactness", [&](const Network& network) {
    // Only the float network gives exactly these scores.
    EngineBuilder exact;
    const runtime::InferenceEngine engine = exact.from_onnx(model_).build();
    const Tensor x = random_tensor({1, 8}, 5);
    const auto wanted = engine.infer(x);
    const auto got = network({x});
    return std::ranges::equal(wanted.data<float>(), got[0].data<float>()) ? 100.0 : 0.0;
  });
  builder.with_accuracy_budget(1);
  expect_error<CalibrationError>([&] { builder.build_and_save(engine_); }, {"budget of 1", "exactness", "in float"});
  EXPECT_EQ(dir_.entries(), 1U);
}

TEST_F(Accuracy, TheUsersOwnChoicesWin) {
  EngineBuilder builder = plain();
  builder.with_accuracy_budget(2).with_precision("second", Precision::kInt8);
  try {
    builder.build();
    EXPECT_THAT(float_nodes(builder.report()), Not(Contains("second")));
  } catch (const CalibrationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no plan"));
  }
  EngineBuilder by_operator = int8();
  expect_error<CalibrationError>([&] { by_operator.with_operator_precision("Linear", Precision::kFloat32).build(); },
                                 {"no node", "INT8"});
  EngineBuilder unknown = int8();
  expect_error<Error>([&] { unknown.with_operator_precision("Convolve", Precision::kFloat32); }, {"Convolve"});
  const std::string file = dir_ / "precision.json";
  write_file_atomically(file,
                        R"([{"operator": "Linear", "precision": "float"}, {"node": "head", "precision": "int8"}])");
  EngineBuilder from_file = int8();
  from_file.with_precision_file(file).build();
  EXPECT_THAT(float_nodes(from_file.report()), ElementsAre("first", "second"));
}

TEST_F(Accuracy, LabelsGiveTopK) {
  EngineBuilder builder = plain();
  builder.with_validation(labelled(64, 7)).build();
  EXPECT_EQ(builder.report().quality.metric, "top-1");
  EXPECT_EQ(builder.report().quality.float_score, 100) << "the labels are what the float model says";
  EXPECT_LT(builder.report().quality.int8_score.value(), 95);
  EngineBuilder loose = plain();
  loose.with_validation(labelled(64, 7), 4).build();
  EXPECT_EQ(loose.report().quality.metric, "top-4");
  EXPECT_EQ(loose.report().quality.int8_score, 100) << "there are four classes";
  EngineBuilder budget = plain();
  budget.with_validation(labelled(64, 7)).with_accuracy_budget(2).build();
  EXPECT_THAT(float_nodes(budget.report()), ElementsAre("second"));
}

TEST_F(Accuracy, ValidationDataThatDoNotFitAreRefused) {
  const auto rejects = [&](const std::shared_ptr<MemoryCalibrator>& data, const char* what) {
    EngineBuilder builder = int8();
    expect_error<CalibrationError>([&] { builder.with_validation(data).build_and_save(engine_); }, {what});
    EXPECT_EQ(dir_.entries(), 1U);
  };
  rejects(std::make_shared<MemoryCalibrator>(std::vector<INT8Calibrator::Batch>{}), "no samples");
  auto beyond = labelled(8, 7);
  beyond->classes[3] = 4;
  rejects(beyond, "class 4");
  EngineBuilder builder = int8();
  expect_error<Error>([&] { builder.with_validation(nullptr); }, {"no data"});
  expect_error<Error>([&] { builder.with_validation(beyond, 0); }, {"top-0"});
  expect_error<Error>([&] { builder.with_metric("m", nullptr); }, {"no metric"});
  expect_error<Error>([&] { builder.with_accuracy_budget(-0.1); }, {"-0.1"});
  expect_error<Error>([&] { builder.with_accuracy_budget(NAN); }, {"nan"});
  EngineBuilder fp32;
  expect_error<Error>([&] { fp32.from_onnx(model_).with_accuracy_budget(1).build(); }, {"with_int8"});
}

TEST_F(Accuracy, AMetricSeesBatches) {
  std::vector<std::vector<std::int64_t>> shapes;
  EngineBuilder builder = int8();
  builder.with_metric("mean", [&](const Network& network) {
    const std::vector<Tensor> outputs = network({random_tensor({5, 8}, 3)});
    shapes.push_back(outputs.at(0).shape());
    double sum = 0;
    for (const float x : outputs[0].data<float>()) sum += x;
    return sum;
  });
  builder.build();
  EXPECT_EQ(shapes.size(), 2U) << "float and INT8";
  EXPECT_THAT(shapes, Each(ElementsAre(5, 4)));
  EXPECT_NEAR(builder.report().quality.float_score.value(), builder.report().quality.int8_score.value(), 5);
  EXPECT_EQ(builder.report().quality.metric, "mean");
  EngineBuilder broken = int8();
  broken.with_metric("broken", [](const Network&) { return NAN; });
  expect_error<Error>([&] { broken.build(); }, {"broken", "nan"});
}

TEST_F(Accuracy, TheSearchDoesNotDependOnThreadsOrOrder) {
  const auto build = [&](const char* name, int threads, std::int64_t batch) {
    EngineBuilder builder = int8(batch);
    builder.with_effort(0).with_range_method(RangeMethod::kMinMax).with_accuracy_check(0);
    builder.with_accuracy_budget(2).with_threads(threads).build_and_save(dir_ / name);
    return read_file(dir_ / name);
  };
  const std::string bytes = build("a", 1, 16);
  EXPECT_TRUE(bytes == build("b", 1, 16)) << "two builds differ";
  EXPECT_TRUE(bytes == build("c", 3, 7)) << "threads or batches show";
}

TEST_F(Accuracy, MeasurementsFillTheReport) {
  EngineBuilder builder = int8();
  builder.with_labels({"a", "b", "c", "d"}).with_layer_measurements(true);
  const BuildReport report = builder.build_and_save(engine_);
  const Quality& quality = report.quality;
  ASSERT_EQ(quality.layers.size(), report.nodes.size());
  for (const LayerQuality& layer : quality.layers) {
    EXPECT_GT(layer.sqnr_db.value(), 20) << layer.node;
    EXPECT_TRUE(layer.int8_ms && layer.float_ms) << layer.node;
    if (layer.op == "Linear") {
      EXPECT_GT(layer.sensitivity_db.value(), 20) << layer.node;
    }
  }
  ASSERT_GE(quality.tensors.size(), 3U);
  for (const TensorQuality& tensor : quality.tensors) {
    EXPECT_EQ(tensor.histogram.size(), 64U) << tensor.tensor;
    EXPECT_NEAR(std::accumulate(tensor.histogram.begin(), tensor.histogram.end(), 0.0), 1, 1e-9) << tensor.tensor;
    EXPECT_GT(tensor.scale, 0);
    EXPECT_LT(tensor.min, tensor.max);
    EXPECT_TRUE(tensor.sqnr_db);
  }
  ASSERT_EQ(quality.outputs.size(), 1U);
  EXPECT_EQ(quality.outputs[0].output, "scores");
  EXPECT_GT(quality.outputs[0].sqnr_db, 25);
  EXPECT_GT(quality.outputs[0].cosine_min, 0.9);
  EXPECT_LT(quality.outputs[0].kl_divergence.value(), 0.1);
  EXPECT_FALSE(quality.worst.empty());
  EXPECT_EQ(quality.data.images, 200);
  EXPECT_GE(quality.data.curve.size(), 3U);
  EXPECT_FALSE(quality.environment.cpu.empty());
  EXPECT_FALSE(quality.environment.os.empty());
  write_report(report, dir_ / "report.html");
  EXPECT_THAT(read_file(dir_ / "report.html"), AllOf(HasSubstr("second"), HasSubstr("</html>")));
  EXPECT_EQ(nlohmann::json::parse(report.to_json()).at("layers").size(), report.nodes.size());
}

TEST_F(Accuracy, DataThatCannotBeRepeatedAreReadOnce) {
  auto data = std::make_shared<MemoryCalibrator>(batches(200, 16, 1));
  data->repeatable = false;
  EngineBuilder builder;
  builder.from_onnx(model_).with_int8(data).build();
  EXPECT_THAT(builder.report().remarks, Contains(HasSubstr("channels were not balanced")));
  EXPECT_EQ(builder.report().calibration_samples, 200);
  EXPECT_EQ(builder.report().quality.data.images, 200);
}

}  // namespace
}  // namespace xinfer::builders::testing
