// Linear and MatMul, in float (accumulating in double) and in integers.

#include <fmt/format.h>

#include <algorithm>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/requantize.h"
#include "reference/scalar.h"

namespace xinfer::reference {
namespace {

Tensors linear_float(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::LinearAttrs>();
  for (const Tensor& input : in) {
    if (!input.empty()) require_f32(input, "every input of a float Linear");
  }
  const std::int64_t outs = in[1].dim(0);
  const std::int64_t k = in[1].dim(1);
  const float* x = elements<float>(in[0]);
  const float* w = elements<float>(in[1]);
  const float* bias = view.node.has_input(2) ? elements<float>(in[2]) : nullptr;
  const float* residual = view.node.has_input(3) ? elements<float>(in[3]) : nullptr;
  Tensor y(DataType::kFloat32, view.output_shape(0));
  auto* to = elements<float>(y);
  const std::int64_t rows = outs == 0 ? 0 : y.numel() / outs;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < outs; ++o) {
      double acc = 0;
      for (std::int64_t i = 0; i < k; ++i) acc += static_cast<double>(x[r * k + i]) * w[o * k + i];
      if (bias != nullptr) acc += bias[o];
      if (residual != nullptr) acc += residual[r * outs + o];
      to[r * outs + o] = static_cast<float>(activate(attrs.epilogue, acc));
    }
  }
  return {y};
}

Tensors linear_integer(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::LinearAttrs>();
  const ir::Value& weights = view.input(1);
  const ir::Quantization& q = *weights.quantization;
  const std::int64_t outs = in[1].dim(0);
  const std::int64_t k = in[1].dim(1);
  if (std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int32_t z) { return z != 0; }) || q.axis > 0 ||
      (q.per_channel() && static_cast<std::int64_t>(q.scales.size()) != outs)) {
    throw UnsupportedError(fmt::format("weights '{}' have zero points, or scales along another axis", weights.name));
  }
  check_int32_bound(k);
  const bool has_residual = view.node.has_input(3);
  const bool quantized_residual = has_residual && is_quantized(view.input(3));
  const FoldedScales folded = fold({.input = plain_scale(view.input(0)),
                                    .weights = q.scales,
                                    .bias = view.node.has_input(2) ? in[2].data<float>() : std::span<const float>{},
                                    .residual = quantized_residual ? plain_scale(view.input(3)) : 1.0,
                                    .output = output_scale(view.output(0))},
                                   attrs.epilogue);
  const std::vector<float> residual = has_residual ? as_floats(in[3]) : std::vector<float>{};
  Tensor y(view.output(0).dtype, view.output_shape(0));
  const std::int64_t rows = outs == 0 ? 0 : y.numel() / outs;
  with_number(in[0].dtype(), [&](auto tag_x) {
    with_number(in[1].dtype(), [&](auto tag_w) {
      with_number(y.dtype(), [&](auto tag_y) {
        using Y = decltype(tag_y);
        const auto* x = elements<decltype(tag_x)>(in[0]);
        const auto* w = elements<decltype(tag_w)>(in[1]);
        Y* to = elements<Y>(y);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t o = 0; o < outs; ++o) {
            std::int32_t acc = 0;
            for (std::int64_t i = 0; i < k; ++i) {
              acc += static_cast<std::int32_t>(x[r * k + i]) * static_cast<std::int32_t>(w[o * k + i]);
            }
            const auto channel = static_cast<std::size_t>(o);
            const auto at = static_cast<std::size_t>(r * outs + o);
            to[at] =
                round_to<Y>(has_residual ? finish(folded, acc, channel, residual[at]) : finish(folded, acc, channel));
          }
        }
      });
    });
  });
  return {y};
}

/// Calls store(offset, accumulators) for each row of the product of the last two axes.
template <class Acc, class A, class B, class Store>
void multiply(const ir::MatMulAttrs& attrs, const Tensor& a, const Tensor& b, const Sizes& out, Store&& store) {
  if (a.rank() < 2 || b.rank() < 2) throw UnsupportedError("MatMul takes matrices", "reshape vectors first");
  const auto lead = [](const Sizes& shape) { return Sizes(shape.begin(), shape.end() - 2); };
  const std::int64_t rows = attrs.transpose_a ? a.dim(-1) : a.dim(-2);
  const std::int64_t inner = attrs.transpose_a ? a.dim(-2) : a.dim(-1);
  const std::int64_t columns = attrs.transpose_b ? b.dim(-2) : b.dim(-1);
  if (inner != (attrs.transpose_b ? b.dim(-1) : b.dim(-2))) {
    throw ModelError(fmt::format("matrices of shapes {} and {} don't fit", to_string(a.shape()), to_string(b.shape())));
  }
  // Steps along rows / inner of a, and along inner / columns of b.
  const std::int64_t a_row = attrs.transpose_a ? 1 : inner;
  const std::int64_t a_inner = attrs.transpose_a ? rows : 1;
  const std::int64_t b_inner = attrs.transpose_b ? 1 : columns;
  const std::int64_t b_column = attrs.transpose_b ? inner : 1;
  const Sizes batch = lead(out);
  std::vector<Acc> acc(static_cast<std::size_t>(columns));
  for_each_offset<2>(batch, {broadcast_strides(lead(a.shape()), batch), broadcast_strides(lead(b.shape()), batch)},
                     [&](std::int64_t position, const auto& at) {
                       const A* pa = elements<A>(a) + at[0] * rows * inner;
                       const B* pb = elements<B>(b) + at[1] * inner * columns;
                       for (std::int64_t r = 0; r < rows; ++r) {
                         std::fill(acc.begin(), acc.end(), Acc{});
                         for (std::int64_t i = 0; i < inner; ++i) {
                           const Acc factor = static_cast<Acc>(pa[r * a_row + i * a_inner]);
                           const B* row = pb + i * b_inner;
                           for (std::int64_t c = 0; c < columns; ++c) {
                             acc[static_cast<std::size_t>(c)] += factor * static_cast<Acc>(row[c * b_column]);
                           }
                         }
                         store((position * rows + r) * columns, acc);
                       }
                     });
}

Tensors matmul_float(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::MatMulAttrs>();
  require_f32(in[0], "a");
  require_f32(in[1], "b");
  Tensor y(DataType::kFloat32, view.output_shape(0));
  auto* to = elements<float>(y);
  multiply<double, float, float>(attrs, in[0], in[1], y.shape(), [&](std::int64_t offset, const auto& acc) {
    for (std::size_t i = 0; i < acc.size(); ++i) {
      to[static_cast<std::size_t>(offset) + i] = static_cast<float>(acc[i] * attrs.alpha);
    }
  });
  return {y};
}

Tensors matmul_integer(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::MatMulAttrs>();
  check_int32_bound(attrs.transpose_a ? in[0].dim(-2) : in[0].dim(-1));
  const double scale_a = plain_scale(view.input(0));
  const double scale_b = plain_scale(view.input(1));
  const FoldedScales folded =
      fold({.input = scale_a * scale_b * attrs.alpha, .output = output_scale(view.output(0))}, {});
  Tensor y(view.output(0).dtype, view.output_shape(0));
  with_number(in[0].dtype(), [&](auto tag_a) {
    with_number(in[1].dtype(), [&](auto tag_b) {
      with_number(y.dtype(), [&](auto tag_y) {
        using Y = decltype(tag_y);
        Y* to = elements<Y>(y);
        multiply<std::int32_t, decltype(tag_a), decltype(tag_b)>(
            attrs, in[0], in[1], y.shape(), [&](std::int64_t offset, const auto& acc) {
              for (std::size_t i = 0; i < acc.size(); ++i) {
                to[static_cast<std::size_t>(offset) + i] = round_to<Y>(finish(folded, acc[i], 0));
              }
            });
      });
    });
  });
  return {y};
}

bool both_quantized(const NodeView& view) {
  const bool a = is_quantized(view.input(0));
  if (a != is_quantized(view.input(1))) throw UnsupportedError("both operands must be quantized, or neither");
  return a;
}

}  // namespace

Tensors linear(const NodeView& view, Inputs in) {
  return both_quantized(view) ? linear_integer(view, in) : linear_float(view, in);
}
Tensors matmul(const NodeView& view, Inputs in) {
  return both_quantized(view) ? matmul_integer(view, in) : matmul_float(view, in);
}

}  // namespace xinfer::reference
