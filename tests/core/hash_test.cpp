#include "core/hash.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "xinfer/core/errors.h"

namespace {

TEST(Hash, EqualsThePublishedAlgorithm) {
  // XXH3_128bits of nothing with seed 0, from the specification's reference implementation.
  EXPECT_EQ(xinfer::hash_bytes({}), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, DependsOnContentNotOnPieces) {
  xinfer::Hasher pieces;
  pieces.update("ab", 2).update("c", 1);
  EXPECT_EQ(pieces.hex(), xinfer::hash_bytes("abc", 3));
  EXPECT_NE(pieces.hex(), xinfer::hash_bytes("abd", 3));
  EXPECT_EQ(pieces.hex().size(), 32U);
}

TEST(Hash, StringsKeepTheirBoundaries) {
  xinfer::Hasher one;
  xinfer::Hasher two;
  one.update_string("ab").update_string("c");
  two.update_string("a").update_string("bc");
  EXPECT_NE(one.hex(), two.hex());
}

TEST(Hash, OfAFileIsThatOfItsBytes) {
  const auto path = std::filesystem::temp_directory_path() / ("xinfer_hash_" + std::to_string(getpid()));
  const std::string text(3'000'000, 'x');  // several pieces
  std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(xinfer::hash_file(path), xinfer::hash_bytes(text.data(), text.size()));
  std::filesystem::remove(path);
  EXPECT_THROW(xinfer::hash_file(path), xinfer::Error);
  EXPECT_THROW(xinfer::hash_file(std::filesystem::temp_directory_path()), xinfer::Error);
}

}  // namespace
