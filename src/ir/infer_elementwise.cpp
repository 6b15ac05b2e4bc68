// Shape rules of operators that work element by element.
#include <fmt/format.h>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir::rules {
namespace {

/// Which types a unary function takes.
enum class Domain { kAny, kNumber, kReal, kBool };

Domain domain_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kIdentity:
      return Domain::kAny;
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kNegate:
    case UnaryKind::kAbs:
    case UnaryKind::kSign:
      return Domain::kNumber;
    case UnaryKind::kNot:
      return Domain::kBool;
    default:
      return Domain::kReal;
  }
}

bool is_comparison(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kEqual:
    case BinaryKind::kLess:
    case BinaryKind::kLessEqual:
    case BinaryKind::kGreater:
    case BinaryKind::kGreaterEqual:
      return true;
    default:
      return false;
  }
}

bool is_logical(BinaryKind kind) {
  return kind == BinaryKind::kAnd || kind == BinaryKind::kOr || kind == BinaryKind::kXor;
}

}  // namespace

void unary(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  const UnaryKind kind = node.as<UnaryAttrs>().kind;
  const DataType type = real_type(x);
  const Domain domain = domain_of(kind);
  const bool is_bool = type == DataType::kBool;
  if ((domain == Domain::kReal && type != DataType::kFloat32) || (domain == Domain::kNumber && is_bool) ||
      (domain == Domain::kBool && !is_bool)) {
    throw ModelError(fmt::format("{} does not take {}", name_of(kind), describe(x)));
  }
  set_output(graph, node, 0, kind == UnaryKind::kIsNan ? DataType::kBool : type, x.shape);
}

void binary(Graph& graph, Node& node) {
  const Value& a = input(graph, node, 0);
  const Value& b = input(graph, node, 1);
  const BinaryKind kind = node.as<BinaryAttrs>().kind;
  const bool is_bool = real_type(a) == DataType::kBool;
  // An exponent may have another type than its base. Booleans can be compared for equality only.
  const bool types_fit = real_type(a) == real_type(b) || kind == BinaryKind::kPow;
  if (!types_fit || (is_bool ? !is_logical(kind) && kind != BinaryKind::kEqual : is_logical(kind))) {
    throw ModelError(fmt::format("{} does not take {} and {}", name_of(kind), describe(a), describe(b)));
  }
  Shape shape = broadcast(a.shape, b.shape);
  if (kind == BinaryKind::kPrelu && shape != a.shape) {
    throw ModelError(fmt::format("the slope {} can't be broadcast to {}", describe(b), describe(a)));
  }
  const bool gives_bool = is_comparison(kind) || is_logical(kind);
  set_output(graph, node, 0, gives_bool ? DataType::kBool : real_type(a), std::move(shape));
}

void where(Graph& graph, Node& node) {
  const Value& condition = input(graph, node, 0);
  const Value& a = input(graph, node, 1);
  const Value& b = input(graph, node, 2);
  if (condition.dtype != DataType::kBool) {
    throw ModelError(fmt::format("the condition must be bool, but {} was given", describe(condition)));
  }
  if (real_type(a) != real_type(b)) {
    throw ModelError(
        fmt::format("both choices must have one type, but {} and {} were given", describe(a), describe(b)));
  }
  set_output(graph, node, 0, real_type(a), broadcast(condition.shape, broadcast(a.shape, b.shape)));
}

void cast(Graph& graph, Node& node) {
  set_output(graph, node, 0, node.as<CastAttrs>().to, input(graph, node, 0).shape);
}

void quantize(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  if (x.dtype != DataType::kFloat32) throw ModelError(fmt::format("can't quantize {}", describe(x)));
  // Whoever adds the node sets the output's type and scale (add_quantize does); until then it counts as s8.
  set_output(graph, node, 0, DataType::kInt8, x.shape);
}

void dequantize(Graph& graph, Node& node) {
  const Value& x = input(graph, node, 0);
  if (!x.quantization) throw ModelError(fmt::format("can't dequantize {}, which has no scale", describe(x)));
  set_output(graph, node, 0, DataType::kFloat32, x.shape);
}

}  // namespace xinfer::ir::rules
