#include "gpu/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "core/file.h"
#include "gpu/kernel_cache.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

constexpr Arch kArch{80, false};

KernelSource source(int variant = 0) {
  KernelSource source{.file = "selftest.cu", .entry = "selftest"};
  source.define("XI_VARIANT", variant);
  return source;
}

KernelSource broken() {
  KernelSource source{.file = "selftest.cu", .entry = "selftest"};
  source.define("XI_TILE", 3).prologue = "int f() { return no_such_name; }";
  return source;
}

class CompilerTest : public testing::Test {
 protected:
  CompilerTest() : folder_(testing::TempDir() + "xinfer_cubins_" + std::to_string(getpid())) {
    std::filesystem::remove_all(folder_);
  }
  ~CompilerTest() override { std::filesystem::remove_all(folder_); }

  CompilerOptions options(bool allow = true) const { return {.cache_dir = folder_, .allow_compile = allow}; }
  std::vector<std::string> cached_files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".cubin") files.push_back(entry.path());
    }
    return files;
  }
  std::string folder_;
};

#define NEEDS_NVRTC() \
  if (!compiler_available()) GTEST_SKIP() << why_no_compiler()

TEST(CompilerSearch, TellsWhatItFound) {
  EXPECT_EQ(compiler_available(), why_no_compiler().empty());
  EXPECT_EQ(compiler_available(), !compiler_version().empty());
  EXPECT_EQ(compiler_available(), !compiler_path().empty());
}

TEST_F(CompilerTest, MakesAnElfImageForEachArchitecture) {
  NEEDS_NVRTC();
  for (const char* arch : {"75", "80", "90a", "100a", "120"}) {
    const Cubin cubin = compile_uncached(source(), parse_arch(arch));
    EXPECT_EQ(cubin.key, hash_of(source()));
    ASSERT_GT(cubin.code.size(), 4U);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(cubin.code.data()), 4),
              "\x7f"
              "ELF")
        << arch;
  }
}

TEST_F(CompilerTest, TellsWhatAKernelTakes) {
  NEEDS_NVRTC();
  const KernelUsage plain = usage_of(source(), kArch);
  EXPECT_GT(plain.registers, 0);
  EXPECT_EQ(plain.stack_bytes, 0);
  EXPECT_EQ(plain.spill_bytes, 0);
  EXPECT_EQ(plain.shared_bytes, 0);
  KernelSource large{.file = "selftest.cu", .entry = "large"};
  large.prologue = R"(
      extern "C" __global__ void large(int* values, int n) {
        __shared__ int block[64];
        int local[100];
        for (int i = 0; i < n; ++i) local[i] = values[i];
        block[threadIdx.x] = local[values[n]];
        __syncthreads();
        values[threadIdx.x] = block[n];
      })";
  const KernelUsage usage = usage_of(large, kArch);
  EXPECT_GE(usage.stack_bytes, 400);
  EXPECT_EQ(usage.shared_bytes, 256);
}

TEST_F(CompilerTest, ErrorHoldsTheLogAndTheMacros) {
  NEEDS_NVRTC();
  Compiler compiler(options());
  for (int i = 0; i < 2; ++i) {  // the second time too
    EXPECT_THAT([&] { compiler.get(broken(), kArch); },
                ThrowsMessage<DeviceError>(AllOf(HasSubstr("no_such_name"), HasSubstr("selftest.cu"),
                                                 HasSubstr("XI_TILE=3"), HasSubstr("sm_80"))));
  }
  EXPECT_EQ(compiler.compiled(), 0);
}

TEST_F(CompilerTest, FileOfTheCurrentFolderIsNoHeader) {
  NEEDS_NVRTC();
  const std::string folder = std::filesystem::current_path();
  std::filesystem::create_directories(folder_);
  std::filesystem::current_path(folder_);
  std::ofstream("xi_stray.cuh") << "#define XI_STRAY 1\n";
  KernelSource stray = source();
  stray.prologue = "#include <xi_stray.cuh>\n";
  EXPECT_THROW(compile_uncached(stray, kArch), DeviceError);
  std::filesystem::current_path(folder);
}

TEST_F(CompilerTest, CompilesOnceAndThenFindsItInMemory) {
  NEEDS_NVRTC();
  Compiler compiler(options());
  const CubinPtr first = compiler.get(source(), kArch);
  EXPECT_EQ(compiler.get(source(), kArch), first);
  EXPECT_EQ(compiler.compiled(), 1);
  EXPECT_NE(compiler.get(source(), parse_arch("75")), first);
  EXPECT_NE(compiler.get(source(1), kArch), first);
  EXPECT_EQ(compiler.compiled(), 3);
}

TEST_F(CompilerTest, SecondObjectFindsItOnDisk) {
  NEEDS_NVRTC();
  const CubinPtr made = Compiler(options()).get(source(), kArch);
  Compiler second(options(false));
  EXPECT_EQ(second.get(source(), kArch)->code, made->code);
  EXPECT_EQ(second.compiled(), 0);
}

TEST_F(CompilerTest, DamagedFileIsMadeAnew) {
  NEEDS_NVRTC();
  const CubinPtr made = Compiler(options()).get(source(), kArch);
  ASSERT_EQ(cached_files().size(), 1U);
  const std::string path = cached_files().front();
  const std::string whole = read_file(path);
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string& damaged : {flipped, whole.substr(0, whole.size() / 2), whole.substr(0, 10), std::string()}) {
    write_file_atomically(path, damaged);
    EXPECT_THROW(Compiler(options(false)).get(source(), kArch), DeviceError) << damaged.size();
    Compiler compiler(options());
    EXPECT_EQ(compiler.get(source(), kArch)->code, made->code);
    EXPECT_EQ(compiler.compiled(), 1);
    EXPECT_EQ(read_file(path), whole);
  }
}

TEST_F(CompilerTest, FileUnderAnotherNameIsNotTaken) {
  NEEDS_NVRTC();
  Compiler(options()).get(source(0), kArch);
  const std::string path = cached_files().front();
  std::string renamed = path;
  renamed.replace(renamed.find(hash_of(source(0))), 32, hash_of(source(1)));
  std::filesystem::rename(path, renamed);
  EXPECT_THROW(Compiler(options(false)).get(source(1), kArch), DeviceError);
}

TEST_F(CompilerTest, ManyThreadsAndObjectsMakeItOnce) {
  NEEDS_NVRTC();
  Compiler first(options());
  Compiler second(options());
  std::atomic<int> got = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] { got += (i % 2 == 0 ? first : second).get(source(), kArch)->code.empty() ? 0 : 1; });
    }
  }
  EXPECT_EQ(got, 8);
  EXPECT_EQ(first.compiled() + second.compiled(), 1);
}

TEST_F(CompilerTest, GetAllMakesEqualSourcesOnceAndReports) {
  NEEDS_NVRTC();
  Compiler compiler(options());
  const std::vector<KernelSource> sources = {source(0), source(1), source(0), source(2)};
  std::vector<int> reported;
  const auto cubins = compiler.get_all(sources, kArch, [&](int done, int total) {
    EXPECT_EQ(total, 3);
    reported.push_back(done);
  });
  EXPECT_THAT(reported, testing::ElementsAre(1, 2, 3));
  ASSERT_EQ(cubins.size(), 4U);
  for (std::size_t i = 0; i < sources.size(); ++i) EXPECT_EQ(cubins[i]->key, hash_of(sources[i]));
  EXPECT_EQ(cubins[0], cubins[2]);
  EXPECT_EQ(compiler.compiled(), 3);
}

TEST_F(CompilerTest, GetAllPassesOnTheError) {
  NEEDS_NVRTC();
  Compiler compiler(options());
  const std::vector<KernelSource> sources = {source(0), broken()};
  EXPECT_THAT([&] { compiler.get_all(sources, kArch); }, ThrowsMessage<DeviceError>(HasSubstr("no_such_name")));
  const auto cancel = [](int, int) { throw CancelledError("stopped"); };
  EXPECT_THROW(compiler.get_all(std::vector<KernelSource>{source(0)}, kArch, cancel), CancelledError);
}

TEST_F(CompilerTest, FolderThatCantBeWrittenCostsOnlyTime) {
  NEEDS_NVRTC();
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/file") << "no folder";
  Compiler compiler({.cache_dir = folder_ + "/file/below"});
  EXPECT_FALSE(compiler.get(source(), kArch)->code.empty());
}

TEST_F(CompilerTest, KnownCubinsNeedNoCompilerOfAnyVersion) {
  const auto known = std::make_shared<const Cubin>(Cubin{hash_of(source()), kArch, {std::byte{1}}});
  Compiler compiler({.cache_dir = "-", .allow_compile = false}, {known});
  EXPECT_EQ(compiler.get(source(), kArch), known);
  EXPECT_EQ(compiler.get_all(std::vector<KernelSource>{source()}, kArch).front(), known);
  EXPECT_THROW(compiler.get(source(), parse_arch("75")), DeviceError);
  EXPECT_EQ(compiler.cache_dir(), "");
}

TEST_F(CompilerTest, ForbiddenCompilationSaysSo) {
  Compiler compiler(options(false));
  EXPECT_THAT([&] { compiler.get(source(), kArch); },
              ThrowsMessage<DeviceError>(AllOf(HasSubstr("forbidden"), HasSubstr("selftest"), HasSubstr(folder_))));
  ASSERT_EQ(setenv("XINFER_NO_COMPILE", "1", 1), 0);
  Compiler by_variable(options(true));
  ASSERT_EQ(unsetenv("XINFER_NO_COMPILE"), 0);
  EXPECT_THROW(by_variable.get(source(), kArch), DeviceError);
}

TEST_F(CompilerTest, CacheOfAnotherCompilerVersionServesWhenThereIsNoCompiler) {
  const std::vector<std::byte> code(100, std::byte{7});
  ASSERT_TRUE(KernelCache(folder_).store(hash_of(source()) + "_sm80_nvrtc1.0", code));
  EXPECT_EQ(Compiler(options(false)).get(source(), kArch)->code, code);
  EXPECT_THROW(Compiler(options(false)).get(source(), parse_arch("75")), DeviceError);
}

TEST_F(CompilerTest, UnknownFileIsAMistakeOfTheProgram) {
  Compiler compiler(options());
  EXPECT_THROW(compiler.get({.file = "none.cu", .entry = "none"}, kArch), std::logic_error);
}

TEST(KernelCacheFolder, IsChosenByOptionThenVariables) {
  const auto set = [](const char* name, const char* value) { ASSERT_EQ(setenv(name, value, 1), 0); };
  set("HOME", "/home/somebody");
  set("XDG_CACHE_HOME", "");
  set("XINFER_CACHE_DIR", "");
  EXPECT_EQ(KernelCache("").folder(), "/home/somebody/.cache/xinfer");
  set("XDG_CACHE_HOME", "/caches");
  EXPECT_EQ(KernelCache("").folder(), "/caches/xinfer");
  set("XINFER_CACHE_DIR", "/own");
  EXPECT_EQ(KernelCache("").folder(), "/own");
  EXPECT_EQ(KernelCache("/given").folder(), "/given");
  EXPECT_EQ(KernelCache("-").folder(), "");
}

}  // namespace
}  // namespace xinfer::gpu
