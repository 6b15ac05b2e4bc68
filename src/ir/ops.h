#pragma once
// The operators of the IR and their attributes. One OpType a meaning: ONNX's many spellings are normalised by the
// reader.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/shape.h"
#include "xinfer/core/data_type.h"

namespace xinfer::ir {

// Layout convention: activations are (N, C, spatial...); convolution weights (O, C/groups, kernel...); ConvTranspose
// weights (C, O/groups, kernel...); Linear weights (O, K).
enum class OpType : std::uint8_t {
  kConv,            // x, w, [bias (O)], [residual, shape of the output]
  kConvTranspose,   // x, w, [bias (O)]
  kLinear,          // x (..., K), w (O, K) constant, [bias (O)], [residual, shape of the output]
  kMatMul,          // a (..., M, K), b (..., K, P), broadcast over leading axes; both may be activations
  kAttention,       // q (N,H,S,D), k (N,H,T,D), v (N,H,T,E), [additive mask, broadcast to (N,H,S,T)] -> (N,H,S,E)
  kUnary,           // x
  kBinary,          // a, b, numpy broadcasting
  kWhere,           // condition (bool), a, b
  kCast,            // x
  kBatchNorm,       // x, scale (C), bias (C), mean (C), variance (C)
  kLayerNorm,       // x, [scale], [bias]: over axes [axis, rank)
  kGroupNorm,       // x (N, C, ...), scale (C), bias (C); groups == C is instance normalisation
  kSoftmax,         // x
  kMaxPool,         // x
  kAveragePool,     // x
  kReduce,          // x; a global average pool is Reduce mean over the spatial axes
  kArgReduce,       // x -> s64
  kTopK,            // x -> values, indices (s64)
  kCumSum,          // x
  kConcat,          // x...
  kSplit,           // x -> y...
  kSlice,           // x
  kTranspose,       // x
  kReshape,         // x; also Flatten, Squeeze, Unsqueeze
  kExpand,          // x, numpy broadcasting to a shape
  kTile,            // x
  kPad,             // x
  kGather,          // data, indices (s64): along one axis
  kGatherElements,  // data, indices (s64)
  kGatherNd,        // data, indices (s64)
  kScatterNd,       // data, indices (s64), updates
  kResize,          // x
  kQuantize,        // f32 -> s8/u8; the scale is the output value's Quantization
  kDequantize,      // s8/u8/s32 -> f32; the scale is the input value's Quantization
};
inline constexpr std::size_t kOpTypeCount = static_cast<std::size_t>(OpType::kDequantize) + 1;

enum class UnaryKind : std::uint8_t {
  kIdentity,
  kRelu,
  kClip,       // [alpha, beta]
  kLeakyRelu,  // slope alpha
  kElu,        // alpha
  kSelu,       // alpha, gamma = beta
  kCelu,       // alpha
  kSigmoid,
  kHardSigmoid,  // max(0, min(1, alpha x + beta))
  kHardSwish,    // x max(0, min(1, x/6 + 1/2))
  kSilu,         // x sigmoid(x)
  kMish,         // x tanh(softplus(x))
  kGelu,         // x/2 (1 + erf(x / sqrt 2))
  kGeluTanh,     // the tanh approximation
  kTanh,
  kSoftplus,
  kSoftsign,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kNegate,
  kAbs,
  kSign,
  kFloor,
  kCeil,
  kRound,  // half to even
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kAsinh,
  kAcosh,
  kAtanh,
  kNot,    // bool
  kIsNan,  // -> bool
};

enum class BinaryKind : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMax,
  kMin,
  kMod /* sign of the divisor */,
  kFmod /* sign of the dividend */,
  kPrelu /* a, slope */,
  kEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kXor,  // -> bool
};

enum class ReduceKind : std::uint8_t { kMean, kSum, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };
enum class PadMode : std::uint8_t { kConstant, kReflect, kEdge, kWrap };
enum class ResizeMode : std::uint8_t { kNearest, kLinear, kCubic };
enum class CoordinateMode : std::uint8_t {
  kHalfPixel,
  kPytorchHalfPixel,
  kAsymmetric,
  kAlignCorners,
  kHalfPixelSymmetric
};
enum class NearestMode : std::uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
enum class ScatterReduction : std::uint8_t { kNone, kAdd, kMul, kMax, kMin };

/// What a fused operator applies to its result: acc -> scale and bias -> + residual -> activation -> requantize.
struct Epilogue {
  UnaryKind activation = UnaryKind::kIdentity;
  float alpha = 0;
  float beta = 0;
  bool operator==(const Epilogue&) const = default;
};

// Every attribute struct lists its fields once, for printing, comparing and storing: f(name, field) for each.
//
// Graph::infer leaves attributes in normal form, which kernels may rely on: axes are non-negative; strides, dilations,
// pads, output_padding, perm, steps and scales that were left empty are filled with their defaults.
struct NoAttrs {
  template <class Self, class F>
  static void visit(Self&, F&&) {}
  bool operator==(const NoAttrs&) const = default;
};
struct ConvAttrs {  // kConv, kConvTranspose
  std::vector<std::int64_t> strides, dilations, pads /* all begins, then all ends */, output_padding /* transpose */;
  std::int64_t groups = 1;
  Epilogue epilogue;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("strides", s.strides), f("dilations", s.dilations), f("pads", s.pads), f("output_padding", s.output_padding);
    f("groups", s.groups), f("activation", s.epilogue.activation), f("alpha", s.epilogue.alpha);
    f("beta", s.epilogue.beta);
  }
  bool operator==(const ConvAttrs&) const = default;
};
struct LinearAttrs {
  Epilogue epilogue;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("activation", s.epilogue.activation), f("alpha", s.epilogue.alpha), f("beta", s.epilogue.beta);
  }
  bool operator==(const LinearAttrs&) const = default;
};
struct MatMulAttrs {  // the last two axes of a or b swapped first
  bool transpose_a = false, transpose_b = false;
  float alpha = 1;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("transpose_a", s.transpose_a), f("transpose_b", s.transpose_b), f("alpha", s.alpha);
  }
  bool operator==(const MatMulAttrs&) const = default;
};
struct AttentionAttrs {  // softmax(scale * q k^T + mask) v
  float scale = 1;
  bool causal = false;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("scale", s.scale), f("causal", s.causal);
  }
  bool operator==(const AttentionAttrs&) const = default;
};
struct UnaryAttrs {
  UnaryKind kind = UnaryKind::kIdentity;
  float alpha = 0, beta = 0;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("kind", s.kind), f("alpha", s.alpha), f("beta", s.beta);
  }
  bool operator==(const UnaryAttrs&) const = default;
};
struct BinaryAttrs {
  BinaryKind kind = BinaryKind::kAdd;
  Epilogue epilogue;  // a fused activation, e.g. add + relu
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("kind", s.kind), f("activation", s.epilogue.activation), f("alpha", s.epilogue.alpha);
    f("beta", s.epilogue.beta);
  }
  bool operator==(const BinaryAttrs&) const = default;
};
struct CastAttrs {
  DataType to = DataType::kFloat32;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("to", s.to);
  }
  bool operator==(const CastAttrs&) const = default;
};
struct NormAttrs {  // kBatchNorm (epsilon), kLayerNorm (axis, epsilon), kGroupNorm (groups, epsilon)
  float epsilon = 1e-5F;
  std::int64_t axis = -1, groups = 1;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("epsilon", s.epsilon), f("axis", s.axis), f("groups", s.groups);
  }
  bool operator==(const NormAttrs&) const = default;
};
struct SoftmaxAttrs {
  std::int64_t axis = -1;
  bool log = false;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis), f("log", s.log);
  }
  bool operator==(const SoftmaxAttrs&) const = default;
};
struct PoolAttrs {
  std::vector<std::int64_t> kernel, strides, dilations, pads;
  bool ceil_mode = false, count_include_pad = false;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("kernel", s.kernel), f("strides", s.strides), f("dilations", s.dilations), f("pads", s.pads);
    f("ceil_mode", s.ceil_mode), f("count_include_pad", s.count_include_pad);
  }
  bool operator==(const PoolAttrs&) const = default;
};
struct ReduceAttrs {
  ReduceKind kind = ReduceKind::kMean;
  std::vector<std::int64_t> axes;  // sorted, non-negative; empty reduces nothing
  bool keepdims = true;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("kind", s.kind), f("axes", s.axes), f("keepdims", s.keepdims);
  }
  bool operator==(const ReduceAttrs&) const = default;
};
struct ArgReduceAttrs {
  std::int64_t axis = 0;
  bool keepdims = true, select_last = false, is_max = true;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis), f("keepdims", s.keepdims), f("select_last", s.select_last), f("is_max", s.is_max);
  }
  bool operator==(const ArgReduceAttrs&) const = default;
};
struct TopKAttrs {
  std::int64_t axis = -1, k = 1;
  bool largest = true, sorted = true;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis), f("k", s.k), f("largest", s.largest), f("sorted", s.sorted);
  }
  bool operator==(const TopKAttrs&) const = default;
};
struct CumSumAttrs {
  std::int64_t axis = 0;
  bool exclusive = false, reverse = false;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis), f("exclusive", s.exclusive), f("reverse", s.reverse);
  }
  bool operator==(const CumSumAttrs&) const = default;
};
struct AxisAttrs {  // kConcat, kGather, kGatherElements; kGatherNd: the number of batch axes
  std::int64_t axis = 0;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis);
  }
  bool operator==(const AxisAttrs&) const = default;
};
struct SplitAttrs {
  std::int64_t axis = 0;
  std::vector<std::int64_t> sizes;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("axis", s.axis), f("sizes", s.sizes);
  }
  bool operator==(const SplitAttrs&) const = default;
};
struct SliceAttrs {  // one entry for each axis in `axes` (non-negative); ends may be INT64_MAX / MIN, clamped as in
                     // ONNX
  std::vector<std::int64_t> starts, ends, axes, steps;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("starts", s.starts), f("ends", s.ends), f("axes", s.axes), f("steps", s.steps);
  }
  bool operator==(const SliceAttrs&) const = default;
};
struct TransposeAttrs {
  std::vector<std::int64_t> perm;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("perm", s.perm);
  }
  bool operator==(const TransposeAttrs&) const = default;
};
struct ShapeAttrs {  // kReshape, kExpand: the full target shape, no -1 and no 0-copies
  Shape shape;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("shape", s.shape);
  }
  bool operator==(const ShapeAttrs&) const = default;
};
struct TileAttrs {
  std::vector<std::int64_t> repeats;  // one for each axis
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("repeats", s.repeats);
  }
  bool operator==(const TileAttrs&) const = default;
};
struct PadAttrs {
  PadMode mode = PadMode::kConstant;
  std::vector<std::int64_t> pads;  // all begins, then all ends, one for each axis; negative crops
  float value = 0;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("mode", s.mode), f("pads", s.pads), f("value", s.value);
  }
  bool operator==(const PadAttrs&) const = default;
};
struct ResizeAttrs {
  ResizeMode mode = ResizeMode::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  std::vector<float> scales;        // one for each axis; what the coordinate formula uses
  std::vector<std::int64_t> sizes;  // output size of the spatial axes (rank - 2)
  float cubic_coeff = -0.75F;
  bool exclude_outside = false, antialias = false;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("mode", s.mode), f("coordinates", s.coordinates), f("nearest", s.nearest), f("scales", s.scales);
    f("sizes", s.sizes), f("cubic_coeff", s.cubic_coeff), f("exclude_outside", s.exclude_outside);
    f("antialias", s.antialias);
  }
  bool operator==(const ResizeAttrs&) const = default;
};
struct ScatterAttrs {
  ScatterReduction reduction = ScatterReduction::kNone;
  template <class Self, class F>
  static void visit(Self& s, F&& f) {
    f("reduction", s.reduction);
  }
  bool operator==(const ScatterAttrs&) const = default;
};

using Attributes =
    std::variant<NoAttrs, ConvAttrs, LinearAttrs, MatMulAttrs, AttentionAttrs, UnaryAttrs, BinaryAttrs, CastAttrs,
                 NormAttrs, SoftmaxAttrs, PoolAttrs, ReduceAttrs, ArgReduceAttrs, TopKAttrs, CumSumAttrs, AxisAttrs,
                 SplitAttrs, SliceAttrs, TransposeAttrs, ShapeAttrs, TileAttrs, PadAttrs, ResizeAttrs, ScatterAttrs>;

/// "Conv", "Linear", ...
std::string_view name_of(OpType op);
std::string_view name_of(UnaryKind kind);
std::string_view name_of(BinaryKind kind);
std::string_view name_of(ReduceKind kind);
std::string_view name_of(PadMode mode);
std::string_view name_of(ResizeMode mode);
std::string_view name_of(CoordinateMode mode);
std::string_view name_of(NearestMode mode);
std::string_view name_of(ScatterReduction reduction);

}  // namespace xinfer::ir
