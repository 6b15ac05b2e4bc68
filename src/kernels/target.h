#pragma once
// Regions of code compiled for one instruction set. Ordinary headers are included before a region begins, so that
// no inline function of theirs is compiled for instructions that the machine may lack; inside, everything is in
// types or namespaces of that instruction set alone.

#define XINFER_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define XINFER_TARGET_BEGIN(features) \
  XINFER_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define XINFER_TARGET_END XINFER_PRAGMA(clang attribute pop)
#else
#define XINFER_TARGET_BEGIN(features) \
  XINFER_PRAGMA(GCC push_options)     \
  XINFER_PRAGMA(GCC target(features))
#define XINFER_TARGET_END XINFER_PRAGMA(GCC pop_options)
// Intrinsics that leave a register undefined on purpose look uninitialized to GCC 12.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define XINFER_AVX2 "avx2,fma"
#define XINFER_AVX512 "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"
#define XINFER_VNNI "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512"

#define XINFER_INLINE __attribute__((always_inline)) inline
