#pragma once
// Runs a simple loop compiled for the widest vectors that kernels::detect_isa() allows.

#include <utility>

#include "kernels/isa.h"

namespace xinfer::cpu {
namespace vector_loop_detail {

template <class F>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"))) void run_avx512(F&& f) {
  f();
}
template <class F>
__attribute__((target("avx2"))) void run_avx2(F&& f) {
  f();
}

}  // namespace vector_loop_detail

/// Calls `f`, a lambda marked XINFER_INLINE so that its loop is compiled anew for each instruction set. No contraction
/// happens (-ffp-contract=off), so results are the same everywhere.
#define XINFER_INLINE __attribute__((always_inline))
template <class F>
void vector_loop(kernels::Isa isa, F&& f) {
  if (isa >= kernels::Isa::kAvx512) return vector_loop_detail::run_avx512(std::forward<F>(f));
  if (isa >= kernels::Isa::kAvx2) return vector_loop_detail::run_avx2(std::forward<F>(f));
  f();
}

}  // namespace xinfer::cpu
