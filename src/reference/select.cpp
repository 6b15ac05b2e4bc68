// ArgReduce, TopK and CumSum.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "reference/functions.h"
#include "reference/loops.h"

namespace xinfer::reference {
namespace {

/// a before b; NaN is larger than every number.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_same_v<T, float>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  }
  return a < b;
}

}  // namespace

Tensors arg_reduce(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::ArgReduceAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  if (axis.size == 0) throw ModelError("the position of an extreme of no elements");
  Tensor y(DataType::kInt64, view.output_shape(0));
  auto* to = elements<std::int64_t>(y);
  with_number(in[0].dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* x = elements<T>(in[0]);
    for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
      for (std::int64_t inner = 0; inner < axis.inner; ++inner) {
        const T* row = x + outer * axis.size * axis.inner + inner;
        std::int64_t best = 0;
        for (std::int64_t i = 1; i < axis.size; ++i) {
          const T here = row[i * axis.inner], there = row[best * axis.inner];
          const bool better = attrs.is_max ? here > there : here < there;
          if (better || (attrs.select_last && here == there)) best = i;
        }
        to[outer * axis.inner + inner] = best;
      }
    }
  });
  return {y};
}

// Equal elements keep the order of their indices. Always sorted: an unsorted result may have any order.
Tensors top_k(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::TopKAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  if (attrs.k < 0 || attrs.k > axis.size) throw ModelError("k is larger than the axis");
  Tensor values(in[0].dtype(), view.output_shape(0));
  Tensor indices(DataType::kInt64, view.output_shape(0));
  auto* to_index = elements<std::int64_t>(indices);
  std::vector<std::int64_t> order(static_cast<std::size_t>(axis.size));
  with_number(in[0].dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* x = elements<T>(in[0]);
    T* to = elements<T>(values);
    for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
      for (std::int64_t inner = 0; inner < axis.inner; ++inner) {
        const T* row = x + outer * axis.size * axis.inner + inner;
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
          const T va = row[a * axis.inner], vb = row[b * axis.inner];
          return attrs.largest ? less(vb, va) : less(va, vb);
        });
        for (std::int64_t i = 0; i < attrs.k; ++i) {
          const std::int64_t at = (outer * attrs.k + i) * axis.inner + inner;
          to_index[at] = order[static_cast<std::size_t>(i)];
          to[at] = row[to_index[at] * axis.inner];
        }
      }
    }
  });
  return {values, indices};
}

Tensors cum_sum(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::CumSumAttrs>();
  const AxisView axis = around_axis(in[0].shape(), attrs.axis);
  Tensor y(in[0].dtype(), in[0].shape());
  with_number(in[0].dtype(), [&](auto tag) {
    using T = decltype(tag);
    using Sum = std::conditional_t<std::is_same_v<T, float>, double, std::uint64_t>;  // integers wrap
    const T* x = elements<T>(in[0]);
    T* to = elements<T>(y);
    for (std::int64_t outer = 0; outer < axis.outer; ++outer) {
      for (std::int64_t inner = 0; inner < axis.inner; ++inner) {
        Sum sum{};
        for (std::int64_t step = 0; step < axis.size; ++step) {
          const std::int64_t i = attrs.reverse ? axis.size - 1 - step : step;
          const std::int64_t at = (outer * axis.size + i) * axis.inner + inner;
          const Sum next = sum + static_cast<Sum>(x[at]);
          to[at] = static_cast<T>(attrs.exclusive ? sum : next);
          sum = next;
        }
      }
    }
  });
  return {y};
}

}  // namespace xinfer::reference
