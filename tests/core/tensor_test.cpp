#include "xinfer/core/tensor.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <limits>

#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string message_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Tensor, StartsZeroedAndAligned) {
  const Tensor tensor(DataType::kFloat32, {3, 5});
  EXPECT_THAT(tensor.data<float>(), Each(0.0F));
  EXPECT_EQ(tensor.numel(), 15);
  EXPECT_EQ(tensor.bytes(), 60U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0U);
}

TEST(Tensor, ScalarHoldsOneValueAndAnEmptyAxisNone) {
  EXPECT_EQ(Tensor(DataType::kInt64, {}).numel(), 1);
  EXPECT_EQ(Tensor(DataType::kInt64, {4, 0, 2}).numel(), 0);
}

TEST(Tensor, RefusesShapesThatCantBe) {
  EXPECT_THAT(message_of([] { Tensor(DataType::kInt8, {2, -1}); }), HasSubstr("[2, -1]"));
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_THAT(message_of([&] { Tensor(DataType::kInt8, {huge, huge}); }), HasSubstr("too large"));
}

TEST(Tensor, FromCopiesAndChecksTheCount) {
  std::vector<float> values = {1, 2, 3, 4};
  const Tensor tensor = Tensor::from<float>({2, 2}, values);
  values[0] = 9;
  EXPECT_THAT(tensor.data<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(message_of([&] { Tensor::from<float>({3}, values); }), HasSubstr("holds 3 values, but 4"));
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  Tensor tensor = Tensor::from<std::int32_t>({2}, std::vector<std::int32_t>{1, 2});
  Tensor shared = tensor;
  const Tensor clone = tensor.clone();
  shared.data<std::int32_t>()[0] = 7;
  EXPECT_EQ(tensor.data<std::int32_t>()[0], 7);
  EXPECT_EQ(clone.data<std::int32_t>()[0], 1);
}

TEST(Tensor, RowsShareMemoryAndStayInside) {
  Tensor tensor = Tensor::from<float>({3, 2}, std::vector<float>{0, 1, 2, 3, 4, 5});
  Tensor middle = tensor.rows(1, 2);
  EXPECT_THAT(middle.shape(), ElementsAre(1, 2));
  middle.data<float>()[0] = 20;
  EXPECT_THAT(tensor.data<float>(), ElementsAre(0, 1, 20, 3, 4, 5));
  EXPECT_THAT(message_of([&] { tensor.rows(2, 4); }), HasSubstr("rows 2..4"));
  EXPECT_THAT(message_of([] { Tensor(DataType::kFloat32, {}).rows(0, 1); }), HasSubstr("outside"));
}

TEST(Tensor, ReshapeKeepsTheCount) {
  const Tensor tensor(DataType::kUInt8, {2, 6});
  EXPECT_THAT(tensor.reshaped({3, 4}).shape(), ElementsAre(3, 4));
  EXPECT_THAT(message_of([&] { static_cast<void>(tensor.reshaped({5})); }), HasSubstr("[2, 6]"));
}

TEST(Tensor, ReadingAsAnotherTypeIsAnError) {
  const Tensor tensor(DataType::kUInt8, {2});
  EXPECT_THAT(message_of([&] { static_cast<void>(tensor.data<float>()); }), HasSubstr("u8 was read as f32"));
}

TEST(Tensor, NegativeAxesCountFromTheEnd) {
  const Tensor tensor(DataType::kFloat32, {2, 3, 4});
  EXPECT_EQ(tensor.dim(-1), 4);
  EXPECT_EQ(tensor.dim(0), 2);
  EXPECT_THAT(message_of([&] { static_cast<void>(tensor.dim(3)); }), HasSubstr("axis 3"));
}

}  // namespace
}  // namespace xinfer
