// GatherElements, GatherNd and ScatterNd. Negative indices count from the end; the reference refuses those outside an
// axis, here they stay inside the memory.
//
// ScatterNd gives what the updates give one after the other, whatever order the threads run in. Where they replace,
// each place takes the last update that names it: claim_places finds that one, write_places writes it. Where they are
// combined, the updates are sorted by place (a stable radix sort: those of one place keep their order), and
// combine_places lets one thread take all updates of an element in turn. So sums of floats are the same in every run,
// and many updates to one place cost no more than few.
//
// Macros: XI_INDEX_T the type of indices (s32, s64); XI_T the element: an unsigned number (or Vector16) where elements
// are only moved, which for gather_nd and write_places may be several elements of a row at once. XI_GATHER: defined for
// the first two operators. ScatterNd: XI_COPY_T (what is copied at once); XI_SORT (1: updates are combined) and
// XI_COMBINE (0 add, 1 multiply, 2 maximum, 3 minimum).
#include "lanes.cuh"

constexpr int kIndexAxes = 8;  // cuda/indexing.cpp knows it too
constexpr u32 kThreads = 256;

/// IndexSpace of cuda/indexing.cpp, member for member: the axes that a tuple of indices names.
struct IndexSpace {
  u32 length;  ///< of a tuple
  u32 unused;
  s64 size[kIndexAxes], stride[kIndexAxes];
};

__device__ __forceinline__ s64 inside(s64 index, s64 size) {
  index = index < 0 ? index + size : index;
  return index < 0 ? 0 : index >= size ? size - 1 : index;
}

__device__ __forceinline__ s64 offset_of(const IndexSpace& space, const XI_INDEX_T* tuple) {
  s64 offset = 0;
#pragma unroll 1
  for (u32 i = 0; i < space.length; ++i) offset += inside(tuple[i], space.size[i]) * space.stride[i];
  return offset;
}

#ifdef XI_GATHER

/// GatherElementsArgs of cuda/indexing.cpp, member for member.
struct GatherElementsArgs {
  const XI_T* x;
  const XI_INDEX_T* indices;
  XI_T* y;
  u32 count;  ///< elements of the result
  u32 axes;   ///< of the result, innermost first
  u32 size[kIndexAxes];
  s64 stride[kIndexAxes];  ///< in x; 0 for the axis that is indexed
  s64 axis_size, axis_stride;
};

extern "C" __global__ void __launch_bounds__(kThreads) gather_elements(const __grid_constant__ GatherElementsArgs a) {
  wait_for_previous();
  launch_next();
  const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= a.count) return;
  s64 from = inside(a.indices[thread], a.axis_size) * a.axis_stride;
  u32 rest = thread;
#pragma unroll 1
  for (u32 i = 0; i < a.axes; ++i) {
    const u32 next = rest / a.size[i];
    from += static_cast<s64>(rest - next * a.size[i]) * a.stride[i];
    rest = next;
  }
  a.y[thread] = a.x[from];
}

/// GatherNdArgs of cuda/indexing.cpp, member for member. Lengths are in units of XI_T.
struct GatherNdArgs {
  const XI_T* x;
  const XI_INDEX_T* indices;
  XI_T* y;
  u32 count;      ///< units of the result
  u32 row;        ///< units that one tuple brings
  u32 per_batch;  ///< tuples of one batch
  u32 unused;
  s64 batch_stride;
  IndexSpace space;
};

extern "C" __global__ void __launch_bounds__(kThreads) gather_nd(const __grid_constant__ GatherNdArgs a) {
  wait_for_previous();
  launch_next();
  const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= a.count) return;
  const u32 tuple = thread / a.row;
  const s64 from = offset_of(a.space, a.indices + static_cast<s64>(tuple) * a.space.length) +
                   static_cast<s64>(tuple / a.per_batch) * a.batch_stride + thread % a.row;
  a.y[thread] = a.x[from];
}

#else

/// ScatterArgs of cuda/indexing.cpp, member for member.
struct ScatterArgs {
  const void* x;
  const XI_INDEX_T* indices;
  const void* updates;
  void* y;
  void* scratch;  ///< s32[places]: the last update of each; or u64[2][tuples]: place << 32 | update
  u32 copies;     ///< units of XI_COPY_T
  u32 places;     ///< that tuples can name
  u32 tuples;
  u32 row;     ///< units of XI_T at one place
  u32 digits;  ///< bytes of a place that differ
  u32 unused;
  IndexSpace space;  ///< strides in places
};

__device__ __forceinline__ u32 place_of(const ScatterArgs& a, u32 update) {
  return static_cast<u32>(offset_of(a.space, a.indices + static_cast<s64>(update) * a.space.length));
}

/// y = x, and the scratch memory's first contents.
extern "C" __global__ void __launch_bounds__(kThreads) begin_scatter(const __grid_constant__ ScatterArgs a) {
  wait_for_previous();
  launch_next();
  const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread < a.copies) static_cast<XI_COPY_T*>(a.y)[thread] = static_cast<const XI_COPY_T*>(a.x)[thread];
#if XI_SORT
  if (thread < a.tuples) static_cast<u64*>(a.scratch)[thread] = (static_cast<u64>(place_of(a, thread)) << 32) | thread;
#else
  if (thread < a.places) static_cast<s32*>(a.scratch)[thread] = -1;
#endif
}

#if XI_SORT

constexpr u32 kSortThreads = 1024;
constexpr u32 kDigits = 256;

/// One block. A least significant digit radix sort of 8 bits a pass, tile by tile in order. The result is in the first
/// half of the scratch memory when `digits` is even, else in the second.
extern "C" __global__ void __launch_bounds__(kSortThreads) sort_updates(const __grid_constant__ ScatterArgs a) {
  __shared__ u32 next[kDigits];  // where the next element of each digit goes
  __shared__ u32 at[kSortThreads / 32][kDigits];
  wait_for_previous();
  launch_next();
  const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  u64* from = static_cast<u64*>(a.scratch);
  u64* to = from + a.tuples;
#pragma unroll 1
  for (u32 pass = 0; pass < a.digits; ++pass) {
    const u32 shift = 32 + 8 * pass;
    if (threadIdx.x < kDigits) next[threadIdx.x] = 0;
    __syncthreads();
    for (u32 i = threadIdx.x; i < a.tuples; i += kSortThreads) {
      atomicAdd(&next[static_cast<u32>(from[i] >> shift) % kDigits], 1u);
    }
    __syncthreads();
    if (warp == 0) {
      // A lane sums 8 digits; then a scan over the lanes.
      u32 count[8], sum = 0;
#pragma unroll
      for (u32 i = 0; i < 8; ++i) count[i] = next[lane * 8 + i], sum += count[i];
      u32 upto = sum;
#pragma unroll
      for (u32 step = 1; step < 32; step *= 2) {
        const u32 other = __shfl_up_sync(0xffffffffu, upto, step);
        if (lane >= step) upto += other;
      }
      u32 first = upto - sum;
#pragma unroll
      for (u32 i = 0; i < 8; ++i) next[lane * 8 + i] = first, first += count[i];
    }
    __syncthreads();
#pragma unroll 1
    for (u32 start = 0; start < a.tuples; start += kSortThreads) {
      const u32 i = start + threadIdx.x;
      const bool valid = i < a.tuples;
      const u64 pair = valid ? from[i] : 0;
      const u32 digit = valid ? static_cast<u32>(pair >> shift) % kDigits : kDigits;
      __syncwarp();
#pragma unroll
      for (u32 d = lane; d < kDigits; d += 32) at[warp][d] = 0;
      __syncwarp();
      const u32 alike = __match_any_sync(0xffffffffu, digit);
      const u32 rank = __popc(alike & ((1u << lane) - 1));
      if (valid && rank == 0) at[warp][digit] = __popc(alike);
      __syncthreads();
      if (threadIdx.x < kDigits) {
        u32 place = next[threadIdx.x];
        for (u32 w = 0; w < kSortThreads / 32; ++w) {
          const u32 count = at[w][threadIdx.x];
          at[w][threadIdx.x] = place;
          place += count;
        }
        next[threadIdx.x] = place;
      }
      __syncthreads();
      if (valid) to[at[warp][digit] + rank] = pair;
    }
    __syncthreads();
    u64* const sorted = to;
    to = from;
    from = sorted;
  }
}

/// Integers wrap: sums and products go through an unsigned type that holds them.
__device__ __forceinline__ float load_term(const half_t& x) { return to_float(x); }
__device__ __forceinline__ float load_term(const float& x) { return x; }
template <class T>
__device__ __forceinline__ s64 load_term(const T& x) {
  return x;
}

template <class T>
__device__ __forceinline__ T store_term(float x) {
  return from_float<T>(x);
}
template <class T>
__device__ __forceinline__ T store_term(s64 x) {
  return static_cast<T>(x);
}

template <class A>
__device__ __forceinline__ A combine(A to, A from) {
  if constexpr (XI_COMBINE == 2)
    return to < from ? from : to;
  else if constexpr (XI_COMBINE == 3)
    return from < to ? from : to;
  else if constexpr (same_type<A, float>)
    return XI_COMBINE == 0 ? to + from : to * from;
  else {
    const u64 p = static_cast<u64>(to), q = static_cast<u64>(from);
    return static_cast<A>(XI_COMBINE == 0 ? p + q : p * q);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads) combine_places(const __grid_constant__ ScatterArgs a) {
  wait_for_previous();
  launch_next();
  const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
  const u32 first = thread / a.row, unit = thread % a.row;
  if (first >= a.tuples) return;
  const u64* const sorted = static_cast<const u64*>(a.scratch) + (a.digits % 2 == 0 ? 0 : a.tuples);
  const u32 place = static_cast<u32>(sorted[first] >> 32);
  if (first > 0 && static_cast<u32>(sorted[first - 1] >> 32) == place) return;
  const s64 element = static_cast<s64>(place) * a.row + unit;
  const XI_T* const updates = static_cast<const XI_T*>(a.updates) + unit;
  auto result = load_term(static_cast<const XI_T*>(a.x)[element]);
  for (u32 i = first; i < a.tuples; ++i) {
    const u64 pair = sorted[i];
    if (static_cast<u32>(pair >> 32) != place) break;
    result = combine(result, load_term(updates[static_cast<s64>(static_cast<u32>(pair)) * a.row]));
  }
  static_cast<XI_T*>(a.y)[element] = store_term<XI_T>(result);
}

#else

extern "C" __global__ void __launch_bounds__(kThreads) claim_places(const __grid_constant__ ScatterArgs a) {
  wait_for_previous();
  launch_next();
  const u32 update = blockIdx.x * blockDim.x + threadIdx.x;
  if (update < a.tuples) atomicMax(static_cast<s32*>(a.scratch) + place_of(a, update), static_cast<s32>(update));
}

extern "C" __global__ void __launch_bounds__(kThreads) write_places(const __grid_constant__ ScatterArgs a) {
  wait_for_previous();
  launch_next();
  const u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
  const u32 update = thread / a.row, unit = thread % a.row;
  if (update >= a.tuples) return;
  const u32 place = place_of(a, update);
  if (static_cast<const s32*>(a.scratch)[place] != static_cast<s32>(update)) return;
  static_cast<XI_T*>(a.y)[static_cast<s64>(place) * a.row + unit] = static_cast<const XI_T*>(a.updates)[thread];
}

#endif
#endif
