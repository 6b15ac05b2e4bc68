// Reductions over any set of axes: floats accumulate in double, integers wrap, quantized means and sums follow the
// contract.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/requantize.h"

namespace xinfer::reference {
namespace {

using K = ir::ReduceKind;

/// Where the reduced elements of an output lie: out_offset[i] + each of in_offsets.
struct ReduceWalk {
  Sizes kept;                        ///< output shape with the reduced axes dropped
  Sizes kept_strides;                ///< of the input
  std::vector<std::int64_t> inside;  ///< offsets of one output's elements
};

ReduceWalk walk_of(const Sizes& shape, const std::vector<std::int64_t>& axes) {
  const Sizes strides = dense_strides(shape);
  ReduceWalk walk;
  Sizes reduced, reduced_strides;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool reduce = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    (reduce ? reduced : walk.kept).push_back(shape[i]);
    (reduce ? reduced_strides : walk.kept_strides).push_back(strides[i]);
  }
  for_each_offset<1>(reduced, {reduced_strides}, [&](std::int64_t, const auto& at) { walk.inside.push_back(at[0]); });
  return walk;
}

/// A float reduction of the elements x[inside], in double.
double reduce_real(K kind, const float* x, const std::vector<std::int64_t>& inside) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double result = kind == K::kProd ? 1.0 : kind == K::kMax ? -kInfinity : kind == K::kMin ? kInfinity : 0.0;
  if (kind == K::kLogSumExp) {
    double highest = -kInfinity;
    for (const std::int64_t i : inside) highest = std::max(highest, static_cast<double>(x[i]));
    if (std::isinf(highest)) return highest;
    for (const std::int64_t i : inside) result += std::exp(x[i] - highest);
    return highest + std::log(result);
  }
  for (const std::int64_t i : inside) {
    const double value = x[i];
    switch (kind) {
      case K::kMean:
      case K::kSum:
      case K::kLogSum:
        result += value;
        break;
      case K::kMax:
        result = std::isnan(value) || value > result ? value : result;
        break;
      case K::kMin:
        result = std::isnan(value) || value < result ? value : result;
        break;
      case K::kProd:
        result *= value;
        break;
      case K::kL1:
        result += std::abs(value);
        break;
      case K::kL2:
      case K::kSumSquare:
        result += value * value;
        break;
      case K::kLogSumExp:
        break;
    }
  }
  if (kind == K::kMean) return result / static_cast<double>(inside.size());
  if (kind == K::kL2) return std::sqrt(result);
  return kind == K::kLogSum ? std::log(result) : result;
}

template <class T>
T reduce_integer(K kind, const T* x, const std::vector<std::int64_t>& inside) {
  // Unsigned sums wrap where signed ones would be undefined.
  std::uint64_t sum = kind == K::kProd ? 1 : 0;
  T best = kind == K::kMax ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
  for (const std::int64_t i : inside) {
    const auto value = static_cast<std::uint64_t>(x[i]);
    switch (kind) {
      case K::kMean:
      case K::kSum:
        sum += value;
        break;
      case K::kProd:
        sum *= value;
        break;
      case K::kMax:
        best = std::max(best, x[i]);
        break;
      case K::kMin:
        best = std::min(best, x[i]);
        break;
      case K::kL1:
        sum += x[i] < 0 ? 0 - value : value;
        break;
      case K::kL2:
      case K::kSumSquare:
        sum += value * value;
        break;
      default:
        throw UnsupportedError(fmt::format("Reduce '{}' has no meaning on integers", name_of(kind)));
    }
  }
  if (kind == K::kMax || kind == K::kMin) return best;
  if (kind == K::kMean) {
    if (inside.empty()) throw ModelError("the mean of no integers");
    return static_cast<T>(static_cast<std::int64_t>(sum) / static_cast<std::int64_t>(inside.size()));
  }
  if (kind == K::kL2) return static_cast<T>(std::sqrt(static_cast<double>(sum)));
  return static_cast<T>(sum);
}

Tensor plain_reduce(const ir::ReduceAttrs& attrs, const Tensor& x, const Sizes& out) {
  const ReduceWalk walk = walk_of(x.shape(), attrs.axes);
  Tensor y(x.dtype(), out);
  with_number(x.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* from = elements<T>(x);
    T* to = elements<T>(y);
    for_each_offset<1>(walk.kept, {walk.kept_strides}, [&](std::int64_t i, const auto& at) {
      if constexpr (std::is_same_v<T, float>) {
        to[i] = static_cast<float>(reduce_real(attrs.kind, from + at[0], walk.inside));
      } else {
        to[i] = reduce_integer(attrs.kind, from + at[0], walk.inside);
      }
    });
  });
  return y;
}

/// Mean and Sum: an exact s32 sum, times s_x / s_y (/ count) computed in double and rounded once.
Tensor contract_reduce(const NodeView& view, const Tensor& x) {
  const auto& attrs = view.node.as<ir::ReduceAttrs>();
  const ReduceWalk walk = walk_of(x.shape(), attrs.axes);
  check_int32_bound(static_cast<std::int64_t>(walk.inside.size()) / 127);  // sums of numbers, not of products
  const double count = attrs.kind == K::kMean ? static_cast<double>(walk.inside.size()) : 1.0;
  const auto m =
      static_cast<float>(static_cast<double>(plain_scale(view.input(0))) / output_scale(view.output(0)) / count);
  Tensor y(view.output(0).dtype, view.output_shape(0));
  with_number(x.dtype(), [&](auto tag_x) {
    with_number(y.dtype(), [&](auto tag_y) {
      using X = decltype(tag_x);
      using Y = decltype(tag_y);
      const X* from = elements<X>(x);
      Y* to = elements<Y>(y);
      for_each_offset<1>(walk.kept, {walk.kept_strides}, [&](std::int64_t i, const auto& at) {
        std::int32_t sum = 0;
        for (const std::int64_t offset : walk.inside) sum += static_cast<std::int32_t>(from[at[0] + offset]);
        to[i] = round_to<Y>(static_cast<float>(sum) * m);
      });
    });
  });
  return y;
}

}  // namespace

Tensors reduce(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::ReduceAttrs>();
  if (!is_quantized(view.input(0))) return {plain_reduce(attrs, in[0], view.output_shape(0))};
  if (attrs.kind == K::kMean || attrs.kind == K::kSum) return {contract_reduce(view, in[0])};
  return {plain_reduce(attrs, dequantize_tensor(in[0], *view.input(0).quantization), view.output_shape(0))};
}

}  // namespace xinfer::reference
