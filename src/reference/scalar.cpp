#include "reference/scalar.h"

#include <algorithm>
#include <numbers>

#include "xinfer/core/errors.h"

namespace xinfer::reference {
namespace {

double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

}  // namespace

double unary_value(ir::UnaryKind kind, double x, double alpha, double beta) {
  using K = ir::UnaryKind;
  switch (kind) {
    case K::kIdentity:
      return x;
    case K::kRelu:
      return x < 0 ? 0.0 : x;
    case K::kClip:
      return std::min(std::max(x, alpha), beta);
    case K::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case K::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case K::kSelu:
      return beta * (x <= 0 ? alpha * std::expm1(x) : x);
    case K::kCelu:
      return x < 0 ? alpha * std::expm1(x / alpha) : x;
    case K::kSigmoid:
      return sigmoid(x);
    case K::kHardSigmoid:
      return clip(alpha * x + beta, 0.0, 1.0);
    case K::kHardSwish:
      return x * clip(x + 3.0, 0.0, 6.0) / 6.0;
    case K::kSilu:
      return x * sigmoid(x);
    case K::kMish:
      return x * std::tanh(softplus(x));
    case K::kGelu:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
    case K::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 * std::numbers::inv_pi) * (x + 0.044715 * x * x * x)));
    case K::kTanh:
      return std::tanh(x);
    case K::kSoftplus:
      return softplus(x);
    case K::kSoftsign:
      return x / (1.0 + std::abs(x));
    case K::kErf:
      return std::erf(x);
    case K::kExp:
      return std::exp(x);
    case K::kLog:
      return std::log(x);
    case K::kSqrt:
      return std::sqrt(x);
    case K::kReciprocal:
      return 1.0 / x;
    case K::kNegate:
      return -x;
    case K::kAbs:
      return std::abs(x);
    case K::kSign:
      return x > 0 ? 1.0 : x < 0 ? -1.0 : x;  // x itself: keeps NaN
    case K::kFloor:
      return std::floor(x);
    case K::kCeil:
      return std::ceil(x);
    case K::kRound:
      return std::nearbyint(x);
    case K::kSin:
      return std::sin(x);
    case K::kCos:
      return std::cos(x);
    case K::kTan:
      return std::tan(x);
    case K::kAsin:
      return std::asin(x);
    case K::kAcos:
      return std::acos(x);
    case K::kAtan:
      return std::atan(x);
    case K::kSinh:
      return std::sinh(x);
    case K::kCosh:
      return std::cosh(x);
    case K::kAsinh:
      return std::asinh(x);
    case K::kAcosh:
      return std::acosh(x);
    case K::kAtanh:
      return std::atanh(x);
    case K::kNot:
    case K::kIsNan:
      break;
  }
  throw UnsupportedError("'" + std::string(name_of(kind)) + "' is no function of real numbers to real numbers");
}

}  // namespace xinfer::reference
