#pragma once
// The part of NVRTC that this room uses, declared here so that building needs no CUDA headers; tests/gpu/abi_test.cpp
// compares it with nvrtc.h where that is installed.

#include <cstddef>
#include <string>

namespace xinfer::gpu {

namespace nvrtc {
using Result = int;
inline constexpr Result kSuccess = 0;
}  // namespace nvrtc

// X(symbol, parameters)
#define XI_NVRTC_FUNCTIONS(X)                                                                            \
  X(nvrtcVersion, (int*, int*))                                                                          \
  X(nvrtcCreateProgram, (void**, const char*, const char*, int, const char* const*, const char* const*)) \
  X(nvrtcDestroyProgram, (void**))                                                                       \
  X(nvrtcCompileProgram, (void*, int, const char* const*))                                               \
  X(nvrtcGetCUBINSize, (void*, std::size_t*))                                                            \
  X(nvrtcGetCUBIN, (void*, char*))                                                                       \
  X(nvrtcGetProgramLogSize, (void*, std::size_t*))                                                       \
  X(nvrtcGetProgramLog, (void*, char*))

struct NvrtcApi {
#define XI_MEMBER(symbol, parameters) nvrtc::Result(*symbol) parameters = nullptr;
  XI_NVRTC_FUNCTIONS(XI_MEMBER)
#undef XI_MEMBER
  const char* (*nvrtcGetErrorString)(nvrtc::Result) = nullptr;
};

/// NVRTC as it was found, once for the process.
struct Nvrtc {
  NvrtcApi api;
  std::string why;      ///< why there is none; empty where there is
  std::string path;     ///< of the library
  std::string version;  ///< "13.0"

  bool usable() const { return why.empty(); }
};

const Nvrtc& find_nvrtc();

}  // namespace xinfer::gpu
