#include "ir/schema.h"

#include <fmt/format.h>

#include <array>
#include <stdexcept>

#include "ir/infer.h"
#include "xinfer/core/errors.h"

namespace xinfer::ir {
namespace {

template <class T, class Variant>
struct IndexIn;
template <class T, class... Rest>
struct IndexIn<T, std::variant<T, Rest...>> {
  static constexpr std::size_t value = 0;
};
template <class T, class First, class... Rest>
struct IndexIn<T, std::variant<First, Rest...>> {
  static constexpr std::size_t value = 1 + IndexIn<T, std::variant<Rest...>>::value;
};

struct Count {
  int least;
  int most;
  constexpr Count(int exactly) : least(exactly), most(exactly) {}  // NOLINT: a number is a count
  constexpr Count(int at_least, int at_most) : least(at_least), most(at_most) {}
};
constexpr int kAny = -1;

using InferRule = void (*)(Graph&, Node&);

template <class Attrs>
OpSchema entry(OpType op, Count inputs, Count outputs, QuantRole role, InferRule infer) {
  return {op,
          name_of(op),
          inputs.least,
          inputs.most,
          outputs.least,
          outputs.most,
          role,
          IndexIn<Attrs, Attributes>::value,
          infer};
}

using enum OpType;
using enum QuantRole;

const std::array<OpSchema, kOpTypeCount>& table() {
  static const std::array<OpSchema, kOpTypeCount> schemas = {
      entry<ConvAttrs>(kConv, {2, 4}, 1, kCompute, rules::conv),
      entry<ConvAttrs>(kConvTranspose, {2, 3}, 1, kCompute, rules::conv_transpose),
      entry<LinearAttrs>(kLinear, {2, 4}, 1, kCompute, rules::linear),
      entry<MatMulAttrs>(kMatMul, 2, 1, kCompute, rules::matmul),
      entry<AttentionAttrs>(kAttention, {3, 4}, 1, kFloatOnly, rules::attention),
      entry<UnaryAttrs>(kUnary, 1, 1, kCompute, rules::unary),
      entry<BinaryAttrs>(kBinary, 2, 1, kCompute, rules::binary),
      entry<NoAttrs>(kWhere, 3, 1, kFloatOnly, rules::where),
      entry<CastAttrs>(kCast, 1, 1, kFloatOnly, rules::cast),
      entry<NormAttrs>(kBatchNorm, 5, 1, kFloatOnly, rules::batch_norm),
      entry<NormAttrs>(kLayerNorm, {1, 3}, 1, kFloatOnly, rules::layer_norm),
      entry<NormAttrs>(kGroupNorm, 3, 1, kFloatOnly, rules::group_norm),
      entry<SoftmaxAttrs>(kSoftmax, 1, 1, kFloatOnly, rules::softmax),
      entry<PoolAttrs>(kMaxPool, 1, 1, kMove, rules::max_pool),
      entry<PoolAttrs>(kAveragePool, 1, 1, kCompute, rules::average_pool),
      entry<ReduceAttrs>(kReduce, 1, 1, kCompute, rules::reduce),
      entry<ArgReduceAttrs>(kArgReduce, 1, 1, kFloatOnly, rules::arg_reduce),
      entry<TopKAttrs>(kTopK, 1, 2, kFloatOnly, rules::top_k),
      entry<CumSumAttrs>(kCumSum, 1, 1, kFloatOnly, rules::cum_sum),
      entry<AxisAttrs>(kConcat, {1, kAny}, 1, kCompute, rules::concat),
      entry<SplitAttrs>(kSplit, 1, {1, kAny}, kMove, rules::split),
      entry<SliceAttrs>(kSlice, 1, 1, kMove, rules::slice),
      entry<TransposeAttrs>(kTranspose, 1, 1, kMove, rules::transpose),
      entry<ShapeAttrs>(kReshape, 1, 1, kMove, rules::reshape),
      entry<ShapeAttrs>(kExpand, 1, 1, kMove, rules::expand),
      entry<TileAttrs>(kTile, 1, 1, kMove, rules::tile),
      entry<PadAttrs>(kPad, 1, 1, kMove, rules::pad),
      entry<AxisAttrs>(kGather, 2, 1, kMove, rules::gather),
      entry<AxisAttrs>(kGatherElements, 2, 1, kMove, rules::gather_elements),
      entry<AxisAttrs>(kGatherNd, 2, 1, kMove, rules::gather_nd),
      entry<ScatterAttrs>(kScatterNd, 3, 1, kFloatOnly, rules::scatter_nd),
      entry<ResizeAttrs>(kResize, 1, 1, kCompute, rules::resize),
      entry<NoAttrs>(kQuantize, 1, 1, kFloatOnly, rules::quantize),
      entry<NoAttrs>(kDequantize, 1, 1, kFloatOnly, rules::dequantize),
  };
  return schemas;
}

void check_count(std::size_t count, int least, int most, const char* what) {
  const auto given = static_cast<std::int64_t>(count);
  if (given >= least && (most == kAny || given <= most)) return;
  std::string wanted = std::to_string(least);
  if (most == kAny) wanted += " or more";
  if (most > least) wanted += fmt::format(" to {}", most);
  throw ModelError(fmt::format("has {} {}, but {} are wanted", given, what, wanted));
}

}  // namespace

const OpSchema& schema_of(OpType op) { return table().at(static_cast<std::size_t>(op)); }

std::span<const OpSchema> all_schemas() { return table(); }

void check_arity(const OpSchema& schema, const Node& node) {
  if (node.attrs.index() != schema.attrs_index) {
    throw std::logic_error(
        fmt::format("node '{}' ({}) carries the attributes of another operator", node.name, schema.name));
  }
  check_count(node.inputs.size(), schema.min_inputs, schema.max_inputs, "inputs");
  check_count(node.outputs.size(), schema.min_outputs, schema.max_outputs, "outputs");
  const bool all_required = schema.max_inputs == kAny;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone && (all_required || static_cast<int>(i) < schema.min_inputs)) {
      throw ModelError(fmt::format("input {} is missing", i));
    }
  }
}

}  // namespace xinfer::ir
