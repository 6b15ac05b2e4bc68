#include "ir/ops.h"

namespace xinfer::ir {

std::string_view name_of(OpType op) {
  switch (op) {
    case OpType::kConv:
      return "Conv";
    case OpType::kConvTranspose:
      return "ConvTranspose";
    case OpType::kLinear:
      return "Linear";
    case OpType::kMatMul:
      return "MatMul";
    case OpType::kAttention:
      return "Attention";
    case OpType::kUnary:
      return "Unary";
    case OpType::kBinary:
      return "Binary";
    case OpType::kWhere:
      return "Where";
    case OpType::kCast:
      return "Cast";
    case OpType::kBatchNorm:
      return "BatchNorm";
    case OpType::kLayerNorm:
      return "LayerNorm";
    case OpType::kGroupNorm:
      return "GroupNorm";
    case OpType::kSoftmax:
      return "Softmax";
    case OpType::kMaxPool:
      return "MaxPool";
    case OpType::kAveragePool:
      return "AveragePool";
    case OpType::kReduce:
      return "Reduce";
    case OpType::kArgReduce:
      return "ArgReduce";
    case OpType::kTopK:
      return "TopK";
    case OpType::kCumSum:
      return "CumSum";
    case OpType::kConcat:
      return "Concat";
    case OpType::kSplit:
      return "Split";
    case OpType::kSlice:
      return "Slice";
    case OpType::kTranspose:
      return "Transpose";
    case OpType::kReshape:
      return "Reshape";
    case OpType::kExpand:
      return "Expand";
    case OpType::kTile:
      return "Tile";
    case OpType::kPad:
      return "Pad";
    case OpType::kGather:
      return "Gather";
    case OpType::kGatherElements:
      return "GatherElements";
    case OpType::kGatherNd:
      return "GatherNd";
    case OpType::kScatterNd:
      return "ScatterNd";
    case OpType::kResize:
      return "Resize";
    case OpType::kQuantize:
      return "Quantize";
    case OpType::kDequantize:
      return "Dequantize";
  }
  return "?";
}

std::string_view name_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kIdentity:
      return "Identity";
    case UnaryKind::kRelu:
      return "Relu";
    case UnaryKind::kClip:
      return "Clip";
    case UnaryKind::kLeakyRelu:
      return "LeakyRelu";
    case UnaryKind::kElu:
      return "Elu";
    case UnaryKind::kSelu:
      return "Selu";
    case UnaryKind::kCelu:
      return "Celu";
    case UnaryKind::kSigmoid:
      return "Sigmoid";
    case UnaryKind::kHardSigmoid:
      return "HardSigmoid";
    case UnaryKind::kHardSwish:
      return "HardSwish";
    case UnaryKind::kSilu:
      return "Silu";
    case UnaryKind::kMish:
      return "Mish";
    case UnaryKind::kGelu:
      return "Gelu";
    case UnaryKind::kGeluTanh:
      return "GeluTanh";
    case UnaryKind::kTanh:
      return "Tanh";
    case UnaryKind::kSoftplus:
      return "Softplus";
    case UnaryKind::kSoftsign:
      return "Softsign";
    case UnaryKind::kErf:
      return "Erf";
    case UnaryKind::kExp:
      return "Exp";
    case UnaryKind::kLog:
      return "Log";
    case UnaryKind::kSqrt:
      return "Sqrt";
    case UnaryKind::kReciprocal:
      return "Reciprocal";
    case UnaryKind::kNegate:
      return "Negate";
    case UnaryKind::kAbs:
      return "Abs";
    case UnaryKind::kSign:
      return "Sign";
    case UnaryKind::kFloor:
      return "Floor";
    case UnaryKind::kCeil:
      return "Ceil";
    case UnaryKind::kRound:
      return "Round";
    case UnaryKind::kSin:
      return "Sin";
    case UnaryKind::kCos:
      return "Cos";
    case UnaryKind::kTan:
      return "Tan";
    case UnaryKind::kAsin:
      return "Asin";
    case UnaryKind::kAcos:
      return "Acos";
    case UnaryKind::kAtan:
      return "Atan";
    case UnaryKind::kSinh:
      return "Sinh";
    case UnaryKind::kCosh:
      return "Cosh";
    case UnaryKind::kAsinh:
      return "Asinh";
    case UnaryKind::kAcosh:
      return "Acosh";
    case UnaryKind::kAtanh:
      return "Atanh";
    case UnaryKind::kNot:
      return "Not";
    case UnaryKind::kIsNan:
      return "IsNan";
  }
  return "?";
}

std::string_view name_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kAdd:
      return "Add";
    case BinaryKind::kSub:
      return "Sub";
    case BinaryKind::kMul:
      return "Mul";
    case BinaryKind::kDiv:
      return "Div";
    case BinaryKind::kPow:
      return "Pow";
    case BinaryKind::kMax:
      return "Max";
    case BinaryKind::kMin:
      return "Min";
    case BinaryKind::kMod:
      return "Mod";
    case BinaryKind::kFmod:
      return "Fmod";
    case BinaryKind::kPrelu:
      return "Prelu";
    case BinaryKind::kEqual:
      return "Equal";
    case BinaryKind::kLess:
      return "Less";
    case BinaryKind::kLessEqual:
      return "LessEqual";
    case BinaryKind::kGreater:
      return "Greater";
    case BinaryKind::kGreaterEqual:
      return "GreaterEqual";
    case BinaryKind::kAnd:
      return "And";
    case BinaryKind::kOr:
      return "Or";
    case BinaryKind::kXor:
      return "Xor";
  }
  return "?";
}

std::string_view name_of(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::kMean:
      return "Mean";
    case ReduceKind::kSum:
      return "Sum";
    case ReduceKind::kMax:
      return "Max";
    case ReduceKind::kMin:
      return "Min";
    case ReduceKind::kProd:
      return "Prod";
    case ReduceKind::kL1:
      return "L1";
    case ReduceKind::kL2:
      return "L2";
    case ReduceKind::kSumSquare:
      return "SumSquare";
    case ReduceKind::kLogSum:
      return "LogSum";
    case ReduceKind::kLogSumExp:
      return "LogSumExp";
  }
  return "?";
}

std::string_view name_of(PadMode mode) {
  switch (mode) {
    case PadMode::kConstant:
      return "constant";
    case PadMode::kReflect:
      return "reflect";
    case PadMode::kEdge:
      return "edge";
    case PadMode::kWrap:
      return "wrap";
  }
  return "?";
}

std::string_view name_of(ResizeMode mode) {
  switch (mode) {
    case ResizeMode::kNearest:
      return "nearest";
    case ResizeMode::kLinear:
      return "linear";
    case ResizeMode::kCubic:
      return "cubic";
  }
  return "?";
}

std::string_view name_of(CoordinateMode mode) {
  switch (mode) {
    case CoordinateMode::kHalfPixel:
      return "half_pixel";
    case CoordinateMode::kPytorchHalfPixel:
      return "pytorch_half_pixel";
    case CoordinateMode::kAsymmetric:
      return "asymmetric";
    case CoordinateMode::kAlignCorners:
      return "align_corners";
    case CoordinateMode::kHalfPixelSymmetric:
      return "half_pixel_symmetric";
  }
  return "?";
}

std::string_view name_of(NearestMode mode) {
  switch (mode) {
    case NearestMode::kRoundPreferFloor:
      return "round_prefer_floor";
    case NearestMode::kRoundPreferCeil:
      return "round_prefer_ceil";
    case NearestMode::kFloor:
      return "floor";
    case NearestMode::kCeil:
      return "ceil";
  }
  return "?";
}

std::string_view name_of(ScatterReduction reduction) {
  switch (reduction) {
    case ScatterReduction::kNone:
      return "none";
    case ScatterReduction::kAdd:
      return "add";
    case ScatterReduction::kMul:
      return "mul";
    case ScatterReduction::kMax:
      return "max";
    case ScatterReduction::kMin:
      return "min";
  }
  return "?";
}

}  // namespace xinfer::ir
