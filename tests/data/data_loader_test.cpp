#include <gmock/gmock.h>

#include <chrono>
#include <iterator>
#include <set>
#include <stdexcept>
#include <thread>

#include "data/helpers.h"
#include "xinfer/core/errors.h"
#include "xtorch/xtorch.h"

namespace {

using namespace data_test;
using namespace xt::datasets;
using namespace xt::dataloaders;
using testing::ElementsAre;
using testing::HasSubstr;

static_assert(std::input_iterator<ExtendedDataLoader::Iterator>);
static_assert(std::copyable<ExtendedDataLoader>);
static_assert(std::copyable<ImageFolder>);

/// Sample i is the one number i. Some samples fail, are left out, or have another shape.
class Numbers : public Dataset {
 public:
  explicit Numbers(std::size_t count, std::set<std::size_t> failing = {}, std::set<std::size_t> left_out = {},
                   std::set<std::size_t> longer = {})
      : count_(count), failing_(std::move(failing)), left_out_(std::move(left_out)), longer_(std::move(longer)) {}

  std::size_t size() const override { return count_; }
  Sample get(std::size_t index) const override {
    // Early samples take longer, so that later ones overtake them.
    std::this_thread::sleep_for(std::chrono::microseconds(index % 3 == 0 ? 300 : 20));
    if (failing_.contains(index)) {
      throw std::runtime_error("sample " + std::to_string(index));
    }
    const std::vector<float> values(longer_.contains(index) ? 2 : 1, static_cast<float>(index));
    return {xinfer::Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values),
            static_cast<std::int64_t>(index * 10), "number " + std::to_string(index)};
  }
  std::optional<Sample> try_get(std::size_t index) const override {
    return left_out_.contains(index) ? std::nullopt : std::optional(get(index));
  }

 private:
  std::size_t count_;
  std::set<std::size_t> failing_;
  std::set<std::size_t> left_out_;
  std::set<std::size_t> longer_;
};

std::vector<int> values(const Batch& batch) {
  const auto data = batch.data.data<float>();
  return {data.begin(), data.end()};
}

std::vector<std::vector<int>> epoch(ExtendedDataLoader& loader) {
  std::vector<std::vector<int>> batches;
  for (const Batch& batch : loader) {
    batches.push_back(values(batch));
  }
  return batches;
}

class Loader : public testing::TestWithParam<int> {};  // number of workers

INSTANTIATE_TEST_SUITE_P(Workers, Loader, testing::Values(0, 1, 4, kAllCores));

TEST_P(Loader, KeepsTheOrderAndTheShortLastBatch) {
  ExtendedDataLoader loader(Numbers(8), 3, false, GetParam());
  EXPECT_EQ(loader.size(), 3U);
  EXPECT_EQ(loader.dataset_size(), 8U);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(0, 1, 2));
  EXPECT_THAT(batch.data.shape(), ElementsAre(3, 1));
  EXPECT_THAT(batch.labels, ElementsAre(0, 10, 20));
  EXPECT_THAT(batch.paths, ElementsAre("number 0", "number 1", "number 2"));
  ASSERT_TRUE(loader.next(batch));
  ASSERT_TRUE(loader.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(6, 7));
  EXPECT_THAT(batch.data.shape(), ElementsAre(2, 1));
  EXPECT_FALSE(loader.next(batch));
  EXPECT_FALSE(loader.next(batch));
  loader.reset();
  ASSERT_TRUE(loader.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(0, 1, 2));
}

TEST_P(Loader, ThrowsTheErrorOfASampleInItsBatchAndAgain) {
  ExtendedDataLoader loader(Numbers(20, {5, 6}), 2, false, GetParam());
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  ASSERT_TRUE(loader.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(2, 3));
  for (int round = 0; round < 2; ++round) {
    try {
      loader.next(batch);
      FAIL() << "no error";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "sample 5");
    }
  }
  EXPECT_THAT(values(batch), ElementsAre(2, 3));  // untouched
  loader.reset();
  EXPECT_TRUE(loader.next(batch));
}

TEST_P(Loader, FillsBatchesPastLeftOutSamples) {
  ExtendedDataLoader loader(Numbers(7, {}, {0, 3, 6}), 2, false, GetParam());
  EXPECT_THAT(epoch(loader), ElementsAre(ElementsAre(1, 2), ElementsAre(4, 5)));
  ExtendedDataLoader none(Numbers(3, {}, {0, 1, 2}), 2, false, GetParam());
  Batch batch;
  EXPECT_THROW(none.next(batch), xinfer::DataError);
}

TEST_P(Loader, RefusesUnequalShapesAndNamesBoth) {
  ExtendedDataLoader loader(Numbers(4, {}, {}, {3}), 2, false, GetParam());
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  try {
    loader.next(batch);
    FAIL() << "no error";
  } catch (const xinfer::DataError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("number 2"), HasSubstr("number 3"), HasSubstr("Resize")));
  }
}

TEST_P(Loader, CanBeDestroyedAtAnyPoint) {
  for (int batches = 0; batches < 5; ++batches) {
    ExtendedDataLoader loader(Numbers(50, {40}), 4, true, GetParam());
    Batch batch;
    for (int i = 0; i < batches; ++i) {
      try {
        loader.next(batch);
      } catch (const std::runtime_error&) {
      }
    }
  }
}

TEST_P(Loader, ShuffleIsAPermutationFixedBySeedAndEpoch) {
  ExtendedDataLoader loader(Numbers(30), 30, true, GetParam(), 2, 5);
  const std::vector<int> first = epoch(loader).at(0);
  const std::vector<int> second = epoch(loader).at(0);
  EXPECT_NE(first, second);
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 30U);
  ExtendedDataLoader same(Numbers(30), 30, true, 2, 1, 5);
  EXPECT_EQ(epoch(same).at(0), first);
  EXPECT_EQ(epoch(same).at(0), second);
  ExtendedDataLoader other(Numbers(30), 30, true, 2, 1, 6);
  EXPECT_NE(epoch(other).at(0), first);
}

TEST(DataLoader, ShuffledOrderIsTheSameEverywhere) {
  ExtendedDataLoader loader(Numbers(6), 6, true);
  // Written down once; another order would silently change what a seed means.
  EXPECT_THAT(epoch(loader), ElementsAre(ElementsAre(1, 4, 2, 3, 5, 0)));
}

TEST(DataLoader, CopiesAreIndependent) {
  ExtendedDataLoader loader(Numbers(6), 2);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  ExtendedDataLoader copy = loader;
  ASSERT_TRUE(copy.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(0, 1));
  ASSERT_TRUE(loader.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(2, 3));
  copy = loader;
  ASSERT_TRUE(copy.next(batch));
  EXPECT_THAT(values(batch), ElementsAre(0, 1));
}

TEST(DataLoader, LoadsOnlyThePrefetchedBatchesAhead) {
  struct Counting : Numbers {
    explicit Counting(std::shared_ptr<std::atomic<int>> loads) : Numbers(100), loads(std::move(loads)) {}
    Sample get(std::size_t index) const override {
      ++*loads;
      return Numbers::get(index);
    }
    std::shared_ptr<std::atomic<int>> loads;
  };
  const auto loads = std::make_shared<std::atomic<int>>(0);
  ExtendedDataLoader loader(Counting(loads), 5, false, 4, 2);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(loads->load(), 5 + 2 * 5);
}

TEST(DataLoader, RefusesBadSettings) {
  EXPECT_THROW(ExtendedDataLoader(Numbers(1), 0), xinfer::Error);
  EXPECT_THROW(ExtendedDataLoader(Numbers(1), -3), xinfer::Error);
  EXPECT_THROW(ExtendedDataLoader(Numbers(1), 1, false, -2), xinfer::Error);
  EXPECT_THROW(ExtendedDataLoader(Numbers(1), 1, false, 1, 0), xinfer::Error);
  EXPECT_THROW(ExtendedDataLoader(std::shared_ptr<const Dataset>(), 1), xinfer::Error);
}

TEST(DataLoader, AnEmptyDatasetHasNoBatches) {
  ExtendedDataLoader loader(Numbers(0), 4);
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
  EXPECT_EQ(loader.size(), 0U);
}

TEST(DataLoader, HugeBatchSizesDoNotOverflow) {
  ExtendedDataLoader loader(Numbers(3), INT64_MAX, false, 2, INT64_MAX);
  EXPECT_THAT(epoch(loader), ElementsAre(ElementsAre(0, 1, 2)));
}

TEST(DataLoader, AUsersDatasetHasADescriptionAndAHash) {
  const ExtendedDataLoader loader(Numbers(3), 1);
  EXPECT_FALSE(loader.preprocessing().replayable());
  EXPECT_EQ(loader.manifest_hash(), ExtendedDataLoader(Numbers(3), 2).manifest_hash());
  EXPECT_NE(loader.manifest_hash(), ExtendedDataLoader(Numbers(4), 1).manifest_hash());
}

// The way a calibration program uses it: names and argument types as in xTorch.
TEST(DataLoader, CalibrationProgram) {
  const TempDir dir;
  for (int i = 0; i < 5; ++i) {
    write_file(dir / (std::to_string(i) + ".jpg"), encode_jpeg(pattern(40 + i, 60 - i, i)));
  }
  write_file(dir / "9.jpg", {'x'});
  const auto make_loader = [&](int workers, const ImageFolder& dataset) {
    return ExtendedDataLoader(dataset, 2, false, workers);
  };
  auto calibration_dataset = xt::datasets::ImageFolder(
      dir.path().string(),
      xt::transforms::Compose(
          {std::make_shared<xt::transforms::image::Resize>(std::vector<int64_t>{32, 32}),
           std::make_shared<xt::transforms::general::Normalize>(std::vector<float>{0.485F, 0.456F, 0.406F},
                                                                std::vector<float>{0.229F, 0.224F, 0.225F})}),
      {xt::datasets::BrokenImages::kSkip});
  xt::dataloaders::ExtendedDataLoader calib_loader(calibration_dataset, 32, false);
  Batch all;
  ASSERT_TRUE(calib_loader.next(all));
  EXPECT_THAT(all.data.shape(), ElementsAre(5, 3, 32, 32));
  ASSERT_EQ(calibration_dataset.skipped().size(), 1U);
  EXPECT_THAT(calibration_dataset.skipped()[0].path, testing::EndsWith("9.jpg"));
  EXPECT_EQ(xinfer::to_string(calib_loader.preprocessing()),
            "resize 32x32, normalize mean 0.485,0.456,0.406 std 0.229,0.224,0.225");

  for (const int workers : {1, 4}) {
    ExtendedDataLoader loader = make_loader(workers, calibration_dataset);
    std::int64_t row = 0;
    for (const Batch& batch : loader) {
      const xinfer::Tensor expected = all.data.rows(row, row + batch.data.dim(0));
      ASSERT_TRUE(
          std::equal(batch.data.data<float>().begin(), batch.data.data<float>().end(), expected.data<float>().begin()));
      row += batch.data.dim(0);
    }
    EXPECT_EQ(row, 5);
  }
}

}  // namespace
