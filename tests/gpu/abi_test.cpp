// Compares this room's declarations of the driver and of NVRTC with CUDA's headers, where they are installed.
#include <gtest/gtest.h>

#include "gpu/driver_api.h"
#include "gpu/nvrtc_api.h"

#if __has_include(<cuda.h>) && __has_include(<nvrtc.h>)
// After our headers: it renames functions with macros.
#include <cuda.h>
#include <nvrtc.h>

#include <cstddef>
#include <type_traits>

// The header has only the second version, which CUDA 12.8 added; its parameters are the same.
#undef cuEventElapsedTime
extern "C" CUresult cuEventElapsedTime(float*, CUevent, CUevent);

namespace xinfer::gpu {
namespace {

/// Equal as the calling convention sees it: pointers, floats, and integers of one size.
template <class A, class B>
constexpr bool same_class() {
  if constexpr (std::is_pointer_v<A> || std::is_pointer_v<B>) {
    return std::is_pointer_v<A> && std::is_pointer_v<B>;
  } else {
    return sizeof(A) == sizeof(B) && std::is_floating_point_v<A> == std::is_floating_point_v<B>;
  }
}

template <class Ours, class Theirs>
struct SameSignature : std::false_type {};
template <class RA, class... A, class RB, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameSignature<RA (*)(A...), RB (*)(B...)>
    : std::bool_constant<same_class<RA, RB>() && (same_class<A, B>() && ...)> {
};

#define XI_SAME(symbol, parameters) \
  static_assert(SameSignature<decltype(DriverApi::symbol), decltype(&::symbol)>::value, #symbol);
XI_DRIVER_FUNCTIONS(XI_SAME)
XI_OPTIONAL_DRIVER_FUNCTIONS(XI_SAME)
#undef XI_SAME
#define XI_SAME(symbol, parameters) \
  static_assert(SameSignature<decltype(NvrtcApi::symbol), decltype(&::symbol)>::value, #symbol);
XI_NVRTC_FUNCTIONS(XI_SAME)
#undef XI_SAME
static_assert(SameSignature<decltype(NvrtcApi::nvrtcGetErrorString), decltype(&::nvrtcGetErrorString)>::value);

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap));  // the driver asks for an alignment of 64
static_assert(sizeof(DevicePointer) == sizeof(CUdeviceptr));
static_assert(sizeof(cu::LaunchAttribute) == sizeof(CUlaunchAttribute));
static_assert(offsetof(cu::LaunchAttribute, value) == offsetof(CUlaunchAttribute, value));
static_assert(sizeof(cu::LaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(cu::LaunchConfig, grid_y) == offsetof(CUlaunchConfig, gridDimY));
static_assert(offsetof(cu::LaunchConfig, block_x) == offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(cu::LaunchConfig, shared_bytes) == offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(cu::LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(cu::LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(cu::LaunchConfig, attribute_count) == offsetof(CUlaunchConfig, numAttrs));

static_assert(cu::kSuccess == CUDA_SUCCESS);
static_assert(cu::kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(cu::kClockRate == CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
static_assert(cu::kMemoryClockRate == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
static_assert(cu::kGlobalMemoryBusWidth == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
static_assert(cu::kL2CacheSize == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(cu::kMultiprocessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(cu::kComputeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(cu::kComputeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(cu::kMaxSharedMemoryPerBlockOptin == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(cu::kMaxThreadsPerBlock == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
static_assert(cu::kSharedSizeBytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(cu::kLocalSizeBytes == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
static_assert(cu::kNumRegs == CU_FUNC_ATTRIBUTE_NUM_REGS);
static_assert(cu::kMaxDynamicSharedSizeBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(cu::kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
static_assert(cu::kEventDefault == CU_EVENT_DEFAULT);
static_assert(cu::kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(cu::kEventRecordExternal == CU_EVENT_RECORD_EXTERNAL);
static_assert(cu::kCaptureModeThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(cu::kProgrammaticStreamSerialization == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
static_assert(cu::kTypeUint8 == CU_TENSOR_MAP_DATA_TYPE_UINT8);
static_assert(cu::kTypeFloat16 == CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
static_assert(cu::kInterleaveNone == CU_TENSOR_MAP_INTERLEAVE_NONE);
static_assert(cu::kL2Promotion256 == CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
static_assert(cu::kFillZero == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
static_assert(static_cast<int>(Swizzle::k32) == CU_TENSOR_MAP_SWIZZLE_32B);
static_assert(static_cast<int>(Swizzle::k64) == CU_TENSOR_MAP_SWIZZLE_64B);
static_assert(static_cast<int>(Swizzle::k128) == CU_TENSOR_MAP_SWIZZLE_128B);
static_assert(nvrtc::kSuccess == NVRTC_SUCCESS);

TEST(CudaAbi, IsAsTheHeadersSay) { SUCCEED() << "checked by the compiler, CUDA " << CUDA_VERSION; }

}  // namespace
}  // namespace xinfer::gpu
#endif
