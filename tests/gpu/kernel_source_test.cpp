#include "gpu/kernel_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "gpu/includes.h"

namespace xinfer::gpu {
namespace {

KernelSource selftest() { return {.file = "selftest.cu", .entry = "selftest"}; }

TEST(KernelSource, EveryFileIsEmbeddedAsItIs) {
  const std::filesystem::path folder = std::filesystem::path(XINFER_SOURCE_DIR) / "src/cuda/kernels";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (extension != ".cu" && extension != ".cuh") continue;
    ++files;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    EXPECT_EQ(embedded_source(entry.path().filename().string()), text.str()) << entry.path();
  }
  EXPECT_EQ(embedded_sources().size(), files);
  EXPECT_THROW(embedded_source("none.cu"), std::logic_error);
}

TEST(KernelSource, TextBeginsWithMacrosAndPrologue) {
  KernelSource source = selftest();
  source.define("XI_TILE", 64).define("XI_T", "s8");
  source.prologue = "constexpr int kSpecial = 1;";
  const std::string text = text_of(source);
  EXPECT_TRUE(
      text.starts_with("#define XI_TILE 64\n#define XI_T s8\nconstexpr int kSpecial = 1;\n#line 1 \"selftest.cu\"\n"))
      << text.substr(0, 200);
  EXPECT_TRUE(text.ends_with(embedded_source("selftest.cu")));
}

TEST(KernelSource, HashChangesWithEverythingThatChangesTheKernel) {
  std::set<std::string> hashes;
  const auto is_new = [&](const KernelSource& source) { return hashes.insert(hash_of(source)).second; };
  EXPECT_TRUE(is_new(selftest()));
  EXPECT_FALSE(is_new(selftest()));
  EXPECT_TRUE(is_new(KernelSource(selftest()).define("A", 1)));
  EXPECT_TRUE(is_new(KernelSource(selftest()).define("A", 2)));
  EXPECT_TRUE(is_new(KernelSource(selftest()).define("A", 1).define("B", 1)));
  EXPECT_TRUE(is_new(KernelSource(selftest()).define("B", 1).define("A", 1)));
  KernelSource prologue = selftest();
  prologue.prologue = "constexpr int kSpecial = 1;";
  EXPECT_TRUE(is_new(prologue));
  KernelSource entry = selftest();
  entry.entry = "other";
  EXPECT_TRUE(is_new(entry));
  for (const std::string& hash : hashes) EXPECT_EQ(hash.size(), 32U);
}

TEST(KernelSource, IncludesAreFollowed) {
  EXPECT_THAT(includes_of(selftest()), testing::ElementsAre("common.cuh"));
  KernelSource source = selftest();
  source.prologue = "#include \"epilogue.cuh\"\n";
  EXPECT_THAT(includes_of(source), testing::ElementsAre("common.cuh", "epilogue.cuh", "unary.cuh"));
  source.prologue = "  #include \"none.cuh\"\n";
  EXPECT_THROW(includes_of(source), std::logic_error);
  EXPECT_THROW(hash_of(source), std::logic_error);
}

}  // namespace
}  // namespace xinfer::gpu
