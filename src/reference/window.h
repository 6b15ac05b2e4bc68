#pragma once
// Sliding windows over one to three spatial axes, as convolutions and pools see them.

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "reference/loops.h"

namespace xinfer::reference {

/// One spatial axis of a window. Tap k of output o reads input o * stride - pad + k * dilation.
struct WindowAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;

  std::int64_t position(std::int64_t o, std::int64_t k) const { return o * stride - pad_begin + k * dilation; }
  /// Outputs [first, last) whose tap k lies inside the input.
  std::int64_t first(std::int64_t k) const {
    const std::int64_t missing = pad_begin - k * dilation;
    return missing <= 0 ? 0 : std::min(out, (missing + stride - 1) / stride);
  }
  std::int64_t last(std::int64_t k) const {
    const std::int64_t room = in - 1 + pad_begin - k * dilation;
    return room < 0 ? first(k) : std::max(first(k), std::min(out, room / stride + 1));
  }
};

/// Three axes; those that a smaller rank lacks have size 1.
struct Window {
  std::array<WindowAxis, 3> axes;

  std::int64_t in_count() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t out_count() const { return axes[0].out * axes[1].out * axes[2].out; }
  std::int64_t kernel_count() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};

/// Sizes are the spatial ones (rank 1 to 3); empty `strides`, `dilations` and `pads` mean 1, 1 and 0. Throws
/// UnsupportedError for another rank.
Window make_window(const Sizes& in, const Sizes& out, const Sizes& kernel, const Sizes& strides, const Sizes& dilations,
                   const Sizes& pads);

/// The spatial part of (N, C, spatial...).
inline Sizes spatial(const Sizes& shape) { return {shape.begin() + 2, shape.end()}; }

/// Calls f(weight_index, input_offset, output_offset, count) for runs along the innermost axis: output[output_offset +
/// i] meets input[input_offset + i * innermost stride] through weight `weight_index`, for i in [0, count).
template <class F>
void for_each_run(const Window& window, F&& f) {
  const auto& [d, h, w] = window.axes;
  std::int64_t tap = 0;
  for (std::int64_t kd = 0; kd < d.kernel; ++kd) {
    for (std::int64_t kh = 0; kh < h.kernel; ++kh) {
      for (std::int64_t kw = 0; kw < w.kernel; ++kw, ++tap) {
        const std::int64_t begin = w.first(kw);
        const std::int64_t count = w.last(kw) - begin;
        if (count <= 0) continue;
        for (std::int64_t od = d.first(kd); od < d.last(kd); ++od) {
          for (std::int64_t oh = h.first(kh); oh < h.last(kh); ++oh) {
            f(tap, (d.position(od, kd) * h.in + h.position(oh, kh)) * w.in + w.position(begin, kw),
              (od * h.out + oh) * w.out + begin, count);
          }
        }
      }
    }
  }
}

/// Calls f(output_index, tap_count_with_padding, inputs) for each output, `inputs` being the offsets of its taps inside
/// the input. The count is that of the taps inside input and declared padding: a window that a ceil mode pushes beyond
/// both counts only what lies within.
template <class F>
void for_each_window(const Window& window, F&& f) {
  const auto& [d, h, w] = window.axes;
  const auto counted = [](const WindowAxis& axis, std::int64_t p) { return p < axis.in + axis.pad_end; };
  const auto inside = [](const WindowAxis& axis, std::int64_t p) { return p >= 0 && p < axis.in; };
  std::vector<std::int64_t> taps;
  std::int64_t output = 0;
  for (std::int64_t od = 0; od < d.out; ++od) {
    for (std::int64_t oh = 0; oh < h.out; ++oh) {
      for (std::int64_t ow = 0; ow < w.out; ++ow, ++output) {
        taps.clear();
        std::int64_t count = 0;
        for (std::int64_t kd = 0; kd < d.kernel; ++kd) {
          const std::int64_t pd = d.position(od, kd);
          if (!counted(d, pd)) continue;
          for (std::int64_t kh = 0; kh < h.kernel; ++kh) {
            const std::int64_t ph = h.position(oh, kh);
            if (!counted(h, ph)) continue;
            for (std::int64_t kw = 0; kw < w.kernel; ++kw) {
              const std::int64_t pw = w.position(ow, kw);
              if (!counted(w, pw)) continue;
              ++count;
              if (inside(d, pd) && inside(h, ph) && inside(w, pw)) taps.push_back((pd * h.in + ph) * w.in + pw);
            }
          }
        }
        f(output, count, taps);
      }
    }
  }
}

}  // namespace xinfer::reference
