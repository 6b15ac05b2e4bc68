// Weights: every element type, payload sizes, external files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "model_builder.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Tensor decode(const TensorProto& proto) {
  ExternalData none;
  return read_tensor(proto, none);
}

TensorProto proto_of(int type, const std::vector<std::int64_t>& dims) {
  TensorProto p;
  p.set_name("w");
  p.set_data_type(type);
  for (const std::int64_t d : dims) p.add_dims(d);
  return p;
}

template <class T>
TensorProto raw_of(int type, const std::vector<T>& values) {
  TensorProto p = proto_of(type, {static_cast<std::int64_t>(values.size())});
  p.set_raw_data(values.data(), values.size() * sizeof(T));
  return p;
}

std::string error_of(const TensorProto& proto) {
  try {
    decode(proto);
    return "";
  } catch (const ModelError& e) {
    return e.what();
  }
}

TEST(TensorProto, ReadsFloatsOfAllWidths) {
  EXPECT_EQ(values_of(decode(raw_of<float>(TensorProto::FLOAT, {1.5F, -2}))), (std::vector<float>{1.5F, -2}));
  EXPECT_EQ(values_of(decode(raw_of<double>(TensorProto::DOUBLE, {0.25, -8}))), (std::vector<float>{0.25F, -8}));
  // 1, -2, the smallest subnormal, the largest number, infinity
  const auto half = values_of(decode(raw_of<std::uint16_t>(TensorProto::FLOAT16, {0x3C00, 0xC000, 1, 0x7BFF, 0x7C00})));
  EXPECT_EQ(half, (std::vector<float>{1, -2, std::ldexp(1.0F, -24), 65504, std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(values_of(decode(raw_of<std::uint16_t>(TensorProto::BFLOAT16, {0x3F80, 0xC040}))),
            (std::vector<float>{1, -3}));
  TensorProto typed = proto_of(TensorProto::FLOAT16, {1});
  typed.add_int32_data(0x3C00);
  EXPECT_EQ(values_of(decode(typed)), (std::vector<float>{1}));
}

TEST(TensorProto, ReadsIntegersOfAllWidths) {
  EXPECT_EQ(integers_of(decode(raw_of<std::int16_t>(TensorProto::INT16, {-7}))), (std::vector<std::int64_t>{-7}));
  EXPECT_EQ(integers_of(decode(raw_of<std::uint16_t>(TensorProto::UINT16, {65535}))),
            (std::vector<std::int64_t>{65535}));
  EXPECT_EQ(integers_of(decode(raw_of<std::uint32_t>(TensorProto::UINT32, {4294967295U}))),
            (std::vector<std::int64_t>{4294967295}));
  EXPECT_EQ(integers_of(decode(raw_of<std::int64_t>(TensorProto::INT64, {-1}))), (std::vector<std::int64_t>{-1}));
  EXPECT_EQ(decode(raw_of<std::int32_t>(TensorProto::INT32, {-5})).data<std::int32_t>()[0], -5);
  EXPECT_EQ(decode(raw_of<std::int8_t>(TensorProto::INT8, {-5})).data<std::int8_t>()[0], -5);
  EXPECT_EQ(decode(raw_of<std::uint8_t>(TensorProto::UINT8, {200})).data<std::uint8_t>()[0], 200);
  EXPECT_TRUE(decode(raw_of<std::uint8_t>(TensorProto::BOOL, {2})).data<bool>()[0]);
  EXPECT_THAT(error_of(raw_of<std::uint64_t>(TensorProto::UINT64, {1ULL << 63})), HasSubstr("'w'"));
  TensorProto narrow = proto_of(TensorProto::INT8, {1});
  narrow.add_int32_data(300);
  EXPECT_THAT(error_of(narrow), HasSubstr("out of range"));
  EXPECT_THROW(decode(proto_of(TensorProto::STRING, {0})), UnsupportedError);
  EXPECT_THROW(decode(proto_of(TensorProto::COMPLEX64, {0})), UnsupportedError);
}

TEST(TensorProto, ComparesPayloadWithShape) {
  TensorProto longer = raw_of<float>(TensorProto::FLOAT, {1, 2, 3});
  longer.set_dims(0, 2);
  EXPECT_THAT(error_of(longer), AllOf(HasSubstr("'w'"), HasSubstr("12 bytes"), HasSubstr("needs 8")));
  TensorProto shorter = raw_of<float>(TensorProto::FLOAT, {1, 2, 3});
  shorter.set_dims(0, std::int64_t{1} << 39);
  EXPECT_THAT(error_of(shorter), HasSubstr("bytes"));
  TensorProto typed = proto_of(TensorProto::FLOAT, {4});
  typed.add_float_data(1);
  EXPECT_THAT(error_of(typed), AllOf(HasSubstr("1 values"), HasSubstr("needs 4")));
  EXPECT_THAT(error_of(proto_of(TensorProto::FLOAT, {-3})), HasSubstr("negative"));
  EXPECT_THAT(error_of(proto_of(TensorProto::FLOAT, {1LL << 62, 1LL << 62})), HasSubstr("too large"));
  EXPECT_THAT(error_of(proto_of(TensorProto::FLOAT, std::vector<std::int64_t>(99, 1))), HasSubstr("dimensions"));
}

TEST(TensorProto, RefusesWeightsThatAreNotFinite) {
  ModelBuilder m;
  m.input("x", {-1, 2}).output("y");
  m.weight("w", {2, 2}, {1, 2, std::numeric_limits<float>::quiet_NaN(), 4});
  m.node("MatMul", {"x", "w"}, {"y"});
  EXPECT_THAT(m.error(), AllOf(HasSubstr("'w'"), HasSubstr("element 2"), HasSubstr("training checkpoint")));
  m.graph().mutable_initializer(0)->set_float_data(2, std::numeric_limits<float>::infinity());
  EXPECT_THAT(m.error(), AllOf(HasSubstr("'w'"), HasSubstr("inf")));
  // A mask of minus infinity is no weight.
  ModelBuilder mask;
  mask.input("x", {-1, 2}).weight("m", {2}, {0, -std::numeric_limits<float>::infinity()}).output("y");
  mask.node("Add", {"x", "m"}, {"y"});
  EXPECT_EQ(mask.error(), "");
}

TEST(TensorProto, TakesInitializersThatAreAlsoInputs) {
  ModelBuilder m(8);
  m.input("x", {-1, 2}).input("w", {2, 3}).ramp("w", {2, 3}).output("y");
  m.node("MatMul", {"x", "w"}, {"y"});
  EXPECT_EQ(m.read().inputs().size(), 1U);
  EXPECT_EQ(count_of(m.read(), ir::OpType::kLinear), 1);
}

class ExternalFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "model");
    write("model/weights.bin", 32);
    write("outside.bin", 32);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::size_t bytes) {
    std::vector<float> values(bytes / 4);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(bytes));
  }
  /// Reads a model whose weights (2 x 2 floats) lie at `location`; the error, or empty.
  std::string read_with(const std::string& location, const std::string& offset, const std::string& length) {
    ModelBuilder m;
    m.input("x", {-1, 2}).output("y");
    TensorProto& w = m.tensor("w", {2, 2}, TensorProto::FLOAT);
    w.set_data_location(TensorProto::EXTERNAL);
    const auto entry = [&](const char* key, const std::string& value) {
      if (value.empty()) return;
      auto* const e = w.add_external_data();
      e->set_key(key);
      e->set_value(value);
    };
    entry("location", location);
    entry("offset", offset);
    entry("length", length);
    m.node("MatMul", {"x", "w"}, {"y"});
    const std::string path = folder_ / "model" / "m.onnx";
    std::ofstream(path, std::ios::binary) << m.bytes();
    try {
      const ir::Graph graph = read(path);
      result_ = reference::run(graph, std::vector<Tensor>{floats({1, 2}, {1, 0})})[0];
      return "";
    } catch (const ModelError& e) {
      return e.what();
    }
  }
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / "xinfer_external_test";
  Tensor result_;
};

TEST_F(ExternalFiles, AreReadAtTheirOffset) {
  EXPECT_EQ(read_with("weights.bin", "16", "16"), "");
  EXPECT_EQ(values_of(result_), (std::vector<float>{4, 5}));
  EXPECT_EQ(read_with("weights.bin", "16", ""), "");
}

TEST_F(ExternalFiles, MustFitTheTensor) {
  EXPECT_THAT(read_with("weights.bin", "0", "12"), HasSubstr("has 12 bytes where its type and shape need 16"));
  EXPECT_THAT(read_with("weights.bin", "24", "16"), AllOf(HasSubstr("32 bytes"), HasSubstr("offset 24")));
  EXPECT_THAT(read_with("weights.bin", "99", ""), HasSubstr("too few"));
  EXPECT_THAT(read_with("weights.bin", "-4", "16"), HasSubstr("bad offset '-4'"));
  EXPECT_THAT(read_with("weights.bin", "18446744073709551615", "16"), HasSubstr("too few"));
  EXPECT_THAT(read_with("absent.bin", "", ""), HasSubstr("absent.bin"));
}

TEST_F(ExternalFiles, MustNotLeaveTheFolder) {
  EXPECT_THAT(read_with("../outside.bin", "0", "16"), HasSubstr("not allowed"));
  EXPECT_THAT(read_with((folder_ / "outside.bin").string(), "0", "16"), HasSubstr("not allowed"));
  EXPECT_THAT(read_with("", "0", "16"), HasSubstr("not allowed"));
  std::filesystem::create_symlink(folder_ / "outside.bin", folder_ / "model" / "link.bin");
  EXPECT_THAT(read_with("link.bin", "0", "16"), HasSubstr("symbolic link"));
}

TEST_F(ExternalFiles, AreRefusedFromMemory) {
  ModelBuilder m;
  m.input("x", {-1, 2}).output("y");
  m.tensor("w", {2, 2}, TensorProto::FLOAT).set_data_location(TensorProto::EXTERNAL);
  m.node("MatMul", {"x", "w"}, {"y"});
  EXPECT_THAT(m.error(), HasSubstr("from memory"));
}

}  // namespace
}  // namespace xinfer::onnx
