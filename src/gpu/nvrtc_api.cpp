#include "gpu/nvrtc_api.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <glob.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace xinfer::gpu {
namespace {

constexpr int kOldestMajor = 12;

/// Paths that match, in the order of their names, last first: newer versions come first.
std::vector<std::string> expand(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = found.gl_pathc; i > 0; --i) paths.emplace_back(found.gl_pathv[i - 1]);
  }
  globfree(&found);
  return paths;
}

/// The folder of the program or library that this code is part of.
std::string own_folder() {
  Dl_info info{};
  static const char here = 0;
  if (dladdr(&here, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(info.dli_fname, ignored);
  return path.parent_path().string();
}

std::vector<std::string> folders() {
  std::vector<std::string> folders;
  const auto add = [&](const std::string& pattern) {
    for (std::string& folder : expand(pattern)) folders.push_back(std::move(folder));
  };
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* home = std::getenv(variable)) add(std::string(home) + "/lib64");
  }
#ifdef XINFER_NVRTC_HINT
  add(XINFER_NVRTC_HINT);
#endif
  if (const std::string own = own_folder(); !own.empty()) {
    add(own);
    add(own + "/../lib");
  }
  add("/usr/local/cuda/lib64");
  add("/usr/local/cuda*/lib64");
  add("/usr/local/cuda*/targets/*-linux/lib");
  add("/opt/cuda/lib64");
  return folders;
}

/// NVRTC looks for its builtins by a bare name, which finds them in a private folder only once they are loaded.
void load_builtins(const std::string& folder) {
  for (const std::string& path : expand(folder + "/libnvrtc-builtins.so.[0-9]*")) {
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return;
  }
}

std::string path_of(void* symbol) {
  Dl_info info{};
  return dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

/// Opens one library. Empty on success, else why it can't be used.
std::string open(const std::string& name, Nvrtc& result) {
  const std::size_t slash = name.rfind('/');
  if (slash != std::string::npos) load_builtins(name.substr(0, slash));
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return reason != nullptr ? reason : name + ": can't be loaded";
  }
  NvrtcApi& api = result.api;
  // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): how dlsym is used
#define XI_LOAD(symbol, parameters)                                             \
  api.symbol = reinterpret_cast<decltype(api.symbol)>(dlsym(library, #symbol)); \
  if (api.symbol == nullptr) return name + ": has no " #symbol;
  XI_NVRTC_FUNCTIONS(XI_LOAD)
  XI_LOAD(nvrtcGetErrorString, (int))
#undef XI_LOAD
  result.path = path_of(reinterpret_cast<void*>(api.nvrtcVersion));
  // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  int major = 0;
  int minor = 0;
  if (api.nvrtcVersion(&major, &minor) != nvrtc::kSuccess) return name + ": does not tell its version";
  result.version = fmt::format("{}.{}", major, minor);
  if (major < kOldestMajor) return fmt::format("{}: version {} is too old, 12.0 is the oldest", name, result.version);
  return {};
}

Nvrtc find() {
  Nvrtc result;
  std::string tried;
  const auto try_one = [&](const std::string& name) {
    Nvrtc candidate;
    const std::string why = open(name, candidate);
    if (!why.empty()) {
      tried += "\n  " + why;
      return false;
    }
    result = std::move(candidate);
    return true;
  };
  if (const char* given = std::getenv("XINFER_NVRTC"); given != nullptr && *given != '\0') {
    if (!try_one(given)) result.why = "XINFER_NVRTC does not name a usable NVRTC library:" + tried;
    return result;
  }
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12"}) {
    if (try_one(name)) return result;
  }
  for (const std::string& folder : folders()) {
    for (const std::string& path : expand(folder + "/libnvrtc.so.1[2-9]")) {
      if (try_one(path)) return result;
    }
  }
  result.why = "NVRTC (libnvrtc.so.13 or .12, part of the CUDA toolkit) was not found:" + tried;
  return result;
}

}  // namespace

const Nvrtc& find_nvrtc() {
  static const Nvrtc found = find();
  return found;
}

}  // namespace xinfer::gpu
