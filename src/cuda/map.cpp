// Unary, Binary, Where and Cast. Real values are computed with in float, whatever their type in memory; 8-bit ones
// follow the integer contract (src/reference/binary.cpp), unary functions of them are tables made with the reference.

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/hash.h"
#include "cuda/epilogue.h"
#include "cuda/implementations.h"
#include "cuda/map_step.h"
#include "reference/requantize.h"
#include "reference/scalar.h"

namespace xinfer::cuda {
namespace {

using U = ir::UnaryKind;
using B = ir::BinaryKind;

/// "kAdd": the enumerator of device enum Binary.
std::string device_name_of(B kind) {
  switch (kind) {
    case B::kAdd:
      return "kAdd";
    case B::kSub:
      return "kSub";
    case B::kMul:
      return "kMul";
    case B::kDiv:
      return "kDiv";
    case B::kPow:
      return "kPow";
    case B::kMax:
      return "kMax";
    case B::kMin:
      return "kMin";
    case B::kMod:
      return "kMod";
    case B::kFmod:
      return "kFmod";
    case B::kPrelu:
      return "kPrelu";
    case B::kEqual:
      return "kEqual";
    case B::kLess:
      return "kLess";
    case B::kLessEqual:
      return "kLessEqual";
    case B::kGreater:
      return "kGreater";
    case B::kGreaterEqual:
      return "kGreaterEqual";
    case B::kAnd:
      return "kAnd";
    case B::kOr:
      return "kOr";
    case B::kXor:
      return "kXor";
  }
  return "";
}

bool is_comparison(B kind) {
  return kind == B::kEqual || kind == B::kLess || kind == B::kLessEqual || kind == B::kGreater ||
         kind == B::kGreaterEqual;
}
bool is_logical(B kind) { return kind == B::kAnd || kind == B::kOr || kind == B::kXor; }

bool is_8_bit(Element element) { return element == Element::kS8 || element == Element::kU8; }

/// The operands of a map with broadcasting, and its output: formats chosen, views made.
struct Operands {
  std::unique_ptr<MapStep> step = std::make_unique<MapStep>();
  Dims dims;
  MapView out;
  std::vector<MapView> in;

  Element element(std::size_t i) const { return step->inputs[i]->element; }
  Element out_element() const { return step->outputs[0].element; }
  MapTerm real(std::size_t i) const { return real_term(in[i], element(i), i); }
  MapTerm plain(std::size_t i) const { return plain_term(in[i], element(i), i); }
  MapTerm real_out() const { return real_term(out, out_element(), 0); }
  MapTerm plain_out() const { return plain_term(out, out_element(), 0); }
};

Operands operands_of(const Request& request) {
  Operands o;
  const Dims dims = request.output_dims();
  const Order order = map_order(request);
  o.dims = loop_dims(dims);
  o.step->outputs = {given_format(request, 0, order)};
  o.step->compute = request.input_element(0);
  o.out = view_of(dims, o.step->outputs[0]);
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    const Format format = taken_format(request, i, order, dims.size());
    const Dims from = request.input_dims(i);
    o.step->inputs.emplace_back(format);
    o.in.push_back(broadcast(view_of(from, format), from, dims));
  }
  return o;
}

Creation finished(Operands& o, const MapKernel& kernel, const MapTerm& out, const std::vector<MapTerm>& terms,
                  const MapFunction& function) {
  if (!o.step->add(kernel, o.dims, out, terms, function)) return Refusal{kMapTooLarge};
  return std::move(o.step);
}

/// Sets the macros and scale with which real results are stored. False when the output's scale is none.
bool end_with(const ir::Value& output, MapKernel& kernel, MapFunction& function) {
  const auto scale = plain_scale(output);
  if (!scale) return false;
  function.out_scale = *scale;
  kernel.defines.emplace_back("XI_STEP", is_int8_like(output.dtype) ? "1" : "0");
  return true;
}

constexpr const char* kNoPlainScale = "a scale is not one for the whole tensor, or there is a zero point";

Resident table_of(const ir::UnaryAttrs& attrs, Element in, float in_scale, Element out, float out_scale) {
  const auto make = [=] {
    std::vector<std::byte> table(256);
    for (int byte = 0; byte < 256; ++byte) {
      const int q = in == Element::kS8 ? static_cast<std::int8_t>(byte) : byte;
      const float steps = reference::unary_f32(attrs, static_cast<float>(q) * in_scale) / out_scale;
      const int y = out == Element::kS8 ? reference::round_to<std::int8_t>(steps)
                                        : static_cast<int>(reference::round_to<std::uint8_t>(steps));
      table[static_cast<std::size_t>(byte)] = static_cast<std::byte>(y & 0xff);
    }
    return table;
  };
  Hasher hasher;
  const std::vector<std::byte> bytes = make();
  hasher.update(bytes.data(), bytes.size());
  return {fmt::format("lookup table {}", hasher.hex()), make};
}

std::int64_t clip_bound(double x) {
  constexpr double kBeyond = 9223372036854775808.0;
  if (std::isnan(x)) return 0;
  if (x >= kBeyond) return std::numeric_limits<std::int64_t>::max();
  if (x <= -kBeyond) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(x);
}

/// Bounds of an integer clip within the element's range.
void bound(Element element, float alpha, float beta, MapFunction& function) {
  std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  if (element == Element::kS32) {
    least = std::numeric_limits<std::int32_t>::min(), most = std::numeric_limits<std::int32_t>::max();
  }
  if (element == Element::kS8) least = -128, most = 127;
  if (element == Element::kU8) least = 0, most = 255;
  function.low = std::clamp(clip_bound(std::ceil(static_cast<double>(alpha))), least, most);
  function.high = std::clamp(clip_bound(std::floor(static_cast<double>(beta))), least, most);
}

Creation unary_on_integers(Operands& o, const ir::UnaryAttrs& attrs) {
  MapFunction function;
  switch (attrs.kind) {
    case U::kFloor:
    case U::kCeil:
    case U::kRound:
      return finished(o, {"keep", {}}, o.plain_out(), {o.plain(0)}, function);
    case U::kRelu:
    case U::kClip:
    case U::kNegate:
    case U::kAbs:
    case U::kSign:
      bound(o.element(0), attrs.alpha, attrs.beta, function);
      return finished(o, {"unary_integer", {{"XI_UNARY", cuda::device_name_of(attrs.kind)}}}, o.plain_out(),
                      {o.plain(0)}, function);
    default:
      return Refusal{fmt::format("{} has no meaning on integers", name_of(attrs.kind))};
  }
}

Creation binary_on_integers(Operands& o, const ir::BinaryAttrs& attrs) {
  if (attrs.epilogue.activation != U::kIdentity) {
    return Refusal{"an activation is fused into integer arithmetic that stands for no reals"};
  }
  MapKernel kernel{"binary_plain", {{"XI_BINARY", device_name_of(attrs.kind)}}};
  const bool is_bool = o.element(0) == Element::kBool;
  if (is_logical(attrs.kind)) {
    if (!is_bool) return Refusal{"logical operators take bool"};
    kernel.function = "logical";
  } else if (is_comparison(attrs.kind)) {
    kernel.function = "compare";
  } else if (is_bool) {
    return Refusal{"bool has no arithmetic"};
  }
  return finished(o, kernel, o.plain_out(), {o.plain(0), o.plain(1)}, {});
}

}  // namespace

Creation create_unary(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::UnaryAttrs>();
  const ir::Value& x = request.input(0);
  const ir::Value& y = request.output();
  const bool same_meaning = x.dtype == y.dtype && x.quantization == y.quantization;
  if (attrs.kind == U::kIdentity && same_meaning) {
    const Format format = taken_format(request, 0, Order::kRows, 0);
    return std::make_unique<AliasStep>(format, format);
  }
  Operands o = operands_of(request);
  MapFunction function;
  if (attrs.kind == U::kNot) return finished(o, {"logical_not", {}}, o.plain_out(), {o.plain(0)}, function);
  if (!is_real(x)) return unary_on_integers(o, attrs);
  const auto scale = plain_scale(x);
  if (!scale) return Refusal{kNoPlainScale};
  function.a_scale = *scale;
  if (attrs.kind == U::kIsNan) return finished(o, {"is_nan", {}}, o.plain_out(), {o.real(0)}, function);

  MapKernel kernel{"unary_real", {{"XI_UNARY", cuda::device_name_of(attrs.kind)}}};
  if (!end_with(y, kernel, function)) return Refusal{kNoPlainScale};
  if (is_8_bit(o.element(0)) && is_8_bit(o.out_element())) {
    o.step->set_table(table_of(attrs, o.element(0), *scale, o.out_element(), function.out_scale));
    return finished(o, {"look_up", {{"XI_TABLE", "1"}}}, moved_term(o.out, o.out_element(), 0),
                    {moved_term(o.in[0], o.element(0), 0)}, function);
  }
  function.alpha = attrs.alpha, function.beta = attrs.beta;
  return finished(o, kernel, o.real_out(), {o.real(0)}, function);
}

Creation create_binary(const Request& request, const Tactic&) {
  const auto& attrs = request.node.as<ir::BinaryAttrs>();
  const ir::Value& a = request.input(0);
  const ir::Value& b = request.input(1);
  const ir::Value& y = request.output();
  Operands o = operands_of(request);
  if (attrs.kind == B::kPow && is_real(a) != is_real(b)) {
    if (!is_real(a)) return finished(o, {"mixed_power", {}}, o.plain_out(), {o.plain(0), o.real(1)}, {});
  } else if (attrs.kind == B::kPow && !is_real(a) && a.dtype != b.dtype) {
    return finished(o, {"mixed_power", {}}, o.plain_out(), {o.plain(0), o.plain(1)}, {});
  } else if (is_real(a) != is_real(b)) {
    return Refusal{"one operand is real, the other an integer"};
  } else if (!is_real(a)) {
    return a.dtype == b.dtype ? binary_on_integers(o, attrs) : Creation(Refusal{"the operands' types differ"});
  }

  MapFunction function;
  const auto scale_a = plain_scale(a);
  const auto scale_b = is_real(b) ? plain_scale(b) : 1.0F;
  if (!scale_a || !scale_b) return Refusal{kNoPlainScale};
  function.a_scale = *scale_a, function.b_scale = *scale_b;
  MapKernel kernel{"binary_real", {{"XI_BINARY", device_name_of(attrs.kind)}}};
  if (is_comparison(attrs.kind)) {
    kernel.function = "compare_reals";
    return finished(o, kernel, o.plain_out(), {o.real(0), o.real(1)}, function);
  }
  if (is_logical(attrs.kind)) return Refusal{"logical operators take bool"};
  ir::Epilogue activation = attrs.epilogue;
  const bool has_contract = attrs.kind == B::kAdd || attrs.kind == B::kSub || attrs.kind == B::kMul;
  if (has_contract && is_8_bit(o.element(0)) && is_8_bit(o.element(1))) {
    kernel.function = "binary_integers";
    const auto scale_y = plain_scale(y);
    if (!scale_y) return Refusal{kNoPlainScale};
    // A Quantize that is taken over divides once more, as it would on its own.
    const bool takes_over = request.output_override != ir::kNone;
    const bool multiplies = attrs.kind == B::kMul;
    const double sa = *scale_a, sb = *scale_b;
    const auto folded = reference::fold({.input = multiplies ? sa * sb : sa,
                                         .residual = attrs.kind == B::kSub ? -sb : sb,
                                         .output = takes_over ? 1.0 : *scale_y},
                                        attrs.epilogue);
    function.a_scale = folded.multiplier.at(0);
    function.b_scale = folded.residual_scale;
    function.out_scale = takes_over ? *scale_y : folded.output_scale;
    activation = folded.activation;
    kernel.defines.emplace_back("XI_STEP", function.out_scale == 1.0F ? "0" : "1");
  } else if (!end_with(y, kernel, function)) {
    return Refusal{kNoPlainScale};
  }
  if (cuda::device_name_of(activation.activation).empty()) return Refusal{"the activation is no float function"};
  kernel.defines.emplace_back("XI_ACTIVATION", cuda::device_name_of(activation.activation));
  function.activation_alpha = activation.alpha, function.activation_beta = activation.beta;
  return finished(o, kernel, o.real_out(), {o.real(0), o.real(1)}, function);
}

Creation create_where(const Request& request, const Tactic&) {
  const ir::Value& a = request.input(1);
  const ir::Value& b = request.input(2);
  Operands o = operands_of(request);
  o.step->compute = request.input_element(1);
  if (!is_real(a) && !is_real(b)) {
    if (a.dtype != b.dtype) return Refusal{"the branches' types differ"};
    return finished(o, {"choose", {}}, moved_term(o.out, o.out_element(), 0),
                    {o.plain(0), moved_term(o.in[1], o.element(1), 1), moved_term(o.in[2], o.element(2), 2)}, {});
  }
  const auto scale_a = plain_scale(a);
  const auto scale_b = plain_scale(b);
  MapKernel kernel{"choose_real", {}};
  MapFunction function;
  if (!scale_a || !scale_b || !end_with(request.output(), kernel, function)) return Refusal{kNoPlainScale};
  function.a_scale = *scale_a, function.b_scale = *scale_b;
  return finished(o, kernel, o.real_out(), {o.plain(0), o.real(1), o.real(2)}, function);
}

Creation create_cast(const Request& request, const Tactic&) {
  const ir::Value& x = request.input(0);
  const ir::Value& y = request.output();
  if (x.quantization || y.quantization) return Refusal{"Cast has no meaning on quantized tensors"};
  if (x.dtype == y.dtype) {
    const Format format = taken_format(request, 0, Order::kRows, 0);
    return std::make_unique<AliasStep>(format, format);
  }
  Operands o = operands_of(request);
  return finished(o, {"cast", {}}, y.dtype == DataType::kFloat32 ? o.real_out() : o.plain_out(),
                  {x.dtype == DataType::kFloat32 ? o.real(0) : o.plain(0)}, {});
}

}  // namespace xinfer::cuda
