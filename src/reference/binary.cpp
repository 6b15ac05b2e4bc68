// Binary functions with numpy broadcasting, and Where.
//
// Quantized Add, Sub and Mul (both operands per tensor, zero point 0), in float32:
//   Add: y = fma(float(b),  s_b, float(a) * s_a)
//   Sub: y = fma(float(b), -s_b, float(a) * s_a)
//   Mul: y = float(a * b) * (s_a * s_b)
// then activation and rounding as in requantize.h, with 1/s_y folded into s_a and s_b (their product for Mul) where the
// activation allows it. Every other kind dequantizes, computes in float, and quantizes.

#include <fmt/format.h>

#include <cmath>
#include <type_traits>

#include "reference/functions.h"
#include "reference/loops.h"
#include "reference/requantize.h"
#include "reference/scalar.h"

namespace xinfer::reference {
namespace {

using K = ir::BinaryKind;

bool is_comparison(K kind) {
  return kind == K::kEqual || kind == K::kLess || kind == K::kLessEqual || kind == K::kGreater ||
         kind == K::kGreaterEqual;
}
bool is_logical(K kind) { return kind == K::kAnd || kind == K::kOr || kind == K::kXor; }

template <class T>
bool compare(K kind, T a, T b) {
  switch (kind) {
    case K::kEqual:
      return a == b;
    case K::kLess:
      return a < b;
    case K::kLessEqual:
      return a <= b;
    case K::kGreater:
      return a > b;
    case K::kGreaterEqual:
      return a >= b;
    default:
      throw UnsupportedError(fmt::format("'{}' is no comparison", name_of(kind)));
  }
}

bool logical(K kind, bool a, bool b) { return kind == K::kAnd ? a && b : kind == K::kOr ? a || b : a != b; }

double real_binary(K kind, double a, double b) {
  switch (kind) {
    case K::kAdd:
      return a + b;
    case K::kSub:
      return a - b;
    case K::kMul:
      return a * b;
    case K::kDiv:
      return a / b;
    case K::kPow:
      return std::pow(a, b);
    case K::kMax:
      return std::isnan(a) || a > b ? a : b;  // NaN wins, from either side
    case K::kMin:
      return std::isnan(a) || a < b ? a : b;
    case K::kMod: {
      const double rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case K::kFmod:
      return std::fmod(a, b);
    case K::kPrelu:
      return a < 0 ? a * b : a;
    default:
      throw UnsupportedError(fmt::format("'{}' is no function of reals", name_of(kind)));
  }
}

template <class T>
T integer_power(T base, T exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == static_cast<T>(-1)) return exponent % 2 == 0 ? T{1} : static_cast<T>(-1);
    if (base == 0) throw ModelError("0 to a negative integer power");
    return 0;
  }
  std::uint64_t result = 1;
  auto factor = static_cast<std::uint64_t>(base);
  for (auto rest = static_cast<std::uint64_t>(exponent); rest != 0; rest >>= 1) {
    if ((rest & 1U) != 0) result *= factor;
    factor *= factor;
  }
  return static_cast<T>(result);
}

/// Integer arithmetic: wraps around, division truncates towards zero.
template <class T>
T integer_binary(K kind, T a, T b) {
  const auto ua = static_cast<std::uint64_t>(a);
  const auto ub = static_cast<std::uint64_t>(b);
  const bool divides = kind == K::kDiv || kind == K::kMod || kind == K::kFmod;
  if (divides && b == 0) throw ModelError("integer division by zero");
  // The one quotient that overflows.
  if (divides && std::is_signed_v<T> && b == static_cast<T>(-1)) {
    return kind == K::kDiv ? static_cast<T>(0 - ua) : T{0};
  }
  switch (kind) {
    case K::kAdd:
      return static_cast<T>(ua + ub);
    case K::kSub:
      return static_cast<T>(ua - ub);
    case K::kMul:
      return static_cast<T>(ua * ub);
    case K::kDiv:
      return static_cast<T>(a / b);
    case K::kPow:
      return integer_power(a, b);
    case K::kMax:
      return a > b ? a : b;
    case K::kMin:
      return a < b ? a : b;
    case K::kMod: {
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
    case K::kFmod:
      return static_cast<T>(a % b);
    case K::kPrelu:
      return a < 0 ? static_cast<T>(ua * ub) : a;
    default:
      throw UnsupportedError(fmt::format("'{}' has no meaning on integers", name_of(kind)));
  }
}

/// out[i] = f(a[i], b[i]) with broadcasting.
template <class A, class B, class Out, class F>
void broadcast_apply(const Tensor& a, const Tensor& b, Tensor& out, F&& f) {
  const A* pa = elements<A>(a);
  const B* pb = elements<B>(b);
  Out* to = elements<Out>(out);
  for_each_offset<2>(out.shape(),
                     {broadcast_strides(a.shape(), out.shape()), broadcast_strides(b.shape(), out.shape())},
                     [&](std::int64_t i, const auto& at) { to[i] = f(pa[at[0]], pb[at[1]]); });
}

Tensor to_bool(K kind, const Tensor& a, const Tensor& b) {
  Tensor y(DataType::kBool, broadcast_shapes(a.shape(), b.shape()));
  if (is_logical(kind)) {
    if (a.dtype() != DataType::kBool) throw UnsupportedError("logical operators take bool");
    broadcast_apply<bool, bool, bool>(a, b, y, [&](bool x, bool z) { return logical(kind, x, z); });
  } else {
    with_type(a.dtype(), [&](auto tag) {
      using T = decltype(tag);
      broadcast_apply<T, T, bool>(a, b, y, [&](T x, T z) { return compare(kind, x, z); });
    });
  }
  return y;
}

/// Pow is the one function whose operands may differ in type; the result has the base's.
Tensor mixed_power(const Tensor& a, const Tensor& b) {
  Tensor y(a.dtype(), broadcast_shapes(a.shape(), b.shape()));
  with_number(a.dtype(), [&](auto base) {
    with_number(b.dtype(), [&](auto exponent) {
      using A = decltype(base);
      using B = decltype(exponent);
      broadcast_apply<A, B, A>(
          a, b, y, [](A x, B p) { return static_cast<A>(std::pow(static_cast<double>(x), static_cast<double>(p))); });
    });
  });
  return y;
}

Tensor plain_binary(const ir::BinaryAttrs& attrs, const Tensor& a, const Tensor& b) {
  if (attrs.kind == K::kPow && a.dtype() != b.dtype()) return mixed_power(a, b);
  if (a.dtype() != b.dtype()) {
    throw UnsupportedError(fmt::format("operands of types {} and {}", name_of(a.dtype()), name_of(b.dtype())));
  }
  if (is_comparison(attrs.kind) || is_logical(attrs.kind)) return to_bool(attrs.kind, a, b);
  Tensor y(a.dtype(), broadcast_shapes(a.shape(), b.shape()));
  with_number(a.dtype(), [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_same_v<T, float>) {
      broadcast_apply<T, T, T>(
          a, b, y, [&](T x, T z) { return static_cast<T>(activate(attrs.epilogue, real_binary(attrs.kind, x, z))); });
    } else {
      if (attrs.epilogue.activation != ir::UnaryKind::kIdentity) {
        throw UnsupportedError("an activation fused into integer arithmetic that stands for no reals");
      }
      broadcast_apply<T, T, T>(a, b, y, [&](T x, T z) { return integer_binary(attrs.kind, x, z); });
    }
  });
  return y;
}

Tensor quantized_binary(const NodeView& view, const Tensor& a, const Tensor& b) {
  const auto& attrs = view.node.as<ir::BinaryAttrs>();
  const double scale_a = plain_scale(view.input(0));
  const double scale_b = plain_scale(view.input(1));
  const double scale_y = output_scale(view.output(0));
  const bool multiplies = attrs.kind == K::kMul;
  const FoldedScales folded = fold({.input = multiplies ? scale_a * scale_b : scale_a,
                                    .residual = attrs.kind == K::kSub ? -scale_b : scale_b,
                                    .output = scale_y},
                                   attrs.epilogue);
  const float m = folded.multiplier[0];
  Tensor y(view.output(0).dtype, broadcast_shapes(a.shape(), b.shape()));
  with_number(a.dtype(), [&](auto tag_a) {
    with_number(b.dtype(), [&](auto tag_b) {
      with_number(y.dtype(), [&](auto tag_y) {
        using A = decltype(tag_a);
        using B = decltype(tag_b);
        using Y = decltype(tag_y);
        broadcast_apply<A, B, Y>(a, b, y, [&](A x, B z) {
          const float sum = multiplies
                                ? static_cast<float>(static_cast<int>(x) * static_cast<int>(z)) * m
                                : std::fma(static_cast<float>(z), folded.residual_scale, static_cast<float>(x) * m);
          return round_to<Y>(finish(folded, sum));
        });
      });
    });
  });
  return y;
}

bool follows_contract(K kind) { return kind == K::kAdd || kind == K::kSub || kind == K::kMul; }

}  // namespace

Tensors binary(const NodeView& view, Inputs in) {
  const auto& attrs = view.node.as<ir::BinaryAttrs>();
  const bool quantized_a = is_quantized(view.input(0));
  const bool quantized_b = is_quantized(view.input(1));
  if (quantized_a && quantized_b && follows_contract(attrs.kind)) return {quantized_binary(view, in[0], in[1])};
  const Tensor a = quantized_a ? dequantize_tensor(in[0], *view.input(0).quantization) : in[0];
  const Tensor b = quantized_b ? dequantize_tensor(in[1], *view.input(1).quantization) : in[1];
  return {plain_binary(attrs, a, b)};
}

Tensors where(const NodeView&, Inputs in) {
  const Tensor& condition = in[0];
  const Tensor& a = in[1];
  const Tensor& b = in[2];
  if (a.dtype() != b.dtype()) {
    throw UnsupportedError(fmt::format("branches of types {} and {}", name_of(a.dtype()), name_of(b.dtype())));
  }
  const Sizes shape = broadcast_shapes(condition.shape(), broadcast_shapes(a.shape(), b.shape()));
  Tensor y(a.dtype(), shape);
  const auto choose = condition.data<bool>();
  with_block(a.dtype(), [&](auto tag) {
    using T = decltype(tag);
    const T* pa = elements<T>(a);
    const T* pb = elements<T>(b);
    T* to = elements<T>(y);
    for_each_offset<3>(shape,
                       {broadcast_strides(condition.shape(), shape), broadcast_strides(a.shape(), shape),
                        broadcast_strides(b.shape(), shape)},
                       [&](std::int64_t i, const auto& at) {
                         to[i] = choose[static_cast<std::size_t>(at[0])] ? pa[at[1]] : pb[at[2]];
                       });
  });
  return {y};
}

}  // namespace xinfer::reference
