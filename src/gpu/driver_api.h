#pragma once
// The part of the CUDA driver API that this room uses, declared here so that building needs no CUDA headers and
// programs start without a driver. tests/gpu/abi_test.cpp compares it with cuda.h where that is installed.
//
// Names and layouts are those of the API reference (CUDA 12.0 and newer); handles are void*, enumerations int.

#include <cstddef>
#include <cstdint>
#include <string>

#include "gpu/launch.h"

namespace xinfer::gpu {

namespace cu {

using Result = int;
inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;

// CUdevice_attribute
inline constexpr int kClockRate = 13;
inline constexpr int kMultiprocessorCount = 16;
inline constexpr int kMemoryClockRate = 36;
inline constexpr int kGlobalMemoryBusWidth = 37;
inline constexpr int kL2CacheSize = 38;
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;
inline constexpr int kMaxSharedMemoryPerBlockOptin = 97;

// CUfunction_attribute
inline constexpr int kMaxThreadsPerBlock = 0;
inline constexpr int kSharedSizeBytes = 1;
inline constexpr int kLocalSizeBytes = 3;
inline constexpr int kNumRegs = 4;
inline constexpr int kMaxDynamicSharedSizeBytes = 8;

// Flags
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventDefault = 0;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kEventRecordExternal = 1;
inline constexpr int kCaptureModeThreadLocal = 1;

// Tensor maps
inline constexpr int kTypeUint8 = 0;
inline constexpr int kTypeFloat16 = 6;
inline constexpr int kInterleaveNone = 0;
inline constexpr int kL2Promotion256 = 3;
inline constexpr int kFillZero = 0;

inline constexpr int kProgrammaticStreamSerialization = 6;  // CUlaunchAttributeID

struct LaunchAttribute {
  int id = 0;
  char pad[4] = {};
  union Value {
    char bytes[64] = {};
    int programmatic_serialization_allowed;
  } value;
};

struct LaunchConfig {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  void* stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};

}  // namespace cu

// X(symbol, parameters): functions that every supported driver has.
#define XI_DRIVER_FUNCTIONS(X)                                                                                  \
  X(cuInit, (unsigned))                                                                                         \
  X(cuDriverGetVersion, (int*))                                                                                 \
  X(cuGetErrorName, (cu::Result, const char**))                                                                 \
  X(cuGetErrorString, (cu::Result, const char**))                                                               \
  X(cuDeviceGetCount, (int*))                                                                                   \
  X(cuDeviceGet, (int*, int))                                                                                   \
  X(cuDeviceGetName, (char*, int, int))                                                                         \
  X(cuDeviceGetAttribute, (int*, int, int))                                                                     \
  X(cuDeviceTotalMem_v2, (std::size_t*, int))                                                                   \
  X(cuDevicePrimaryCtxRetain, (void**, int))                                                                    \
  X(cuDevicePrimaryCtxRelease_v2, (int))                                                                        \
  X(cuCtxSetCurrent, (void*))                                                                                   \
  X(cuStreamCreate, (void**, unsigned))                                                                         \
  X(cuStreamDestroy_v2, (void*))                                                                                \
  X(cuStreamSynchronize, (void*))                                                                               \
  X(cuStreamWaitEvent, (void*, void*, unsigned))                                                                \
  X(cuStreamBeginCapture_v2, (void*, int))                                                                      \
  X(cuStreamEndCapture, (void*, void**))                                                                        \
  X(cuEventCreate, (void**, unsigned))                                                                          \
  X(cuEventDestroy_v2, (void*))                                                                                 \
  X(cuEventRecord, (void*, void*))                                                                              \
  X(cuEventRecordWithFlags, (void*, void*, unsigned))                                                           \
  X(cuEventSynchronize, (void*))                                                                                \
  X(cuEventElapsedTime, (float*, void*, void*))                                                                 \
  X(cuMemGetInfo_v2, (std::size_t*, std::size_t*))                                                              \
  X(cuMemAlloc_v2, (DevicePointer*, std::size_t))                                                               \
  X(cuMemFree_v2, (DevicePointer))                                                                              \
  X(cuMemHostAlloc, (void**, std::size_t, unsigned))                                                            \
  X(cuMemFreeHost, (void*))                                                                                     \
  X(cuMemcpyHtoDAsync_v2, (DevicePointer, const void*, std::size_t, void*))                                     \
  X(cuMemcpyDtoHAsync_v2, (void*, DevicePointer, std::size_t, void*))                                           \
  X(cuMemcpyDtoDAsync_v2, (DevicePointer, DevicePointer, std::size_t, void*))                                   \
  X(cuMemsetD8Async, (DevicePointer, unsigned char, std::size_t, void*))                                        \
  X(cuModuleLoadData, (void**, const void*))                                                                    \
  X(cuModuleUnload, (void*))                                                                                    \
  X(cuModuleGetFunction, (void**, void*, const char*))                                                          \
  X(cuFuncGetAttribute, (int*, int, void*))                                                                     \
  X(cuFuncSetAttribute, (void*, int, int))                                                                      \
  X(cuLaunchKernelEx, (const cu::LaunchConfig*, void*, void**, void**))                                         \
  X(cuLaunchHostFunc, (void*, void (*)(void*), void*))                                                          \
  X(cuGraphInstantiateWithFlags, (void**, void*, unsigned long long))                                           \
  X(cuGraphGetNodes, (void*, void**, std::size_t*))                                                             \
  X(cuGraphLaunch, (void*, void*))                                                                              \
  X(cuGraphDestroy, (void*))                                                                                    \
  X(cuGraphExecDestroy, (void*))                                                                                \
  X(cuTensorMapEncodeTiled, (TensorMap*, int, std::uint32_t, void*, const std::uint64_t*, const std::uint64_t*, \
                             const std::uint32_t*, const std::uint32_t*, int, int, int, int))                   \
  X(cuTensorMapEncodeIm2col,                                                                                    \
    (TensorMap*, int, std::uint32_t, void*, const std::uint64_t*, const std::uint64_t*, const int*, const int*, \
     std::uint32_t, std::uint32_t, const std::uint32_t*, int, int, int, int))

// Functions of newer drivers; null where the driver lacks them.
#define XI_OPTIONAL_DRIVER_FUNCTIONS(X) X(cuFuncGetParamInfo, (void*, std::size_t, std::size_t*, std::size_t*))

/// The driver's functions, by their exported names.
struct DriverApi {
#define XI_MEMBER(symbol, parameters) cu::Result(*symbol) parameters = nullptr;
  XI_DRIVER_FUNCTIONS(XI_MEMBER)
  XI_OPTIONAL_DRIVER_FUNCTIONS(XI_MEMBER)
#undef XI_MEMBER
};

/// The driver, loaded and initialised once; null where that failed, with the reason in `why` (when not null).
const DriverApi* find_driver(std::string* why = nullptr);

/// find_driver(), or throws DeviceError with the reason.
const DriverApi& driver();

/// Throws DeviceError unless `result` is success: "cuMemAlloc failed: out of memory (CUDA_ERROR_OUT_OF_MEMORY):
/// <what>".
void check(cu::Result result, const char* call, const std::string& what = "");

}  // namespace xinfer::gpu
