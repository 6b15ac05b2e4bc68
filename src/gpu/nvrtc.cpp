// One source through NVRTC.
#include <fmt/format.h>

#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "gpu/compiler.h"
#include "gpu/includes.h"
#include "gpu/nvrtc_api.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

/// An nvrtcProgram.
class NvrtcProgram {
 public:
  NvrtcProgram(const NvrtcApi& api, const KernelSource& source) : api_(api) {
    // Views into the embedded table end in a zero character, see cmake/embed.cmake.
    std::vector<const char*> names;
    std::vector<const char*> texts;
    for (const std::string_view name : includes_of(source)) {
      names.push_back(name.data());
      texts.push_back(embedded_source(name).data());
    }
    check(api_.nvrtcCreateProgram(&program_, text_of(source).c_str(), source.file.c_str(),
                                  static_cast<int>(names.size()), texts.data(), names.data()),
          "nvrtcCreateProgram");
  }
  ~NvrtcProgram() { (void)api_.nvrtcDestroyProgram(&program_); }
  NvrtcProgram(const NvrtcProgram&) = delete;
  NvrtcProgram& operator=(const NvrtcProgram&) = delete;

  /// False when the source does not compile.
  bool compile(const std::vector<std::string>& options) {
    std::vector<const char*> texts;
    texts.reserve(options.size());
    for (const std::string& option : options) texts.push_back(option.c_str());
    result_ = api_.nvrtcCompileProgram(program_, static_cast<int>(texts.size()), texts.data());
    return result_ == nvrtc::kSuccess;
  }
  std::string error() const { return api_.nvrtcGetErrorString(result_); }

  std::string log() const {
    std::size_t size = 0;
    check(api_.nvrtcGetProgramLogSize(program_, &size), "nvrtcGetProgramLogSize");
    std::string text(size, '\0');
    if (size > 0) check(api_.nvrtcGetProgramLog(program_, text.data()), "nvrtcGetProgramLog");
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
    return text;
  }
  std::vector<std::byte> code() const {
    std::size_t size = 0;
    check(api_.nvrtcGetCUBINSize(program_, &size), "nvrtcGetCUBINSize");
    std::vector<std::byte> bytes(size);
    check(api_.nvrtcGetCUBIN(program_, reinterpret_cast<char*>(bytes.data())), "nvrtcGetCUBIN");  // NOLINT: its type
    return bytes;
  }

 private:
  void check(nvrtc::Result result, const char* call) const {
    if (result != nvrtc::kSuccess) {
      throw DeviceError(fmt::format("{} failed: {}", call, api_.nvrtcGetErrorString(result)));
    }
  }
  const NvrtcApi& api_;
  void* program_ = nullptr;
  nvrtc::Result result_ = nvrtc::kSuccess;
};

std::string describe(const KernelSource& source, Arch arch) {
  std::string text = fmt::format("kernel {} of {} for sm_{}", source.entry, source.file, to_string(arch));
  for (std::size_t i = 0; i < source.defines.size(); ++i) {
    text += fmt::format("{}{}={}", i == 0 ? " with " : " ", source.defines[i].first, source.defines[i].second);
  }
  return text;
}

struct Compiled {
  std::vector<std::byte> code;
  std::string log;
};

/// With one more option where `extra` is not empty.
Compiled compile(const KernelSource& source, Arch arch, const std::string& extra) {
  const Nvrtc& nvrtc = find_nvrtc();
  if (!nvrtc.usable()) {
    throw DeviceError(
        fmt::format("{} can't be compiled: {}", describe(source, arch), nvrtc.why),
        "install the CUDA toolkit or `pip install nvidia-cuda-nvrtc`, and name the library in XINFER_NVRTC "
        "if it is not found");
  }
  NvrtcProgram program(nvrtc.api, source);
  std::vector<std::string> options(kCompileOptions.begin(), kCompileOptions.end());
  options.push_back("--gpu-architecture=sm_" + to_string(arch));
  if (std::getenv("XINFER_CUDA_LINEINFO") != nullptr) options.emplace_back("--generate-line-info");
  if (!extra.empty()) options.push_back(extra);
  if (!program.compile(options)) {
    throw DeviceError(fmt::format("{} does not compile ({}, NVRTC {}):\n{}", describe(source, arch), program.error(),
                                  nvrtc.version, program.log()));
  }
  return {program.code(), program.log()};
}

/// What ptxas says of all entries of a text. Asked once: a compiler that has seen a text before may say nothing (NVRTC
/// 13.0, where threads compile the same text at once).
std::string usage_log(const KernelSource& source, Arch arch) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_future<std::string>> logs;
  std::promise<std::string> ours;
  std::shared_future<std::string> log;
  bool asked = true;
  {
    const std::lock_guard lock(mutex);
    std::shared_future<std::string>& known = logs[text_of(source) + to_string(arch)];
    if (!known.valid()) {
      known = ours.get_future().share();
      asked = false;
    }
    log = known;
  }
  if (asked) return log.get();
  try {
    ours.set_value(compile(source, arch, "--ptxas-options=-v").log);
  } catch (...) {
    ours.set_exception(std::current_exception());
  }
  return log.get();
}

}  // namespace

bool compiler_available() { return find_nvrtc().usable(); }
std::string compiler_version() { return compiler_available() ? find_nvrtc().version : ""; }
std::string compiler_path() { return compiler_available() ? find_nvrtc().path : ""; }
std::string why_no_compiler() { return find_nvrtc().why; }

Cubin compile_uncached(const KernelSource& source, Arch arch) {
  return {hash_of(source), arch, compile(source, arch, {}).code};
}

KernelUsage usage_of(const KernelSource& source, Arch arch) {
  // For each entry ptxas says "Compiling entry function 'k'", then "0 bytes stack frame, 0 bytes spill stores, ..." and
  // "Used 30 registers, used 1 barriers, 128 bytes smem".
  const std::string log = usage_log(source, arch);
  const std::size_t start = log.find("entry function '" + source.entry + "'");
  if (start == std::string::npos) {
    throw DeviceError(fmt::format("{}: the compiler does not tell what it takes:\n{}", describe(source, arch), log));
  }
  const std::string ours = log.substr(start, log.find("entry function '", start + 1) - start);
  const auto number_before = [&](std::string_view unit) {
    const std::size_t at = ours.find(unit);
    if (at == std::string::npos) return 0;
    return std::atoi(ours.c_str() + ours.find_last_not_of("0123456789", at - 1) + 1);
  };
  return {.registers = number_before(" registers"),
          .stack_bytes = number_before(" bytes stack frame"),
          .spill_bytes = number_before(" bytes spill stores"),
          .shared_bytes = number_before(" bytes smem")};
}

}  // namespace xinfer::gpu
