#include "ir/shape.h"

#include <limits>

#include "helpers.h"

namespace xinfer::ir {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(Dim, PrintsConstantsAndMultiplesOfTheBatch) {
  EXPECT_EQ(to_string(Dim(7)), "7");
  EXPECT_EQ(to_string(N), "N");
  EXPECT_EQ(to_string(Dim::n(64)), "64N");
  EXPECT_EQ(to_string(Shape{N, 3, Dim::n(2)}), "[N, 3, 2N]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

TEST(Dim, ArithmeticStaysLinear) {
  EXPECT_EQ(add(N, Dim::n(2)), Dim::n(3));
  EXPECT_EQ(add(0, N), N);
  EXPECT_EQ(subtract(Dim::n(3), N), Dim::n(2));
  EXPECT_EQ(subtract(N, N), Dim(0));
  EXPECT_EQ(subtract(0, N), Dim::n(-1));
  EXPECT_EQ(multiply(N, 197), Dim::n(197));
  EXPECT_EQ(multiply(N, 0), Dim(0));
  EXPECT_EQ(divide(Dim::n(12), 4), Dim::n(3));
  EXPECT_EQ(divide(Dim::n(12), Dim::n(5)), Dim(2));
  EXPECT_EQ(divide(-7, 2), Dim(-3));
  EXPECT_EQ(divide(7, -1), Dim(-7));
  EXPECT_EQ(divide(Dim::n(3), Dim::n(-1)), Dim(-3));
}

TEST(Dim, ArithmeticRefusesWhatIsNotLinear) {
  expect_throw<UnsupportedError>([] { add(N, 1); }, {"N + 1", "multiple of the batch size"});
  expect_throw<UnsupportedError>([] { subtract(1, N); }, {"1 - N"});
  expect_throw<UnsupportedError>([] { multiply(N, N); }, {"N * N"});
  expect_throw<UnsupportedError>([] { divide(Dim::n(3), 2); }, {"3N / 2"});
  expect_throw<UnsupportedError>([] { divide(6, N); }, {"6 / N"});
  expect_throw<ModelError>([] { divide(6, 0); }, {"divided by zero"});
  expect_throw<ModelError>([] { multiply(kMax, 2); }, {"64 bits"});
  expect_throw<ModelError>([] { add(kMax, 1); }, {"64 bits"});
  expect_throw<ModelError>([] { divide(kMin, -1); }, {"64 bits"});
}

TEST(Shape, CountsElementsSymbolically) {
  EXPECT_EQ((Shape{N, 197, 768}.element_count()), Dim::n(197 * 768));
  EXPECT_EQ(Shape{}.element_count(), Dim(1));
  expect_throw<UnsupportedError>([] { Shape{N, N}.element_count(); }, {"N * N"});
  EXPECT_EQ((Shape{Dim::n(2), 3}.at(4)), (std::vector<std::int64_t>{8, 3}));
  EXPECT_TRUE((Shape{1, 2}.is_static()));
  EXPECT_FALSE((Shape{N, 2}.is_static()));
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast({N, 1, 768}, {1, 197, 768}), (Shape{N, 197, 768}));
  EXPECT_EQ(broadcast({N, 3}, {N, 1}), (Shape{N, 3}));
  EXPECT_EQ(broadcast({}, {N, 2}), (Shape{N, 2}));
  EXPECT_EQ(broadcast({0}, {1}), (Shape{0}));
  expect_throw<ModelError>([] { broadcast({N, 2}, {4, 2}); }, {"[N, 2]", "[4, 2]", "broadcast"});
  expect_throw<ModelError>([] { broadcast({N}, {Dim::n(2)}); }, {"[N]", "[2N]"});
  expect_throw<ModelError>([] { broadcast({3}, {0}); }, {"[3]", "[0]"});
}

TEST(Shape, NormalizesAxes) {
  EXPECT_EQ(normalize_axis(-1, 4), 3U);
  EXPECT_EQ(normalize_axis(0, 4), 0U);
  expect_throw<ModelError>([] { normalize_axis(4, 4); }, {"axis 4", "rank 4"});
  expect_throw<ModelError>([] { normalize_axis(-5, 4); }, {"axis -5"});
  expect_throw<ModelError>([] { normalize_axis(0, 0); }, {"rank 0"});
}

TEST(SliceRange, ClampsAsOnnx) {
  const auto check = [](std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t size) {
    const SliceRange range = slice_range(start, end, step, size);
    std::vector<std::int64_t> picked;
    for (std::int64_t i = 0; i < range.count; ++i) picked.push_back(range.start + i * range.step);
    return picked;
  };
  using Indices = std::vector<std::int64_t>;
  EXPECT_EQ(check(0, kMax, 1, 4), (Indices{0, 1, 2, 3}));
  EXPECT_EQ(check(1, -1, 1, 4), (Indices{1, 2}));
  EXPECT_EQ(check(0, kMax, 2, 5), (Indices{0, 2, 4}));
  EXPECT_EQ(check(-1, kMin, -1, 3), (Indices{2, 1, 0}));
  EXPECT_EQ(check(100, 0, -2, 6), (Indices{5, 3, 1}));
  EXPECT_EQ(check(3, 3, 1, 5), (Indices{}));
  EXPECT_EQ(check(4, 2, 1, 5), (Indices{}));
  EXPECT_EQ(check(kMin, kMax, kMax, 5), (Indices{0}));
  EXPECT_EQ(check(kMax, kMin, kMin, 5), (Indices{4}));
  EXPECT_EQ(check(0, kMax, 1, 0), (Indices{}));
  expect_throw<ModelError>([] { slice_range(0, 1, 0, 4); }, {"step 0"});
}

}  // namespace
}  // namespace xinfer::ir
