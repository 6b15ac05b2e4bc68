#pragma once
// Scalar functions: every UnaryKind on one number.

#include <cmath>

#include "ir/ops.h"

namespace xinfer::reference {

/// f(x) of one UnaryKind in double. kNot and kIsNan are not here: they are about bool.
double unary_value(ir::UnaryKind kind, double x, double alpha, double beta);

/// The float operator: computed in double, rounded once. Backends that build lookup tables should call this.
inline float unary_f32(const ir::UnaryAttrs& attrs, float x) {
  return static_cast<float>(unary_value(attrs.kind, x, attrs.alpha, attrs.beta));
}

/// The fused activation of a float operator, whose result is rounded after it.
inline double activate(const ir::Epilogue& epilogue, double y) {
  return epilogue.activation == ir::UnaryKind::kIdentity
             ? y
             : unary_value(epilogue.activation, y, epilogue.alpha, epilogue.beta);
}

}  // namespace xinfer::reference
