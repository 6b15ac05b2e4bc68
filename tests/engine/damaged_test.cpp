// Engine files that were damaged by accident: each must be refused with an EngineError.
#include "engine/helpers.h"

namespace xinfer::engine::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Loads many variants through one file.
class Damaged : public ::testing::Test {
 protected:
  void expect_refused(const std::string& bytes, const std::string& what) {
    write_quickly(path_, bytes);
    try {
      load(path_);
      ADD_FAILURE() << "loaded in spite of: " << what;
    } catch (const EngineError&) {
    } catch (const std::exception& error) {
      ADD_FAILURE() << what << ": not an EngineError: " << error.what();
    }
  }

  std::string make() {
    EngineFile file = small_engine();
    file.graph = graph_of_every_operator();
    return bytes_of(file);
  }

  TempDir dir_;
  std::string path_ = dir_ / "e";
  std::string good_ = make();
};

TEST_F(Damaged, TheUndamagedOneLoads) { EXPECT_EQ(load_error(good_), ""); }

TEST_F(Damaged, TruncatedAtManyLengths) {
  for (std::size_t size = 0; size < kHeaderSize + 16; ++size) {
    expect_refused(good_.substr(0, size), "length " + std::to_string(size));
  }
  for (std::size_t size = kHeaderSize + 16; size < good_.size(); size += 1 + good_.size() / 150) {
    expect_refused(good_.substr(0, size), "length " + std::to_string(size));
  }
  expect_refused(good_.substr(0, good_.size() - 1), "one byte less");
  expect_refused(good_ + '\0', "one byte more");
}

TEST_F(Damaged, AnyByteFlipped) {
  // The padding between structure and weights and the last 8 bytes of the header carry nothing.
  const std::size_t begin = weights_begin(good_);
  std::size_t structure_end = 0;
  std::memcpy(&structure_end, good_.data() + 32, sizeof(structure_end));
  structure_end += kHeaderSize;
  const auto carries = [&](std::size_t i) { return i < 72 || (i >= kHeaderSize && i < structure_end) || i >= begin; };
  const auto flip = [&](std::size_t i) {
    if (!carries(i)) return;
    std::string bytes = good_;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
    expect_refused(bytes, "byte " + std::to_string(i));
  };
  for (std::size_t i = 0; i < kHeaderSize; ++i) flip(i);
  for (std::size_t i = kHeaderSize; i < good_.size(); i += 1 + good_.size() / 400) flip(i);
  flip(good_.size() - 1);
}

TEST_F(Damaged, ForeignFiles) {
  EXPECT_THAT(load_error("this is a text and no engine, longer than the eighty bytes that an engine's header takes up"),
              AllOf(HasSubstr("not an xInfer engine"), HasSubstr("hint")));
  std::string newer = good_;
  newer[8] = 2;
  EXPECT_THAT(load_error(newer), AllOf(HasSubstr("format version 2"), HasSubstr("reads version 1")));
  std::string endian = good_;
  std::swap(endian[12], endian[15]);
  std::swap(endian[13], endian[14]);
  EXPECT_THAT(load_error(endian), HasSubstr("endianness"));
  EXPECT_THAT(load_error(""), HasSubstr("less than a header"));
}

TEST_F(Damaged, PathsThatAreNoFiles) {
  for (const std::string& path : {dir_ / "missing", dir_ / ".", std::string("/dev/null"), std::string()}) {
    try {
      load(path);
      ADD_FAILURE() << path;
    } catch (const EngineError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'" + path + "'"));
    }
    EXPECT_THROW(file_size(path), EngineError) << path;
  }
}

}  // namespace
}  // namespace xinfer::engine::testing
