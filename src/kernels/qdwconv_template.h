#pragma once
// One thread's depthwise work, as a template over the vector operations. Include inside a target region.
//
// V, the operations, has: V::Reg; kVector (a DwVector); kRegs registers a group; interleave(), dot(), pack().

#include "kernels/qdwconv_kernel.h"

namespace xinfer::kernels {

/// The end of an output whose activation is a clamp and whose output has 8 bits, in registers.
struct DwClamp {
  float high;  ///< upper bound of the output, a whole number
  int low;     ///< lower bound of the output
  bool output_signed;
  alignas(64) float multiplier[64];  ///< in lane order
  alignas(64) float bias[64];
};

template <class V>
struct DwKernel {
  using Reg = typename V::Reg;
  static constexpr int kRegs = V::kRegs;
  static constexpr int kBytes = V::kVector.bytes;

  static XINFER_INLINE std::int64_t lane_of(std::int64_t c) {
    constexpr std::int64_t kPer128 = V::kVector.group == 4 ? 16 : 8;
    constexpr std::int64_t kLanes128 = V::kVector.channels / kPer128;
    return (c % kPer128) / 4 * (kLanes128 * 4) + c / kPer128 * 4 + c % 4;
  }

  /// True when the whole end can be done by a clamp of packed bytes; fills `clamp`.
  static bool clamp_for(const DwTask& task, DwClamp& clamp) {
    const RequantParams& p = task.params;
    if (p.output_type == DataType::kFloat32 || p.residual != nullptr || p.out_scale != 1.0F) {
      return false;
    }
    clamp.output_signed = p.output_type == DataType::kInt8;
    float low = clamp.output_signed ? -128.0F : 0.0F;
    float high = clamp.output_signed ? 127.0F : 255.0F;
    const float least = low;
    const float most = high;
    if (p.activation.kind == Activation::kRelu) {
      low = 0.0F;
    } else if (p.activation.kind == Activation::kClip) {
      low = round_even(bound(p.activation.clip_lo, least, most));
      high = round_even(bound(p.activation.clip_hi, least, most));
      if (high < low) {
        low = high;
      }
    } else if (p.activation.kind != Activation::kIdentity) {
      return false;
    }
    clamp.low = static_cast<int>(low);
    clamp.high = high;
    for (int c = 0; c < V::kVector.channels; ++c) {
      const bool real = c < task.block.count;
      const std::int64_t lane = lane_of(c);
      clamp.multiplier[lane] = real ? p.multiplier[task.block.first + c] : 0.0F;
      clamp.bias[lane] = real && p.bias != nullptr ? p.bias[task.block.first + c] : 0.0F;
    }
    return true;
  }

  static void fill_row(const DwTask& task, std::int64_t padded_y, std::uint8_t* out) {
    alignas(64) static constexpr std::uint8_t kZeros[64] = {};
    const ConvShape& s = task.shape;
    const std::int64_t y = padded_y - s.pad_top;
    const bool row_inside = y >= 0 && y < s.in_h;
    const std::int64_t channels = s.in_channels;
    const auto* row = static_cast<const std::uint8_t*>(task.input) + y * s.in_w * channels + task.block.first;
    const std::int64_t groups = dw_groups_read(s, task.groups);
    const int count = static_cast<int>(task.block.count);
    const std::uint8_t flip = task.input_signed ? 0x80 : 0;
    for (std::int64_t g = 0; g < groups; ++g, out += kBytes) {
      const std::uint8_t* taps[V::kVector.group];
      for (int i = 0; i < V::kVector.group; ++i) {
        const std::int64_t x = g * task.groups.pixels + i * s.dilation_w - s.pad_left;
        taps[i] = row_inside && x >= 0 && x < s.in_w ? row + x * channels : kZeros;
      }
      V::interleave(taps, count, flip, out);
    }
  }

  /// kOutputs outputs of one row from output `first` on; `stored` of them are real.
  template <int kOutputs, bool kShifted, bool kClamp>
  static XINFER_INLINE void step(const DwTask& task, const std::uint8_t* const* rows, std::int64_t first,
                                 std::int64_t stored, const DwClamp& clamp, std::int64_t out_at) {
    const ConvShape& s = task.shape;
    const DwGroups& g = task.groups;
    const std::int64_t row_weights = g.per_row * kBytes;
    const std::int64_t shift_weights = s.kernel_h * row_weights;
    const std::int64_t base = (kShifted ? first / 2 : first * g.per_output) * kBytes;
    const std::int64_t per_output = g.per_output * kBytes;
    Reg acc[kOutputs][kRegs];
    for (int r = 0; r < kRegs; ++r) {
      const Reg start = V::load(task.initial + r * V::kLanes);
#pragma GCC unroll 8
      for (int u = 0; u < kOutputs; ++u) acc[u][r] = start;
    }
    const std::int8_t* w = task.weights;
    for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const std::uint8_t* in = rows[ky] + base;
      for (std::int64_t t = 0; t < g.per_row; ++t) {
#pragma GCC unroll 4
        for (int r = 0; r < kRegs; ++r) {
          const Reg w0 = V::load(w + r * V::kRegBytes);
          if constexpr (kShifted) {
            const Reg w1 = V::load(w + shift_weights + r * V::kRegBytes);
#pragma GCC unroll 8
            for (int u = 0; u < kOutputs; u += 2) {
              const Reg x = V::load(in + (u / 2) * kBytes + r * V::kRegBytes);
              acc[u][r] = V::dot(acc[u][r], x, w0);
              acc[u + 1][r] = V::dot(acc[u + 1][r], x, w1);
            }
          } else {
#pragma GCC unroll 8
            for (int u = 0; u < kOutputs; ++u) {
              acc[u][r] = V::dot(acc[u][r], V::load(in + u * per_output + r * V::kRegBytes), w0);
            }
          }
        }
        w += kBytes;
        in += g.next * kBytes;
      }
    }
    const std::int64_t channels = s.in_channels;
#pragma GCC unroll 8
    for (int u = 0; u < kOutputs; ++u) {
      if (u >= stored) break;
      const std::int64_t at = out_at + u * channels;
      if constexpr (kClamp) {
        V::pack(acc[u], clamp, static_cast<int>(task.block.count), static_cast<std::uint8_t*>(task.output) + at);
      } else {
        finish(task, acc[u], at);
      }
    }
  }

  /// The general end: accumulators in channel order, then the row kernel.
  static __attribute__((noinline)) void finish(const DwTask& task, const Reg (&acc)[kRegs], std::int64_t at) {
    alignas(64) std::int32_t lanes[V::kVector.channels];
    alignas(64) std::int32_t natural[V::kVector.channels];
    for (int r = 0; r < kRegs; ++r) V::store(lanes + r * V::kLanes, acc[r]);
    for (int c = 0; c < V::kVector.channels; c += 4) {
      __builtin_memcpy(natural + c, lanes + lane_of(c), 16);
    }
    const RequantParams& p = task.params;
    task.rows.requantize(natural, task.block.count, p, task.block.first, element(task.residual, p.residual_type, at),
                         const_cast<void*>(element(task.output, p.output_type, at)));
  }

  template <bool kShifted, bool kClamp>
  static void run(const DwTask& task, const DwClamp& clamp) {
    constexpr int kLong = V::kLongStep;
    const ConvShape& s = task.shape;
    const std::int64_t ring_rows = s.dilation_h * (s.kernel_h - 1) + 1;
    const std::int64_t row_bytes = dw_row_groups(s, task.groups) * kBytes;
    const std::int64_t out_w = s.out_w();
    const auto** rows = reinterpret_cast<const std::uint8_t**>(task.ring + ring_rows * row_bytes);
    std::int64_t filled = task.row_begin * s.stride_h;
    for (std::int64_t oy = task.row_begin; oy < task.row_end; ++oy) {
      const std::int64_t top = oy * s.stride_h;
      for (filled = filled < top ? top : filled; filled < top + ring_rows; ++filled) {
        if ((filled - top) % s.dilation_h == 0 || s.stride_h % s.dilation_h != 0) {
          fill_row(task, filled, task.ring + filled % ring_rows * row_bytes);
        }
      }
      for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
        rows[ky] = task.ring + (top + ky * s.dilation_h) % ring_rows * row_bytes;
      }
      const std::int64_t row_at = oy * out_w * s.in_channels + task.block.first;
      std::int64_t ox = 0;
      while (ox < out_w) {
        const std::int64_t left = out_w - ox;
        const std::int64_t at = row_at + ox * s.in_channels;
        if (left > 2) {
          step<kLong, kShifted, kClamp>(task, rows, ox, left, clamp, at);
          ox += kLong;
        } else {
          step<2, kShifted, kClamp>(task, rows, ox, left, clamp, at);
          ox += 2;
        }
      }
    }
  }

  static void run(const DwTask& task) {
    DwClamp clamp;
    const bool clamped = clamp_for(task, clamp);
    if (task.groups.shifted) {
      clamped ? run<true, true>(task, clamp) : run<true, false>(task, clamp);
    } else {
      clamped ? run<false, true>(task, clamp) : run<false, false>(task, clamp);
    }
  }

 private:
  static float bound(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
  static float round_even(float x) { return static_cast<float>(_mm_cvtss_si32(_mm_set_ss(x))); }
  static const void* element(const void* p, DataType type, std::int64_t at) {
    return p == nullptr ? nullptr : static_cast<const char*>(p) + at * (type == DataType::kFloat32 ? 4 : 1);
  }
};

}  // namespace xinfer::kernels
