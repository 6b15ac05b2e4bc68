// Convolution of an image of up to four channels, by mma.sync: k runs over taps times four channels, so that three
// channels waste a quarter of the work where padding them to 16 would waste four fifths.
//
// A block computes 16 x kTileRows output pixels of one image, all output channels. The input patch lies in shared memory
// with four channels a pixel; an A fragment's register is one pixel at one tap (two registers for halves). A lane's
// output channels are neighbours: the host orders the weights so (cuda/stem.cpp).
//
// Macros beside the epilogue's: XI_T (s8, u8, half_t), XI_KH, XI_KW, XI_SH, XI_SW (kernel and strides), XI_TILES (columns
// of 8 output channels that a warp computes at once: 4 or 8).
#include "epilogue.cuh"
#include "lanes.cuh"

struct StemArgs {
  const XI_T* x;          ///< nhwc, 16 channels stored
  const Vector16* weights;  ///< [chunk][step][pair of tiles][lane]: the B registers of both tiles
  XI_OUT_T* y;
  int in_h, in_w, out_h, out_w, pad_h, pad_w;
  int out_pitch;  ///< output channels, padded
  int chunks;     ///< of 8 * XI_TILES output channels
  EpilogueArgs epilogue;
};

constexpr int kWarps = 8, kTileRows = 2 * kWarps, kTileColumns = 16;
constexpr int kPatchRows = (kTileRows - 1) * XI_SH + XI_KH;
constexpr int kPatchColumns = (kTileColumns - 1) * XI_SW + XI_KW;
constexpr bool kHalf = same_type<XI_T, half_t>;
constexpr int kTaps = XI_KH * XI_KW;
constexpr int kTapsPerStep = kHalf ? 4 : 8;
constexpr int kSteps = (kTaps + kTapsPerStep - 1) / kTapsPerStep;
constexpr int kPixelWords = kHalf ? 2 : 1;
constexpr int kRegisters = kHalf ? 1 : 2;  // pixels of one output pixel that a lane takes at one step
constexpr int kPatchBytes = (kPatchRows * kPatchColumns * kPixelWords * 4 + 15) / 16 * 16;
constexpr int kWeightVectors = kSteps * XI_TILES / 2 * 32;

template <class T>
struct StemAcc {
  using Type = s32;
};
template <>
struct StemAcc<half_t> {
  using Type = float;
};
using Acc = StemAcc<XI_T>::Type;

__device__ __forceinline__ void multiply(s32 (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  if constexpr (same_type<XI_T, u8>) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}
__device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Copies kBytes, or writes zeros, without waiting.
template <int kBytes>
__device__ __forceinline__ void copy_async(u32 to, const void* from, bool really) {
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes),
                 "r"(really ? kBytes : 0)
                 : "memory");
  }
}
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

/// The A registers of a tile of 16 output pixels at one step; `patch` points to the lane's first pixel.
__device__ __forceinline__ void load_a(const u32* patch, const int (&tap)[kRegisters], u32 (&a)[4]) {
  constexpr int kNext = 8 * XI_SW * kPixelWords;  // eight output pixels further
  if constexpr (kHalf) {
    const u64 low = *reinterpret_cast<const u64*>(patch + tap[0]);
    const u64 high = *reinterpret_cast<const u64*>(patch + tap[0] + kNext);
    a[0] = static_cast<u32>(low), a[2] = static_cast<u32>(low >> 32);
    a[1] = static_cast<u32>(high), a[3] = static_cast<u32>(high >> 32);
  } else {
    a[0] = patch[tap[0]], a[1] = patch[tap[0] + kNext];
    a[2] = patch[tap[kRegisters - 1]], a[3] = patch[tap[kRegisters - 1] + kNext];
  }
}

extern "C" __global__ void __launch_bounds__(32 * kWarps, 2) stem_conv(const StemArgs a) {
  extern __shared__ Vector16 shared[];
  u32* const patch = reinterpret_cast<u32*>(shared);
  const Vector16* const weights = shared + kPatchBytes / 16;
  launch_next();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int column = static_cast<int>(blockIdx.x) * kTileColumns, row = static_cast<int>(blockIdx.y) * kTileRows;
  const u64 image = blockIdx.z;

  const u32 weights_at = shared_address(weights);
  for (int i = thread; i < kWeightVectors; i += 32 * kWarps) copy_async<16>(weights_at + i * 16, a.weights + i, true);
  wait_for_previous();
  const u32 patch_at = shared_address(patch);
  for (int i = thread; i < kPatchRows * kPatchColumns; i += 32 * kWarps) {
    const int r = i / kPatchColumns;
    const int y = row * XI_SH - a.pad_h + r, x = column * XI_SW - a.pad_w + i - r * kPatchColumns;
    const bool inside = static_cast<u32>(y) < static_cast<u32>(a.in_h) && static_cast<u32>(x) < static_cast<u32>(a.in_w);
    const XI_T* from = inside ? a.x + ((image * a.in_h + y) * a.in_w + x) * 16 : a.x;
    copy_async<4 * kPixelWords>(patch_at + i * 4 * kPixelWords, from, inside);
  }
  // Where the lane's taps lie, in words. Those beyond the last one have zero weights.
  int tap[kSteps][kRegisters];
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
#pragma unroll
    for (int i = 0; i < kRegisters; ++i) {
      const int t = min(s * kTapsPerStep + i * 4 + lane % 4, kTaps - 1);
      tap[s][i] = (t / XI_KW * kPatchColumns + t % XI_KW) * kPixelWords;
    }
  }
  const u32* const mine = patch + (warp * 2 * XI_SH * kPatchColumns + lane / 4 * XI_SW) * kPixelWords;
  constexpr int kNextRow = XI_SH * kPatchColumns * kPixelWords;
  wait_for_copies();
  __syncthreads();

  for (int chunk = 0; chunk < a.chunks; ++chunk) {
    if (chunk > 0) {
      __syncthreads();
      for (int i = thread; i < kWeightVectors; i += 32 * kWarps) {
        copy_async<16>(weights_at + i * 16, a.weights + chunk * kWeightVectors + i, true);
      }
      wait_for_copies();
      __syncthreads();
    }
    Acc acc[2][XI_TILES][4] = {};  // two rows of 16 pixels
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      u32 pixels[2][4];
      load_a(mine, tap[s], pixels[0]);
      load_a(mine + kNextRow, tap[s], pixels[1]);
#pragma unroll
      for (int pair = 0; pair < XI_TILES / 2; ++pair) {
        const Vector16 w = weights[(s * (XI_TILES / 2) + pair) * 32 + lane];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          multiply(acc[r][2 * pair], pixels[r], w.x, w.y);
          multiply(acc[r][2 * pair + 1], pixels[r], w.z, w.w);
        }
      }
    }
    // A lane holds 2 * XI_TILES neighbouring channels of pixels lane / 4 and lane / 4 + 8 of both rows.
    constexpr int kChannels = 2 * XI_TILES;
    const int channel = (chunk * 4 + lane % 4) * kChannels;
    if (channel >= a.out_pitch) continue;
    // Packed first, for stores as wide as they get.
    u32 packed[2][2][words_of<XI_OUT_T, kChannels>];
#pragma unroll
    for (int part = 0; part < kChannels / 8; ++part) {
      float m[8], b[8];
      load_lanes<float, 8>(a.epilogue.multiplier + channel + 8 * part, m);
      load_lanes<float, 8>(a.epilogue.bias + channel + 8 * part, b);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float v[8];
#pragma unroll
          for (int c = 0; c < 8; ++c) {
            v[c] = finish(a.epilogue, acc[r][4 * part + c / 2][2 * half + c % 2], m[c], b[c], 0.0f);
          }
          u32 words[words_of<XI_OUT_T, 8>];
          pack<XI_OUT_T, 8>(v, words);
#pragma unroll
          for (int k = 0; k < words_of<XI_OUT_T, 8>; ++k) packed[r][half][part * words_of<XI_OUT_T, 8> + k] = words[k];
        }
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int y = row + warp * 2 + r, x = column + lane / 4 + 8 * half;
        if (y >= a.out_h || x >= a.out_w) continue;
        store_words(a.y + ((image * a.out_h + y) * a.out_w + x) * a.out_pitch + channel, packed[r][half]);
      }
    }
  }
}
