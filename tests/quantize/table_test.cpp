#include "quantize/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "core/file.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

CalibrationTable sample() {
  CalibrationTable table;
  table.key = {"0123abcd", "resize 224x224,\tnormalize \"x\"", "images\\of\nmine"};
  table.images = 17;
  table.percentile = 99.95;
  table.tensors["/layer1/conv Relu"] = {1000, 10, 0.0F, 3.1415927F, {3.1415927F, 3, 2, 1.1F}, {3.1F, 3, 2.5F, 0.1F}};
  table.tensors
      ["a\x01"
       "b"] = {std::numeric_limits<std::uint64_t>::max(), 0, -1e-30F, 3e38F, {3e38F, 1, 1, 1}, {}};
  table.tensors["zero"] = {5, 5, 0, 0, {}, {}};
  return table;
}

class TempFile {
 public:
  TempFile() : path_(std::filesystem::temp_directory_path() / ("xinfer_table_" + std::to_string(::getpid()))) {}
  ~TempFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(Table, RoundTrips) {
  const TempFile file;
  save_table(file.path(), sample());
  EXPECT_EQ(load_table(file.path()), sample());
  EXPECT_EQ(load_table(file.path(), sample().key), sample());
  EXPECT_EQ(to_text(load_table(file.path())), to_text(sample()));
}

TEST(Table, SaysWhichKeyDiffers) {
  const TempFile file;
  save_table(file.path(), sample());
  TableKey key = sample().key;
  key.model = "ffff";
  EXPECT_THAT([&] { load_table(file.path(), key); },
              ThrowsMessage<CalibrationError>(AllOf(HasSubstr("model: the table has \"0123abcd\", but \"ffff\""),
                                                    HasSubstr(file.path()), Not(HasSubstr("preprocessing:")),
                                                    Not(HasSubstr("images:")))));
  key = sample().key;
  key.preprocessing = "none";
  EXPECT_THAT([&] { load_table(file.path(), key); },
              ThrowsMessage<CalibrationError>(AllOf(HasSubstr("preprocessing: "), Not(HasSubstr("model:")))));
  key = sample().key;
  key.images = "";
  key.model = "x";
  EXPECT_THAT([&] { load_table(file.path(), key); },
              ThrowsMessage<CalibrationError>(AllOf(HasSubstr("images: "), HasSubstr("model: "))));
}

TEST(Table, RefusesEveryTruncation) {
  const std::string text = to_text(sample());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THROW(parse_table(std::string_view(text).substr(0, size), "t"), CalibrationError) << size;
  }
  EXPECT_NO_THROW(parse_table(text, "t"));
}

TEST(Table, RefusesAnyReplacedByteOrKeepsItsMeaningWellFormed) {
  const std::string text = to_text(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = '~';
    try {
      parse_table(damaged, "t");
    } catch (const CalibrationError&) {
      continue;
    }
    // Only the characters of a string may become others without notice.
    const std::size_t begin = text.rfind('\n', i) + 1;
    EXPECT_NE(text.substr(begin, i - begin).find('"'), std::string::npos) << "byte " << i;
  }
}

std::string with_line(const std::string& text, const std::string& from, const std::string& to) {
  std::string result = text;
  result.replace(result.find(from), from.size(), to);
  return result;
}

TEST(Table, NamesTheLineOfTheFault) {
  const std::string text = to_text(sample());
  const auto fails = [](const std::string& broken, const std::string& with) {
    EXPECT_THAT([&] { parse_table(broken, "cache.txt"); },
                ThrowsMessage<CalibrationError>(AllOf(HasSubstr("'cache.txt', line "), HasSubstr(with))));
  };
  fails("", "line 1");
  fails(
      "\x7f"
      "ELF garbage\n",
      "line 1");
  fails(with_line(text, "xinfer-calibration 1", "xinfer-calibration 2"), "version is 2, but this program reads 1");
  fails(with_line(text, "image-count 17", "image-count -3"), "line 5: the count of images is not positive");
  fails(with_line(text, "image-count 17", "image-count 17x"), "line 5: '17x' is no count of images");
  fails(with_line(text, "percentile 99.95", "percentile 0"), "line 6");
  fails(with_line(text, "tensors 3", "tensors 2"), "line 10: 'end' is wanted");
  fails(with_line(text, "tensors 3", "tensors 4"), "line 11: 'tensor' is wanted");
  fails(with_line(text, "3.1415927 3 2 1.1", "3.1415927 nan 2 1.1"), "line 8: the threshold is not finite");
  fails(with_line(text, "3.1415927 3 2 1.1", "3.1415927 7 2 1.1"), "line 8: the threshold 7 is outside");
  fails(with_line(text, "3.1415927 3 2 1.1", "3.1415927 3 2"), "line 8");
  fails(with_line(text, " 1000 10 ", " 1000 1001 "), "more zeros than values");
  fails(with_line(text, "\"zero\"", "\"/layer1/conv Relu\""), "is there twice");
  fails(with_line(text, "\"zero\"", "zero"), "must stand in quotes");
  fails(with_line(text, "\\x01", "\\q"), "unknown escape");
  fails(text + "more\n", "text after the end");
}

TEST(Table, FailsClearlyWhenTheDiskIsFull) {
  EXPECT_THAT([] { save_table("/dev/full", sample()); }, ThrowsMessage<Error>(HasSubstr("/dev/full")));
  EXPECT_TRUE(std::filesystem::exists("/dev/full"));
}

TEST(Table, FailsClearlyWhenThereIsNoFile) {
  EXPECT_THAT([] { load_table("/nonexistent/cache"); }, ThrowsMessage<Error>(HasSubstr("/nonexistent/cache")));
  EXPECT_THAT([] { save_table("/nonexistent/cache", sample()); }, ThrowsMessage<Error>(HasSubstr("/nonexistent")));
}

TEST(Table, ASecondSaveReplacesTheFirst) {
  const TempFile file;
  save_table(file.path(), sample());
  CalibrationTable changed = sample();
  changed.images = 99;
  save_table(file.path(), changed);
  EXPECT_EQ(load_table(file.path()).images, 99);
}

}  // namespace
}  // namespace xinfer::quantize
