#include "core/file.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "support/temp_dir.h"
#include "xinfer/core/errors.h"

namespace xinfer {
namespace {

using ::testing::HasSubstr;
using testing_support::TempDir;

std::string message_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(File, RoundTripsPartsAndReplacesWhatWasThere) {
  const TempDir folder;
  const std::string path = folder / "a.bin";
  write_file_atomically(path, "old and longer than the new contents");
  const std::vector<std::string_view> parts = {"one", std::string_view("\0two", 4), ""};
  write_file_atomically(path, parts);
  EXPECT_EQ(read_file(path), std::string("one\0two", 7));
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(File, FullDiskIsAnErrorWithTheReason) {
  EXPECT_THAT(message_of([] { write_file_atomically("/dev/full", "text"); }), HasSubstr("No space left on device"));
}

TEST(File, MissingFolderIsSaidBeforeWork) {
  const TempDir folder;
  const std::string path = folder / "missing/a.bin";
  EXPECT_THAT(message_of([&] { check_writable(path); }), HasSubstr("does not exist"));
  EXPECT_THAT(message_of([&] { write_file_atomically(path, "x"); }), HasSubstr("does not exist"));
}

TEST(File, FoldersAreNoFiles) {
  const TempDir folder;
  EXPECT_THAT(message_of([&] { check_writable(folder / "."); }), HasSubstr("Is a directory"));
  EXPECT_THAT(message_of([&] { read_file(folder / "."); }), HasSubstr("Is a directory"));
  EXPECT_THAT(message_of([&] { MappedFile(folder / "."); }), HasSubstr("Is a directory"));
}

TEST(File, MissingFilesAreNamed) {
  EXPECT_THAT(message_of([] { read_file("/nonexistent/file"); }), HasSubstr("'/nonexistent/file'"));
}

TEST(File, MappingSeesTheBytesAndOutlivesTheObject) {
  const TempDir folder;
  const std::string path = folder / "a.bin";
  write_file_atomically(path, "mapped");
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  {
    const MappedFile file(path);
    bytes = file.bytes();
    owner = file.owner();
  }
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "mapped");
}

TEST(File, EmptyFilesMapToNothing) {
  const TempDir folder;
  const std::string path = folder / "empty";
  write_file_atomically(path, "");
  EXPECT_TRUE(MappedFile(path).bytes().empty());
}

}  // namespace
}  // namespace xinfer
