// Reductions. spatial_sum: over all pixels of nhwc images, the global average pool. reduce_any: over any axes.
//
// Macros: XI_T and XI_OUT_T, the element types.
//   spatial_sum: XI_STAGE 0: the whole, 1: partial sums, 2: their sum (XI_T is then s32 or float)
//   reduce_any:  XI_KIND a Reduction, XI_ACC the type that is computed with (float, s32, s64), XI_THREADS that share
//                one output (1, 32, 256)
#include "lanes.cuh"

#ifdef XI_STAGE

struct SpatialSumArgs {
  const XI_T* x;  ///< stage 2: [splits][images][channels] of partial sums
  void* y;        ///< stage 1: such partial sums
  int pixels;     ///< of one image (stage 2: splits)
  int channels;   ///< padded
  int images;
  int per_block;  ///< pixels that one block sums
  float factor;   ///< of the sum
  float divisor;  ///< of the result of that: the output's scale where the input is real, else 1
};

constexpr int kSpatialThreads = 256;

template <class T>
struct SpatialAcc {
  using Type = float;
};
template <>
struct SpatialAcc<s8> {
  using Type = s32;
};
template <>
struct SpatialAcc<u8> {
  using Type = s32;
};
template <>
struct SpatialAcc<s32> {
  using Type = s32;
};

/// A block sums 4 * blockDim.x channels of one image: blockDim.x threads along channels, blockDim.y along pixels.
/// Grid: chunks of channels, images, splits of the pixels.
extern "C" __global__ void __launch_bounds__(kSpatialThreads) spatial_sum(const SpatialSumArgs a) {
  using Acc = SpatialAcc<XI_T>::Type;
  __shared__ Acc shared[kSpatialThreads * 4];
  launch_next();
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4;
  const int image = static_cast<int>(blockIdx.y);
  wait_for_previous();
  Acc sum[4] = {};
  if (channel < a.channels) {
    const int begin = static_cast<int>(blockIdx.z) * a.per_block;
    const int end = min(begin + a.per_block, a.pixels);
#if XI_STAGE == 2
    const u64 step = static_cast<u64>(a.images) * a.channels;
    const XI_T* from = a.x + static_cast<u64>(image) * a.channels + channel;
#else
    const u64 step = static_cast<u64>(a.channels);
    const XI_T* from = a.x + static_cast<u64>(image) * a.pixels * a.channels + channel;
#endif
#pragma unroll 8
    for (int i = begin + static_cast<int>(threadIdx.y); i < end; i += static_cast<int>(blockDim.y)) {
      u32 words[words_of<XI_T, 4>];
      load_words(from + i * step, words);
      if constexpr (is_byte<XI_T>) {
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[c] = dot4<XI_T>(words[0], 1u << (8 * c), sum[c]);
      } else if constexpr (same_type<XI_T, s32>) {
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[c] += static_cast<s32>(words[c]);
      } else {
        float v[4];
        unpack<XI_T, 4>(words, v);
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[c] += v[c];
      }
    }
  }
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
#pragma unroll
  for (int c = 0; c < 4; ++c) shared[c * kSpatialThreads + thread] = sum[c];
  for (u32 rows = blockDim.y / 2; rows > 0; rows /= 2) {  // blockDim.y is a power of two
    __syncthreads();
    if (threadIdx.y < rows) {
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        sum[c] += shared[c * kSpatialThreads + thread + rows * blockDim.x];
        shared[c * kSpatialThreads + thread] = sum[c];
      }
    }
  }
  if (threadIdx.y != 0 || channel >= a.channels) return;
  const u64 at = static_cast<u64>(image) * a.channels + channel;
#if XI_STAGE == 1
  Acc* to = static_cast<Acc*>(a.y) + static_cast<u64>(blockIdx.z) * a.images * a.channels + at;
#pragma unroll
  for (int c = 0; c < 4; ++c) to[c] = sum[c];
#else
  float result[4];
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    result[c] = static_cast<float>(sum[c]) * a.factor;
    if (a.divisor != 1.0f) result[c] = __fdiv_rn(result[c], a.divisor);
  }
  store_lanes<XI_OUT_T, 4>(static_cast<XI_OUT_T*>(a.y) + at, result);
#endif
}

#else

enum class Reduction { kMean, kSum, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };
constexpr Reduction kKind = Reduction::XI_KIND;
constexpr int kReduceAxes = 8;

struct ReduceAxes {
  int count;
  u32 size[kReduceAxes];  ///< innermost first
  s64 stride[kReduceAxes];
};
struct ReduceArgs {
  const XI_T* x;
  XI_OUT_T* y;
  u32 outputs;
  u32 elements;    ///< of one output
  float in_scale;  ///< of every element, where floats are computed from bytes
  float factor;    ///< of the result
  float divisor;   ///< of the result after that
  ReduceAxes kept, reduced;
};

__device__ __forceinline__ s64 offset_of(const ReduceAxes& axes, u32 position) {
  s64 offset = 0;
  for (int i = 0; i < axes.count - 1; ++i) {
    const u32 quotient = position / axes.size[i];
    offset += static_cast<s64>(position - quotient * axes.size[i]) * axes.stride[i];
    position = quotient;
  }
  return axes.count == 0 ? 0 : offset + static_cast<s64>(position) * axes.stride[axes.count - 1];
}

constexpr bool kIsMax = kKind == Reduction::kMax, kIsMin = kKind == Reduction::kMin;

__device__ __forceinline__ XI_ACC first_value() {
  if constexpr (kKind == Reduction::kProd) {
    return 1;
  } else if constexpr (same_type<XI_ACC, float>) {
    if constexpr (kIsMax)
      return __int_as_float(0xff800000);
    else if constexpr (kIsMin)
      return __int_as_float(0x7f800000);
    else
      return 0;
  } else {
    constexpr u64 kTop = 1ull << (8 * sizeof(XI_ACC) - 1);
    if constexpr (kIsMax)
      return static_cast<XI_ACC>(kTop);
    else if constexpr (kIsMin)
      return static_cast<XI_ACC>(kTop - 1);
    else
      return 0;
  }
}

template <class Acc, class T>
__device__ __forceinline__ Acc load_value(const T* from, float scale) {
  if constexpr (same_type<Acc, float>) {
    const float value = to_float(*from);
    return is_byte<T> ? value * scale : value;
  } else {
    return static_cast<Acc>(*from);
  }
}

/// From what all elements gave to the output.
template <class Out, class Acc>
__device__ __forceinline__ Out finish(const ReduceArgs& a, Acc result) {
  if constexpr (same_type<Acc, s64>) {
    if constexpr (kKind == Reduction::kMean) return static_cast<Out>(result / static_cast<s64>(a.elements));
    if constexpr (kKind == Reduction::kL2) return static_cast<Out>(sqrt(static_cast<double>(static_cast<u64>(result))));
    return static_cast<Out>(result);
  } else {
    float y = static_cast<float>(result);
    if constexpr (kKind == Reduction::kL2) y = sqrtf(y);
    if constexpr (kKind == Reduction::kLogSum) y = logf(y);
    y *= a.factor;
    if (a.divisor != 1.0f) y = __fdiv_rn(y, a.divisor);
    return from_float<Out>(y);
  }
}

/// What one element adds.
__device__ __forceinline__ XI_ACC term(XI_ACC v) {
  if constexpr (kKind == Reduction::kL1)
    return v < 0 ? -v : v;
  else if constexpr (kKind == Reduction::kL2 || kKind == Reduction::kSumSquare)
    return v * v;
  else
    return v;
}

__device__ __forceinline__ XI_ACC combine(XI_ACC a, XI_ACC b) {
  if constexpr (kIsMax)
    return b > a || b != b ? b : a;
  else if constexpr (kIsMin)
    return b < a || b != b ? b : a;
  else if constexpr (kKind == Reduction::kProd)
    return a * b;
  else
    return a + b;
}

/// Over the threads that share an output; every one of them gets the result.
template <class Op>
__device__ __forceinline__ XI_ACC share(XI_ACC value, Op op) {
#if XI_THREADS > 1
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) value = op(value, __shfl_xor_sync(0xffffffffu, value, mask));
#endif
#if XI_THREADS > 32
  __shared__ XI_ACC warps[XI_THREADS / 32];
  __syncthreads();
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = warps[0];
#pragma unroll
  for (int i = 1; i < XI_THREADS / 32; ++i) value = op(value, warps[i]);
#endif
  return value;
}

extern "C" __global__ void __launch_bounds__(256) reduce_any(const __grid_constant__ ReduceArgs a) {
  launch_next();
  const u32 flat = blockIdx.x * 256u + threadIdx.x;
  const u32 output = flat / XI_THREADS, lane = flat % XI_THREADS;
  if (output >= a.outputs) return;
  wait_for_previous();
  const XI_T* const x = a.x + offset_of(a.kept, output);
  XI_ACC result = first_value();
  if constexpr (kKind == Reduction::kLogSumExp) {
    float highest = __int_as_float(0xff800000);
    for (u32 i = lane; i < a.elements; i += XI_THREADS) {
      highest = fmaxf(highest, load_value<XI_ACC>(x + offset_of(a.reduced, i), a.in_scale));
    }
    highest = share(highest, [](float p, float q) { return fmaxf(p, q); });
    if (isinf(highest)) {
      result = highest;
    } else {
      for (u32 i = lane; i < a.elements; i += XI_THREADS) {
        result += expf(load_value<XI_ACC>(x + offset_of(a.reduced, i), a.in_scale) - highest);
      }
      result = highest + logf(share(result, [](float p, float q) { return p + q; }));
    }
  } else {
    for (u32 i = lane; i < a.elements; i += XI_THREADS) {
      result = combine(result, term(load_value<XI_ACC>(x + offset_of(a.reduced, i), a.in_scale)));
    }
    result = share(result, [](XI_ACC p, XI_ACC q) { return combine(p, q); });
  }
  if (lane == 0) a.y[output] = finish<XI_OUT_T>(a, result);
}

#endif
