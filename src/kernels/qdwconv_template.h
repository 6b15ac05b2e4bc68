#pragma once
// One thread's depthwise work, as a template over the vector operations. Include inside a target region.
//
// V, the operations, has: V::Reg; kVector (a DwVector); kRegs registers a group; interleave(), dot(), pack().

#include "kernels/qdwconv_kernel.h"

namespace xinfer::kernels {

/// The end of an output whose activation is a clamp and whose output has 8 bits, in registers.
struct DwClamp {
  float high;                        ///< upper bound of the output, a whole number
  int low;                           ///< lower bound of the output
  alignas(64) float multiplier[64];  ///< in lane order
  alignas(64) float bias[64];
};

/// What follows the accumulation: a clamp to s8 or u8, or a call of the row kernel.
enum class DwEnd { kSigned, kUnsigned, kGeneral };

template <class V>
struct DwKernel {
  using Reg = typename V::Reg;
  using Consts = typename V::Consts;  // a DwClamp in registers
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
    const bool output_signed = p.output_type == DataType::kInt8;
    float low = output_signed ? -128.0F : 0.0F;
    float high = output_signed ? 127.0F : 255.0F;
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
    if (task.block.count == V::kVector.channels) {
      task.input_signed ? fill_row<true, true>(task, padded_y, out) : fill_row<true, false>(task, padded_y, out);
    } else {
      task.input_signed ? fill_row<false, true>(task, padded_y, out) : fill_row<false, false>(task, padded_y, out);
    }
  }

  template <bool kWhole, bool kSigned>
  static void fill_row(const DwTask& task, std::int64_t padded_y, std::uint8_t* out) {
    alignas(64) static constexpr std::uint8_t kZeros[64] = {};
    const ConvShape& s = task.shape;
    const std::int64_t y = padded_y - s.pad_top;
    const bool row_inside = y >= 0 && y < s.in_h;
    const std::int64_t channels = s.in_channels;
    const auto* row = static_cast<const std::uint8_t*>(task.input) + y * s.in_w * channels + task.block.first;
    const std::int64_t groups = task.groups_read;
    const std::int64_t pixels = task.groups.pixels;
    const int count = static_cast<int>(task.block.count);
    const std::int64_t last_tap = (V::kVector.group - 1) * s.dilation_w;
    const std::uint8_t* taps[V::kVector.group];
    std::int64_t g = 0;
    while (g < groups) {
      const std::int64_t x = g * pixels - s.pad_left;
      if (row_inside && x >= 0 && x + last_tap < s.in_w) {
        // The run of groups that lie inside the row altogether.
        const std::int64_t inside = (s.in_w - 1 - last_tap - x) / pixels + 1;
        const std::int64_t end = inside < groups - g ? g + inside : groups;
        for (int i = 0; i < V::kVector.group; ++i) taps[i] = row + (x + i * s.dilation_w) * channels;
        for (; g < end; ++g, out += kBytes) {
          V::template interleave<kWhole, kSigned>(taps, count, out);
          for (int i = 0; i < V::kVector.group; ++i) taps[i] += pixels * channels;
        }
      } else {
        for (int i = 0; i < V::kVector.group; ++i) {
          const std::int64_t at = x + i * s.dilation_w;
          taps[i] = row_inside && at >= 0 && at < s.in_w ? row + at * channels : kZeros;
        }
        V::template interleave<kWhole, kSigned>(taps, count, out);
        ++g;
        out += kBytes;
      }
    }
  }

  /// The dot products of one input row with kOutputs outputs.
  template <int kOutputs, bool kShifted>
  static XINFER_INLINE void accumulate(const DwTask& task, const std::uint8_t* in, const std::int8_t* w,
                                       Reg (&acc)[kOutputs][kRegs], std::int64_t shift_weights) {
    const std::int64_t per_output = task.groups.per_output * kBytes;
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
  }

  /// kOutputs outputs of one row from output `first` on; `stored` of them are real. kRows and kGroups are the window's
  /// rows and the groups of a row where these are known to the compiler, else 0.
  template <int kOutputs, bool kShifted, DwEnd kEnd, int kRows, int kGroups>
  static XINFER_INLINE void step(const DwTask& task, const std::uint8_t* const* rows, std::int64_t first,
                                 std::int64_t stored, const Consts& consts, std::int64_t out_at) {
    const DwGroups& g = task.groups;
    const std::int64_t window_rows = kRows != 0 ? kRows : task.shape.kernel_h;
    const std::int64_t row_groups = kGroups != 0 ? kGroups : g.per_row;
    const std::int64_t shift_weights = window_rows * row_groups * kBytes;
    const std::int64_t base = (kShifted ? first / 2 : first * g.per_output) * kBytes;
    const std::int64_t next = g.next * kBytes;
    Reg acc[kOutputs][kRegs];
#pragma GCC unroll 4
    for (int r = 0; r < kRegs; ++r) {
      const Reg start = V::load(task.initial + r * V::kLanes);
#pragma GCC unroll 8
      for (int u = 0; u < kOutputs; ++u) acc[u][r] = start;
    }
    if constexpr (kRows != 0) {
#pragma GCC unroll 8
      for (int ky = 0; ky < kRows; ++ky) {
#pragma GCC unroll 4
        for (int t = 0; t < kGroups; ++t) {
          accumulate<kOutputs, kShifted>(task, rows[ky] + base + t * next, task.weights + (ky * kGroups + t) * kBytes,
                                         acc, shift_weights);
        }
      }
    } else {
      const std::int8_t* w = task.weights;
      for (std::int64_t ky = 0; ky < window_rows; ++ky) {
        for (std::int64_t t = 0; t < row_groups; ++t, w += kBytes) {
          accumulate<kOutputs, kShifted>(task, rows[ky] + base + t * next, w, acc, shift_weights);
        }
      }
    }
    const std::int64_t channels = task.shape.in_channels;
#pragma GCC unroll 8
    for (int u = 0; u < kOutputs; ++u) {
      if (u >= stored) break;
      const std::int64_t at = out_at + u * channels;
      if constexpr (kEnd == DwEnd::kGeneral) {
        finish(task, acc[u], at);
      } else {
        V::template pack<kEnd == DwEnd::kSigned>(acc[u], consts, static_cast<int>(task.block.count),
                                                 static_cast<std::uint8_t*>(task.output) + at);
      }
    }
  }

  /// The general end: accumulators in channel order, then the row kernel.
  static XINFER_INLINE void finish(const DwTask& task, const Reg (&acc)[kRegs], std::int64_t at) {
    alignas(64) std::int32_t natural[V::kVector.channels];
    V::store_natural(natural, acc);
    const RequantParams& p = task.params;
    task.rows.requantize(natural, task.block.count, p, task.block.first, element(task.residual, p.residual_type, at),
                         const_cast<void*>(element(task.output, p.output_type, at)));
  }

  template <bool kShifted, DwEnd kEnd, int kRows, int kGroups>
  static void run(const DwTask& task, const DwClamp& clamp) {
    constexpr int kLong = V::kLongStep;
    const ConvShape& s = task.shape;
    const std::int64_t ring_rows = s.dilation_h * (s.kernel_h - 1) + 1;
    const std::int64_t row_bytes = task.row_groups * kBytes;
    const std::int64_t out_w = s.out_w();
    const auto** rows = reinterpret_cast<const std::uint8_t**>(task.ring + ring_rows * row_bytes);
    std::int64_t filled = task.row_begin * s.stride_h;
    for (std::int64_t oy = task.row_begin; oy < task.row_end; ++oy) {
      const std::int64_t top = oy * s.stride_h;
      for (filled = filled < top ? top : filled; filled < top + ring_rows; ++filled) {
        // Rows that fall between the taps of every output are left out.
        if ((filled - top) % s.dilation_h == 0 || s.stride_h % s.dilation_h != 0) {
          fill_row(task, filled, task.ring + filled % ring_rows * row_bytes);
        }
      }
      for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
        rows[ky] = task.ring + (top + ky * s.dilation_h) % ring_rows * row_bytes;
      }
      const std::int64_t row_at = oy * out_w * s.in_channels + task.block.first;
      const Consts consts(clamp);
      std::int64_t ox = 0;
      for (; ox + kLong <= out_w; ox += kLong) {
        step<kLong, kShifted, kEnd, kRows, kGroups>(task, rows, ox, kLong, consts, row_at + ox * s.in_channels);
      }
      for (; ox < out_w; ox += 2) {
        step<2, kShifted, kEnd, kRows, kGroups>(task, rows, ox, out_w - ox, consts, row_at + ox * s.in_channels);
      }
    }
  }

  template <bool kShifted, DwEnd kEnd>
  static void run(const DwTask& task, const DwClamp& clamp) {
    constexpr int kOf3 = (3 + (kShifted ? 1 : 0) + V::kVector.group - 1) / V::kVector.group;
    constexpr int kOf5 = (5 + (kShifted ? 1 : 0) + V::kVector.group - 1) / V::kVector.group;
    if (task.shape.kernel_h == 3 && task.groups.per_row == kOf3) {
      run<kShifted, kEnd, 3, kOf3>(task, clamp);
    } else if (task.shape.kernel_h == 5 && task.groups.per_row == kOf5) {
      run<kShifted, kEnd, 5, kOf5>(task, clamp);
    } else {
      run<kShifted, kEnd, 0, 0>(task, clamp);
    }
  }

  static void run(const DwTask& task) {
    DwClamp clamp;
    const bool shifted = task.groups.shifted;
    if (!clamp_for(task, clamp)) {
      shifted ? run<true, DwEnd::kGeneral>(task, clamp) : run<false, DwEnd::kGeneral>(task, clamp);
    } else if (task.params.output_type == DataType::kInt8) {
      shifted ? run<true, DwEnd::kSigned>(task, clamp) : run<false, DwEnd::kSigned>(task, clamp);
    } else {
      shifted ? run<true, DwEnd::kUnsigned>(task, clamp) : run<false, DwEnd::kUnsigned>(task, clamp);
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
