// Unary functions and Cast.

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/scalar.h"

namespace xinfer::reference {
namespace {

/// Nearest T inside T's range: what a float bound means for integers.
template <class T>
T saturating(double x) {
  // The largest s64 is no double: compare with the first value beyond it.
  constexpr double kBeyond = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2.0;
  if (std::isnan(x)) return 0;
  if (x >= kBeyond) return std::numeric_limits<T>::max();
  if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(x);
}

template <class T>
T integer_unary(const ir::UnaryAttrs& attrs, T x) {
  using K = ir::UnaryKind;
  using Unsigned = std::make_unsigned_t<T>;
  switch (attrs.kind) {
    case K::kIdentity:
    case K::kFloor:
    case K::kCeil:
    case K::kRound:
      return x;
    case K::kRelu:
      return x < 0 ? T{0} : x;
    case K::kClip: {
      const T low = saturating<T>(std::ceil(static_cast<double>(attrs.alpha)));
      const T high = saturating<T>(std::floor(static_cast<double>(attrs.beta)));
      return std::min(std::max(x, low), high);
    }
    case K::kNegate:
      return static_cast<T>(Unsigned{0} - static_cast<Unsigned>(x));  // wraps, like everyone's integers
    case K::kAbs:
      return x < 0 ? static_cast<T>(Unsigned{0} - static_cast<Unsigned>(x)) : x;
    case K::kSign:
      return static_cast<T>(x > 0 ? 1 : x < 0 ? -1 : 0);
    default:
      throw UnsupportedError(fmt::format("'{}' has no meaning on integers", name_of(attrs.kind)),
                             "cast the operand to f32 first");
  }
}

Tensor logical_not(const Tensor& x) {
  Tensor y(DataType::kBool, x.shape());
  const auto from = x.data<bool>();
  const auto to = y.data<bool>();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = !from[i];
  return y;
}

Tensor is_nan(const Tensor& x) {
  Tensor y(DataType::kBool, x.shape());
  const auto from = x.data<float>();
  const auto to = y.data<bool>();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = std::isnan(from[i]);
  return y;
}

}  // namespace

Tensors unary(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::UnaryAttrs>();
  const Tensor& x = in[0];
  if (attrs.kind == ir::UnaryKind::kIdentity) return {x.clone()};
  if (attrs.kind == ir::UnaryKind::kNot) return {logical_not(x)};
  if (attrs.kind == ir::UnaryKind::kIsNan) return {is_nan(x)};
  Tensor y(x.dtype(), x.shape());
  with_number(x.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* from = elements<T>(x);
    T* to = elements<T>(y);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      if constexpr (std::is_same_v<T, float>) {
        to[i] = unary_f32(attrs, from[i]);
      } else {
        to[i] = integer_unary<T>(attrs, from[i]);
      }
    }
  });
  return {y};
}

// Floats truncate towards zero and saturate; integers wrap; anything but zero is true.
Tensors cast(const NodeView& view, Inputs in) {
  const Tensor& x = in[0];
  Tensor y(view.node.as<ir::CastAttrs>().to, x.shape());
  with_type(x.dtype(), [&](auto from_tag) {
    with_type(y.dtype(), [&](auto to_tag) {
      using From = decltype(from_tag);
      using To = decltype(to_tag);
      const From* from = elements<From>(x);
      To* to = elements<To>(y);
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        if constexpr (std::is_same_v<To, bool>) {
          to[i] = from[i] != From{};
        } else if constexpr (std::is_same_v<From, float> && std::is_integral_v<To>) {
          to[i] = saturating<To>(from[i]);
        } else {
          to[i] = static_cast<To>(from[i]);
        }
      }
    });
  });
  return {y};
}

}  // namespace xinfer::reference
