// Elements of one tensor at places that lists of indices say: Gather, Pad and Tile. Macros beside those of
// index_map.cuh:
//
//   XI_T       the element as an unsigned number: u8, u16, u32 or u64
//   XI_LISTS   lists of indices (XI_OPERANDS is one more)
//   XI_LIST_T  their type: s32 or s64
//   XI_WRAP    1: negative indices count from the end; 0: they stand for the fill value
#include "index_map.cuh"

/// PickArgs of cuda/pick.cpp, member for member.
struct PickArgs {
  u64 fill;
  s64 size;                     ///< of the axis that is indexed, where indices wrap
  s64 stride[kMapTensors - 2];  ///< elements that one index is worth, for each list
};
struct PickOperands {
  MapOperand data;
  MapOperand list[kMapTensors - 2];
};

extern "C" __global__ void __launch_bounds__(kMapThreads)
    pick_elements(const __grid_constant__ MapSpace space, const __grid_constant__ MapOperand out,
                  const __grid_constant__ PickOperands in, const __grid_constant__ PickArgs args) {
  const u32 thread = blockIdx.x * kMapThreads + threadIdx.x;
  wait_for_previous();
  launch_next();
  if (thread >= space.count) return;
  const MapPoint point = point_of(space, thread);
  if (point.column >= space.stored) return;
  s64 shift[XI_V];
  bool inside[XI_V];
  bool together = true;  // one index of each list for the whole vector
#pragma unroll
  for (int v = 0; v < XI_V; ++v) shift[v] = 0, inside[v] = true;
#pragma unroll
  for (int l = 0; l < XI_LISTS; ++l) {
    XI_LIST_T index[XI_V];
    load_operand<XI_LIST_T>(in.list[l], point, l + 2, index);
    together = together && in.list[l].step == 0;
#pragma unroll
    for (int v = 0; v < XI_V; ++v) {
      s64 i = index[v];
#if XI_WRAP
      i = i < 0 ? i + args.size : i;
      i = i < 0 ? 0 : i >= args.size ? args.size - 1 : i;  // the reference refuses these; stay inside the memory
#else
      inside[v] = inside[v] && i >= 0;
#endif
      shift[v] += i * args.stride[l];
    }
  }
  XI_T x[XI_V];
  if (together) {
#pragma unroll
    for (int v = 0; v < XI_V; ++v) x[v] = static_cast<XI_T>(args.fill);
    if (inside[0]) {
      MapPoint there = point;
      there.at[1] += shift[0];
      load_operand<XI_T>(in.data, there, 1, x);
    }
  } else {
    const XI_T* const from = reinterpret_cast<const XI_T*>(in.data.data) + point.at[1];
#pragma unroll
    for (int v = 0; v < XI_V; ++v) {
      x[v] = static_cast<XI_T>(args.fill);
      if (inside[v] && point.column + v < point.inner) {
        x[v] = from[static_cast<s64>(point.column + v) * in.data.step + shift[v]];
      }
    }
  }
  store_result<XI_T>(out, space, point, x);
}
