#include "ir/cost.h"

#include <gtest/gtest.h>

namespace xinfer::ir {
namespace {

class CountsCost : public ::testing::Test {
 protected:
  ValueId input(const char* name, Shape shape) { return graph_.add_input(name, DataType::kFloat32, std::move(shape)); }
  ValueId weights(const char* name, std::vector<std::int64_t> shape) {
    return graph_.add_constant(name, Tensor(DataType::kFloat32, std::move(shape)));
  }
  Cost cost(ValueId output, std::int64_t batch) const {
    return cost_of(graph_, graph_.node(graph_.value(output).producer), batch);
  }
  Graph graph_;
};

TEST_F(CountsCost, OfAConvolution) {
  const ValueId x = input("x", {Dim::n(), 6, 10, 12});
  ConvAttrs attrs;
  attrs.strides = {2, 2};
  attrs.groups = 2;
  const ValueId y = graph_.add(OpType::kConv, "conv", {x, weights("w", {8, 3, 3, 3})}, attrs);  // -> N, 8, 4, 5
  const Cost cost = this->cost(y, 4);
  EXPECT_EQ(cost.macs, 4.0 * 8 * 4 * 5 * (3 * 3 * 3));
  EXPECT_EQ(cost.operations(), 2 * cost.macs);
  EXPECT_EQ(cost.bytes, 4.0 * (4 * 6 * 10 * 12 + 8 * 3 * 3 * 3 + 4 * 8 * 4 * 5));
}

TEST_F(CountsCost, OfATransposedConvolution) {
  const ValueId x = input("x", {Dim::n(), 6, 5, 5});
  const ValueId y = graph_.add(OpType::kConvTranspose, "up", {x, weights("w", {6, 7, 2, 2})}, ConvAttrs{});
  EXPECT_EQ(cost(y, 2).macs, 2.0 * 6 * 5 * 5 * (7 * 2 * 2));
}

TEST_F(CountsCost, OfProductsOfMatrices) {
  const ValueId x = input("x", {Dim::n(), 9, 16});
  const ValueId y = graph_.add(OpType::kLinear, "fc", {x, weights("w", {20, 16})}, LinearAttrs{});
  EXPECT_EQ(cost(y, 3).macs, 3.0 * 9 * 20 * 16);
  MatMulAttrs attrs;
  attrs.transpose_a = true;
  const ValueId z = graph_.add(OpType::kMatMul, "mm", {x, y}, attrs);  // (N, 16, 9) x (N, 9, 20)
  EXPECT_EQ(cost(z, 3).macs, 3.0 * 16 * 9 * 20);
}

TEST_F(CountsCost, OfAttention) {
  const ValueId q = input("q", {Dim::n(), 2, 5, 8});
  const ValueId k = input("k", {Dim::n(), 2, 7, 8});
  const ValueId v = input("v", {Dim::n(), 2, 7, 4});
  const ValueId y = graph_.add(OpType::kAttention, "attention", {q, k, v}, AttentionAttrs{});
  EXPECT_EQ(cost(y, 3).macs, 3.0 * 2 * 5 * 7 * (8 + 4));
}

TEST_F(CountsCost, BytesOfAValueReadTwiceOnce) {
  const ValueId x = input("x", {Dim::n(), 10});
  const ValueId y = graph_.add(OpType::kBinary, "square", {x, x}, BinaryAttrs{BinaryKind::kMul, {}});
  EXPECT_EQ(cost(y, 2).macs, 0);
  EXPECT_EQ(cost(y, 2).bytes, 2.0 * (2 * 10 * 4));
}

TEST_F(CountsCost, OfElementsAsTheyAreStored) {
  const ValueId x = input("x", {Dim::n(), 10});
  const ValueId y = graph_.add(OpType::kLinear, "fc", {x, weights("w", {20, 10})}, LinearAttrs{});
  const auto bytes = [&](ValueId id) { return id == x ? 1.0 : id == y ? 2.0 : 0.5; };
  const Cost cost = cost_of(graph_, graph_.node(graph_.value(y).producer), 3, bytes);
  EXPECT_EQ(cost.bytes, 3 * 10 * 1.0 + 20 * 10 * 0.5 + 3 * 20 * 2.0);
  EXPECT_EQ(cost.macs, 3.0 * 20 * 10);
}

}  // namespace
}  // namespace xinfer::ir
