#include "gpu/driver_api.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

// The driver's library belongs to the driver, not to CUDA: the loader knows it, except in some containers and on WSL.
constexpr std::array kLibraries{"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1",
                                "/usr/local/nvidia/lib64/libcuda.so.1"};

/// Outlives everything, like the library: destructors that run at the end of the process still call it.
struct Driver {
  DriverApi api;
  bool usable = false;
  std::string why;

  Driver() {
    void* library = nullptr;
    for (const char* name : kLibraries) {
      library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (library != nullptr) break;
    }
    if (library == nullptr) {
      why = "there is no NVIDIA driver: libcuda.so.1 was not found";
      return;
    }
#define XI_LOAD(symbol, parameters) \
  api.symbol = reinterpret_cast<decltype(api.symbol)>(dlsym(library, #symbol)); /* NOLINT: how dlsym is used */
#define XI_LOAD_REQUIRED(symbol, parameters)                                                                       \
  XI_LOAD(symbol, parameters)                                                                                      \
  if (api.symbol == nullptr) {                                                                                     \
    why = "the NVIDIA driver is too old: it has no " #symbol "; version 525 (CUDA 12.0) is the oldest that works"; \
    return;                                                                                                        \
  }
    XI_DRIVER_FUNCTIONS(XI_LOAD_REQUIRED)
    XI_OPTIONAL_DRIVER_FUNCTIONS(XI_LOAD)
#undef XI_LOAD_REQUIRED
#undef XI_LOAD
    if (const cu::Result result = api.cuInit(0); result != cu::kSuccess) {
      const char* text = nullptr;
      const bool known = api.cuGetErrorString(result, &text) == cu::kSuccess && text != nullptr;
      why = fmt::format("the NVIDIA driver could not start: {} (error {})", known ? text : "unknown error", result);
      return;
    }
    usable = true;
  }
};

const Driver& instance() {
  static const Driver* const driver = new Driver;  // never freed: see Driver
  return *driver;
}

}  // namespace

const DriverApi* find_driver(std::string* why) {
  const Driver& driver = instance();
  if (why != nullptr) *why = driver.why;
  return driver.usable ? &driver.api : nullptr;
}

const DriverApi& driver() {
  const Driver& driver = instance();
  if (!driver.usable) throw DeviceError(driver.why);
  return driver.api;
}

void check(cu::Result result, const char* call, const std::string& what) {
  if (result == cu::kSuccess) return;
  const DriverApi& api = instance().api;
  const char* name = nullptr;
  const char* text = nullptr;
  if (api.cuGetErrorName(result, &name) != cu::kSuccess || name == nullptr) name = "unknown";
  if (api.cuGetErrorString(result, &text) != cu::kSuccess || text == nullptr) text = "unknown error";
  throw DeviceError(
      fmt::format("{} failed: {} ({}){}{}", call, text, name, what.empty() ? "" : ": ", what),
      result == cu::kOutOfMemory ? "use a smaller batch, or free memory of the GPU (see nvidia-smi)" : "");
}

}  // namespace xinfer::gpu
