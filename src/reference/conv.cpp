// Conv and ConvTranspose over one to three spatial axes, in float (accumulating in double) and in integers.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/requantize.h"
#include "reference/scalar.h"
#include "reference/window.h"

namespace xinfer::reference {
namespace {

/// Sizes that Conv and ConvTranspose share. For a transposed one, `window` is that of the forward convolution whose
/// gradient it is: its "in" is our output.
struct ConvGeometry {
  std::int64_t batch, in_channels, out_channels, groups;
  bool transposed;
  Window window;

  std::int64_t in_per_group() const { return in_channels / groups; }
  std::int64_t out_per_group() const { return out_channels / groups; }
  std::int64_t in_count() const { return transposed ? window.out_count() : window.in_count(); }
  std::int64_t out_count() const { return transposed ? window.in_count() : window.out_count(); }
};

ConvGeometry geometry_of(const NodeView& view, Inputs in, bool transposed) {
  const auto& attrs = view.node.as<ir::ConvAttrs>();
  const Sizes x = in[0].shape();
  const Sizes y = view.output_shape(0);
  const Sizes kernel = spatial(in[1].shape());
  const Window window = transposed
                            ? make_window(spatial(y), spatial(x), kernel, attrs.strides, attrs.dilations, attrs.pads)
                            : make_window(spatial(x), spatial(y), kernel, attrs.strides, attrs.dilations, attrs.pads);
  return {x[0], x[1], y[1], attrs.groups, transposed, window};
}

/// acc += one input channel through one kernel.
template <class Acc, class X, class W>
void accumulate(const ConvGeometry& g, const X* x, const W* kernel, Acc* acc) {
  const std::int64_t stride = g.window.axes[2].stride;
  for_each_run(g.window, [&](std::int64_t tap, std::int64_t wide, std::int64_t narrow, std::int64_t count) {
    const Acc weight = static_cast<Acc>(kernel[tap]);
    if (g.transposed) {
      for (std::int64_t i = 0; i < count; ++i) acc[wide + i * stride] += weight * static_cast<Acc>(x[narrow + i]);
    } else if (stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) acc[narrow + i] += weight * static_cast<Acc>(x[wide + i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) acc[narrow + i] += weight * static_cast<Acc>(x[wide + i * stride]);
    }
  });
}

/// Calls store(output_channel, offset of the plane in the output, accumulators) for each output plane.
template <class Acc, class X, class W, class Store>
void convolve(const ConvGeometry& g, const X* x, const W* w, Store&& store) {
  const std::int64_t taps = g.window.kernel_count();
  std::vector<Acc> acc(static_cast<std::size_t>(g.out_count()));
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      const std::int64_t group = o / g.out_per_group();
      std::fill(acc.begin(), acc.end(), Acc{});
      for (std::int64_t i = 0; i < g.in_per_group(); ++i) {
        const std::int64_t channel = group * g.in_per_group() + i;
        // Conv weights are (O, C/groups, kernel...), ConvTranspose weights (C, O/groups, kernel...).
        const std::int64_t kernel =
            g.transposed ? channel * g.out_per_group() + o % g.out_per_group() : o * g.in_per_group() + i;
        accumulate(g, x + (n * g.in_channels + channel) * g.in_count(), w + kernel * taps, acc.data());
      }
      store(static_cast<std::size_t>(o), (n * g.out_channels + o) * g.out_count(), acc);
    }
  }
}

Tensors conv_float(const NodeView& view, Inputs in, const ConvGeometry& g) {
  const auto& attrs = view.node.as<ir::ConvAttrs>();
  for (const Tensor& input : in) {
    if (!input.empty()) require_f32(input, "every input of a float convolution");
  }
  const float* bias = in.size() > 2 && !in[2].empty() ? elements<float>(in[2]) : nullptr;
  const float* residual = in.size() > 3 && !in[3].empty() ? elements<float>(in[3]) : nullptr;
  Tensor y(DataType::kFloat32, view.output_shape(0));
  auto* to = elements<float>(y);
  convolve<double>(g, elements<float>(in[0]), elements<float>(in[1]),
                   [&](std::size_t channel, std::int64_t offset, const std::vector<double>& acc) {
                     const double shift = bias != nullptr ? bias[channel] : 0.0;
                     for (std::size_t i = 0; i < acc.size(); ++i) {
                       const std::int64_t at = offset + static_cast<std::int64_t>(i);
                       const double sum = acc[i] + shift + (residual != nullptr ? residual[at] : 0.0);
                       to[at] = static_cast<float>(activate(attrs.epilogue, sum));
                     }
                   });
  return {y};
}

/// One scale for each output channel (or one for all). ConvTranspose weights have their output channels on axis 1, and
/// a grouped one repeats its scales in every group unless it has one for every channel.
std::vector<float> weight_scales(const ir::Value& weights, const ConvGeometry& g) {
  const ir::Quantization& q = *weights.quantization;
  if (std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int32_t z) { return z != 0; })) {
    throw UnsupportedError(fmt::format("weights '{}' have a zero point", weights.name), "dequantize them first");
  }
  if (!q.per_channel()) return {q.scale()};
  const auto channels = static_cast<std::size_t>(g.out_channels);
  const auto repeat = static_cast<std::size_t>(g.out_per_group());
  if (q.axis != (g.transposed ? 1 : 0) ||
      (q.scales.size() != channels && (!g.transposed || q.scales.size() != repeat))) {
    throw UnsupportedError(fmt::format("weights '{}' have their scales along another axis", weights.name));
  }
  std::vector<float> scales(channels);
  for (std::size_t o = 0; o < channels; ++o) scales[o] = q.scales[q.scales.size() == channels ? o : o % repeat];
  return scales;
}

Tensors conv_integer(const NodeView& view, Inputs in, const ConvGeometry& g) {
  const auto& attrs = view.node.as<ir::ConvAttrs>();
  const std::vector<float> scales = weight_scales(view.input(1), g);
  check_int32_bound(g.in_per_group() * g.window.kernel_count());
  const bool has_residual = view.node.has_input(3);
  const bool quantized_residual = has_residual && is_quantized(view.input(3));
  const FoldedScales folded = fold({.input = plain_scale(view.input(0)),
                                    .weights = scales,
                                    .bias = view.node.has_input(2) ? in[2].data<float>() : std::span<const float>{},
                                    .residual = quantized_residual ? plain_scale(view.input(3)) : 1.0,
                                    .output = output_scale(view.output(0))},
                                   attrs.epilogue);
  const std::vector<float> residual = has_residual ? as_floats(in[3]) : std::vector<float>{};
  Tensor y(view.output(0).dtype, view.output_shape(0));
  with_number(in[0].dtype(), [&](auto tag_x) {
    with_number(in[1].dtype(), [&](auto tag_w) {
      with_number(y.dtype(), [&](auto tag_y) {
        using X = decltype(tag_x);
        using W = decltype(tag_w);
        using Y = decltype(tag_y);
        Y* to = elements<Y>(y);
        convolve<std::int32_t>(g, elements<X>(in[0]), elements<W>(in[1]),
                               [&](std::size_t channel, std::int64_t offset, const std::vector<std::int32_t>& acc) {
                                 for (std::size_t i = 0; i < acc.size(); ++i) {
                                   const std::size_t at = static_cast<std::size_t>(offset) + i;
                                   to[at] = round_to<Y>(has_residual ? finish(folded, acc[i], channel, residual[at])
                                                                     : finish(folded, acc[i], channel));
                                 }
                               });
      });
    });
  });
  return {y};
}

Tensors any_conv(const NodeView& view, Inputs in, bool transposed) {
  const ConvGeometry g = geometry_of(view, in, transposed);
  const bool x = is_quantized(view.input(0));
  const bool w = is_quantized(view.input(1));
  if (x != w) throw UnsupportedError("input and weights must both be quantized, or neither");
  return x ? conv_integer(view, in, g) : conv_float(view, in, g);
}

}  // namespace

Tensors conv(const NodeView& view, Inputs in) { return any_conv(view, in, false); }
Tensors conv_transpose(const NodeView& view, Inputs in) { return any_conv(view, in, true); }

}  // namespace xinfer::reference
