#pragma once
// Sixteen float32 or int32 lanes with the same operations, in the same order, on every instruction set: one structure
// per instruction set (lanes_baseline.h, lanes_avx2.h, lanes_avx512.h). Row kernels are templates over it, so that
// results are bit-identical everywhere.

#include <cstdint>

namespace xinfer::kernels {

constexpr std::int64_t kLanes = 16;

/// Access to all sixteen lanes, or to the first n of them.
struct Full {};
struct Tail {
  int n;
};

}  // namespace xinfer::kernels
