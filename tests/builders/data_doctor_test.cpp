// The examination of calibration images.
#include "builders/data_doctor.h"

#include <algorithm>
#include <numeric>

#include "builders/helpers.h"
#include "builders/range_growth.h"
#include "builders/sample_stream.h"
#include "ir/graph.h"

namespace xinfer::builders::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// y = relu(x), with x [N, 3, 8, 8].
ir::Graph picture_graph() {
  ir::Graph graph;
  const ir::ValueId x = graph.add_input("x", DataType::kFloat32, {ir::Dim::n(), 3, 8, 8});
  ir::UnaryAttrs relu;
  relu.kind = ir::UnaryKind::kRelu;
  graph.set_outputs({graph.add(ir::OpType::kUnary, "relu", {x}, relu)});
  return graph;
}

struct Picture {
  Tensor tensor;
  std::string name;
  std::vector<float> maxima;
};

/// Pictures of noise whose `tensors` maxima hardly differ.
std::vector<Picture> usual_pictures(int count, int tensors = 20) {
  std::vector<Picture> pictures;
  std::mt19937 random(3);
  for (int i = 0; i < count; ++i) {
    Picture picture{random_tensor({1, 3, 8, 8}, static_cast<std::uint32_t>(100 + i)), "p" + std::to_string(i), {}};
    for (int t = 0; t < tensors; ++t) picture.maxima.push_back(1.0F + 1e-4F * static_cast<float>(random() % 100));
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

struct Result {
  DataQuality quality;
  std::vector<Finding> findings;
};

Result examine(const std::vector<Picture>& pictures) {
  const ir::Graph graph = picture_graph();
  DataDoctor doctor(graph);
  for (const Picture& picture : pictures) {
    const std::vector<Tensor> image = {picture.tensor};
    if (!picture.maxima.empty()) doctor.add_maxima(image, picture.maxima);
    doctor.add(image, picture.name.empty() ? std::vector<std::string>{} : std::vector<std::string>{picture.name});
  }
  Result result;
  result.quality = doctor.finish(result.findings);
  return result;
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += finding.where + ": " + finding.cause + "; " + finding.remedy + "\n";
  return text;
}

std::string text_of(const Result& result) {
  std::string text = text_of(result.findings);
  for (const auto* list : {&result.quality.stretching, &result.quality.duplicates, &result.quality.constant}) {
    for (const ImageRemark& remark : *list) text += remark.image + ": " + remark.remark + "\n";
  }
  for (const CurvePoint& point : result.quality.curve) {
    text += std::to_string(point.images) + " " + std::to_string(point.worst_change) + " " +
            std::to_string(point.median_change) + "\n";
  }
  return text;
}

TEST(RangeGrowth, IsTheMeanOverAllChoices) {
  const std::vector<float> descending = {10, 7, 7, 4, 3, 1};
  for (int count = 1; count <= 6; ++count) {
    double sum = 0;
    int choices = 0;
    for (unsigned mask = 0; mask < 64; ++mask) {
      if (std::popcount(mask) != count) continue;
      float largest = 0;
      for (unsigned i = 0; i < 6; ++i) {
        if ((mask >> i & 1U) != 0) largest = std::max(largest, descending[i]);
      }
      sum += (10 - largest) / 10;
      ++choices;
    }
    EXPECT_NEAR(expected_shortfall(descending, count), sum / choices, 1e-6) << count;
  }
}

TEST(RangeGrowth, FindsWhereRangesSettle) {
  std::vector<TensorMaxima> tensors(20);
  for (std::size_t t = 0; t < 20; ++t) {
    for (int i = 0; i < 300; ++i) tensors[t].push_back(static_cast<float>(50 + (i * 7 + static_cast<int>(t)) % 50));
  }
  const RangeGrowth growth = range_growth(tensors);
  std::vector<std::int64_t> counts;
  for (const CurvePoint& point : growth.curve) counts.push_back(point.images);
  EXPECT_THAT(counts, ElementsAre(1, 2, 4, 8, 16, 25, 50, 100, 200, 300));
  EXPECT_TRUE(std::ranges::is_sorted(growth.curve, std::greater<>(), &CurvePoint::median_change));
  EXPECT_EQ(growth.curve.back().worst_change, 0);
  EXPECT_NEAR(growth.curve.front().median_change, 0.25, 0.01);
  // The largest of k uniform numbers lies 1 / (k + 1) of their width below the end: here of half the range.
  EXPECT_NEAR(static_cast<double>(growth.settled_after), 9, 1);
  EXPECT_EQ(growth.half.images, 150);
  EXPECT_LT(growth.half.worst_change, 0.01);
}

TEST(RangeGrowth, DeadTensorsDoNotCount) {
  EXPECT_THAT(range_growth({TensorMaxima{0, 0}, TensorMaxima{0, 0}}).curve, IsEmpty());
  const RangeGrowth growth = range_growth({TensorMaxima{0, 0}, TensorMaxima{1, 0}});
  EXPECT_NEAR(growth.curve.front().median_change, 0.5, 1e-9);
}

TEST(DataDoctor, HasNothingToSayOfAGoodSet) {
  const Result result = examine(usual_pictures(100));
  EXPECT_EQ(text_of(result.findings), "");
  EXPECT_EQ(result.quality.images, 100);
  EXPECT_EQ(result.quality.converged_after, 1);
  EXPECT_THAT(result.quality.stretching, IsEmpty());
  EXPECT_THAT(result.quality.duplicates, IsEmpty());
  EXPECT_THAT(result.quality.constant, IsEmpty());
}

TEST(DataDoctor, NamesDuplicates) {
  auto pictures = usual_pictures(20);
  pictures[11].tensor = pictures[4].tensor;
  pictures[11].maxima = pictures[4].maxima;
  const Result result = examine(pictures);
  ASSERT_EQ(result.quality.duplicates.size(), 1U);
  EXPECT_EQ(result.quality.duplicates[0].image, "p4");  // "p11" comes first by name
  EXPECT_THAT(result.quality.duplicates[0].remark, HasSubstr("p11"));
  EXPECT_THAT(text_of(result.findings), HasSubstr("1 of 20 repeat others: p4 = p11"));
}

TEST(DataDoctor, NamesImagesWithoutContent) {
  auto pictures = usual_pictures(20);
  for (std::size_t c = 0; c < 3; ++c) {  // one colour, of which each channel is constant
    std::ranges::fill(pictures[7].tensor.data<float>().subspan(c * 64, 64), static_cast<float>(c));
  }
  const Result result = examine(pictures);
  ASSERT_EQ(result.quality.constant.size(), 1U);
  EXPECT_EQ(result.quality.constant[0].image, "p7");
  EXPECT_THAT(text_of(result.findings), HasSubstr("1 of 20 hold almost nothing: p7"));
}

TEST(DataDoctor, NamesImagesThatStretchRanges) {
  auto pictures = usual_pictures(100);
  for (std::size_t t = 0; t < 8; ++t) pictures[30].maxima[t] = 3;   // of 20 tensors
  for (std::size_t t = 0; t < 12; ++t) pictures[60].maxima[t] = 5;  // doesn't hide the other
  for (std::size_t t = 0; t < 4; ++t) pictures[90].maxima[t] = 9;   // too few tensors
  const Result result = examine(pictures);
  ASSERT_EQ(result.quality.stretching.size(), 2U) << text_of(result);
  EXPECT_EQ(result.quality.stretching[0].image, "p60");
  EXPECT_EQ(result.quality.stretching[1].image, "p30");
  EXPECT_THAT(result.quality.stretching[1].remark, HasSubstr("8 of 20 tensors by up to 19"));
  EXPECT_THAT(text_of(result.findings), HasSubstr("p60: widens the range of 12 of 20 tensors"));
}

TEST(DataDoctor, AsksForMoreImagesWhileRangesGrow) {
  auto pictures = usual_pictures(30);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    for (float& x : pictures[i].maxima) x = std::pow(1.08F, static_cast<float>(i));
  }
  const Result result = examine(pictures);
  EXPECT_FALSE(result.quality.converged_after.has_value());
  EXPECT_THAT(text_of(result.findings),
              HasSubstr("30 are too few: with half of them, the usual range falls 7 % short, the worst 7 %"));
  EXPECT_THAT(text_of(examine(usual_pictures(1)).findings), HasSubstr("there is only 1;"));
  EXPECT_THAT(text_of(examine(usual_pictures(15)).findings), HasSubstr("there are only 15;"));
  EXPECT_EQ(text_of(examine(usual_pictures(16)).findings), "");
}

TEST(DataDoctor, OneStrangeImageAsksForNoMore) {
  auto pictures = usual_pictures(100);
  for (float& x : pictures[60].maxima) x = 5;
  const Result result = examine(pictures);
  EXPECT_FALSE(result.quality.converged_after.has_value());  // all ranges hang on one image
  EXPECT_EQ(result.findings.size(), 1U) << text_of(result);
  EXPECT_EQ(result.findings[0].where, "p60");
}

TEST(DataDoctor, SaysNothingOfRangesWithoutMaxima) {
  auto pictures = usual_pictures(3);
  for (Picture& picture : pictures) picture.maxima.clear();
  const Result result = examine(pictures);
  EXPECT_EQ(text_of(result), "");
}

TEST(DataDoctor, SaysTheSameInAnyOrderAndBatch) {
  auto pictures = usual_pictures(60);
  std::mt19937 random(5);
  for (Picture& picture : pictures) {
    for (float& x : picture.maxima) x *= 1 + static_cast<float>(random() % 1000) / 1000;
  }
  for (float& x : pictures[30].maxima) x = 9;
  pictures[11] = {pictures[4].tensor.clone(), "p11", pictures[4].maxima};
  pictures[12] = {pictures[4].tensor.clone(), "p12", pictures[4].maxima};
  std::ranges::fill(pictures[20].tensor.data<float>(), 0.5F);
  const std::string wanted = text_of(examine(pictures));
  EXPECT_THAT(wanted, ::testing::AllOf(HasSubstr("p11"), HasSubstr("p20"), HasSubstr("p30")));
  for (int round = 0; round < 3; ++round) {
    std::ranges::shuffle(pictures, random);
    EXPECT_EQ(text_of(examine(pictures)), wanted);
  }
  const ir::Graph graph = picture_graph();
  DataDoctor doctor(graph);
  for (std::size_t begin = 0; begin < 60; begin += 7) {
    const std::size_t end = std::min<std::size_t>(60, begin + 7);
    Tensor batch(DataType::kFloat32, {static_cast<std::int64_t>(end - begin), 3, 8, 8});
    std::vector<std::string> names;
    for (std::size_t i = begin; i < end; ++i) {
      std::ranges::copy(pictures[i].tensor.data<float>(), batch.data<float>().subspan((i - begin) * 192).begin());
      names.push_back(pictures[i].name);
    }
    doctor.add(std::vector<Tensor>{batch}, names);
  }
  for (const Picture& picture : pictures) doctor.add_maxima(std::vector<Tensor>{picture.tensor}, picture.maxima);
  Result batched;
  batched.quality = doctor.finish(batched.findings);
  EXPECT_EQ(text_of(batched), wanted);
}

TEST(DataDoctor, NumbersImagesWithoutNames) {
  auto pictures = usual_pictures(12);
  for (Picture& picture : pictures) picture.name.clear();
  pictures[10].tensor = pictures[9].tensor;
  EXPECT_THAT(text_of(examine(pictures).findings), HasSubstr("sample 10 = sample 9"));
}

TEST(DataDoctor, RefusesAnotherNumberOfTensors) {
  const ir::Graph graph = picture_graph();
  DataDoctor doctor(graph);
  const auto pictures = usual_pictures(2);
  doctor.add_maxima(std::vector<Tensor>{pictures[0].tensor}, pictures[0].maxima);
  EXPECT_THROW(doctor.add_maxima(std::vector<Tensor>{pictures[1].tensor}, std::vector<float>{1}), Error);
}

class NamedCalibrator : public MemoryCalibrator {
 public:
  using MemoryCalibrator::MemoryCalibrator;
  std::vector<std::string> sample_names() const override { return names; }
  std::vector<std::string> names;
};

TEST(SampleNames, GoWithTheirBatch) {
  const ir::Graph graph = picture_graph();
  NamedCalibrator calibrator({{{"x", random_tensor({2, 3, 8, 8}, 1)}}, {{"x", random_tensor({1, 3, 8, 8}, 2)}}});
  SampleStream stream(graph, calibrator, true);
  EXPECT_THAT(stream.sample_names(), IsEmpty());
  calibrator.names = {"a", "b"};
  ASSERT_TRUE(stream.next().has_value());
  EXPECT_THAT(stream.sample_names(), ElementsAre("a", "b"));
  expect_error<CalibrationError>([&] { stream.next(); }, {"2 names for 1 samples"});
}

}  // namespace
}  // namespace xinfer::builders::testing
