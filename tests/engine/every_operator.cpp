// One graph with a node of every operator.
#include "engine/helpers.h"

namespace xinfer::engine::testing {
namespace {

using ir::Dim;
using ir::OpType;
using ir::ValueId;

class Zoo {
 public:
  ir::Graph build() {
    graph_.name = "zoo";
    x_ = graph_.add_input("x", DataType::kFloat32, {Dim::n(), 4, 8, 8});
    rows_ = graph_.add_input("rows", DataType::kFloat32, {Dim::n(), 8});
    fixed_ = graph_.add_input("fixed", DataType::kFloat32, {4, 5});
    add_windows();
    add_products();
    add_pointwise();
    add_reductions();
    add_movement();
    add_indexing();
    add_integers();
    std::vector<ValueId> outputs;
    for (std::size_t i = 0; i < graph_.value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      if (graph_.value(id).producer != ir::kNone && graph_.value(id).consumers.empty()) outputs.push_back(id);
    }
    graph_.set_outputs(outputs);
    std::vector<std::string> names;
    for (const std::string& name : graph_.output_names()) names.push_back("out/" + name);
    graph_.set_output_names(names);
    return std::move(graph_);
  }

 private:
  ValueId add(OpType op, std::vector<ValueId> inputs, ir::Attributes attrs = ir::NoAttrs{}) {
    return graph_.add(op, std::string(ir::name_of(op)), std::move(inputs), std::move(attrs));
  }
  ValueId weights(std::vector<std::int64_t> shape) {
    Tensor tensor(DataType::kFloat32, std::move(shape));
    for (float& value : tensor.data<float>()) value = next_ += 0.125F;
    return graph_.add_constant("w", std::move(tensor));
  }
  ValueId indices(std::vector<std::int64_t> shape, const std::vector<std::int64_t>& values) {
    return graph_.add_constant("i", Tensor::from<std::int64_t>(std::move(shape), values));
  }

  void add_windows() {
    ir::ConvAttrs conv;
    conv.pads = {1, 1, 1, 1};
    conv.groups = 2;
    conv.epilogue = {ir::UnaryKind::kClip, 0.0F, 6.0F};
    add(OpType::kConv, {x_, weights({4, 2, 3, 3}), weights({4}), x_}, conv);
    add(OpType::kConv, {x_, weights({4, 4, 1, 1}), ir::kNone, x_}, ir::ConvAttrs{});  // an absent input in the middle
    ir::ConvAttrs transposed;
    transposed.strides = {2, 2};
    transposed.output_padding = {1, 0};
    add(OpType::kConvTranspose, {x_, weights({4, 3, 2, 2})}, transposed);
    ir::PoolAttrs pool;
    pool.kernel = {3, 3};
    pool.strides = {2, 2};
    pool.ceil_mode = true;
    add(OpType::kMaxPool, {x_}, pool);
    pool.pads = {1, 1, 1, 1};
    pool.count_include_pad = true;
    add(OpType::kAveragePool, {x_}, pool);
    ir::ResizeAttrs resize;
    resize.mode = ir::ResizeMode::kCubic;
    resize.coordinates = ir::CoordinateMode::kAlignCorners;
    resize.sizes = {16, 12};
    add(OpType::kResize, {x_}, resize);
  }

  void add_products() {
    add(OpType::kLinear, {rows_, weights({5, 8}), weights({5})}, ir::LinearAttrs{{ir::UnaryKind::kGelu, 0, 0}});
    add(OpType::kMatMul, {x_, x_}, ir::MatMulAttrs{false, true, 0.25F});
    add(OpType::kAttention, {x_, x_, x_}, ir::AttentionAttrs{0.5F, true});
  }

  void add_pointwise() {
    add(OpType::kUnary, {x_}, ir::UnaryAttrs{ir::UnaryKind::kLeakyRelu, 0.1F, 0});
    const ValueId less = add(OpType::kBinary, {x_, weights({1})}, ir::BinaryAttrs{ir::BinaryKind::kLess, {}});
    add(OpType::kWhere, {less, x_, weights({1})});
    add(OpType::kBinary, {x_, x_}, ir::BinaryAttrs{ir::BinaryKind::kAdd, {ir::UnaryKind::kRelu, 0, 0}});
    add(OpType::kCast, {x_}, ir::CastAttrs{DataType::kInt32});
  }

  void add_reductions() {
    add(OpType::kBatchNorm, {x_, weights({4}), weights({4}), weights({4}), weights({4})}, ir::NormAttrs{1e-3F, -1, 1});
    add(OpType::kLayerNorm, {x_, weights({8}), weights({8})}, ir::NormAttrs{1e-4F, -1, 1});
    add(OpType::kGroupNorm, {x_, weights({4}), weights({4})}, ir::NormAttrs{1e-5F, -1, 2});
    add(OpType::kSoftmax, {x_}, ir::SoftmaxAttrs{1, true});
    add(OpType::kReduce, {x_}, ir::ReduceAttrs{ir::ReduceKind::kLogSumExp, {2, 3}, false});
    add(OpType::kArgReduce, {x_}, ir::ArgReduceAttrs{1, false, true, false});
    graph_.add_node(OpType::kTopK, "TopK", {x_}, ir::TopKAttrs{3, 2, false, true}, 2);
    add(OpType::kCumSum, {x_}, ir::CumSumAttrs{2, true, true});
  }

  void add_movement() {
    add(OpType::kConcat, {x_, x_}, ir::AxisAttrs{1});
    graph_.add_node(OpType::kSplit, "Split", {x_}, ir::SplitAttrs{1, {1, 3}}, 2, {"first", "rest"});
    add(OpType::kSlice, {x_}, ir::SliceAttrs{{6}, {INT64_MIN}, {3}, {-2}});
    add(OpType::kTranspose, {x_}, ir::TransposeAttrs{{0, 2, 3, 1}});
    add(OpType::kReshape, {x_}, ir::ShapeAttrs{{Dim::n(4), 64}});
    add(OpType::kExpand, {fixed_}, ir::ShapeAttrs{{3, 4, 5}});
    add(OpType::kTile, {x_}, ir::TileAttrs{{1, 2, 1, 3}});
    add(OpType::kPad, {x_}, ir::PadAttrs{ir::PadMode::kReflect, {0, 0, 1, 2, 0, 0, 1, -1}, 0.5F});
  }

  void add_indexing() {
    add(OpType::kGather, {x_, indices({2}, {3, 0})}, ir::AxisAttrs{1});
    add(OpType::kGatherElements, {fixed_, indices({4, 2}, {0, 1, 2, 3, 4, 0, 1, 2})}, ir::AxisAttrs{1});
    add(OpType::kGatherNd, {fixed_, indices({2, 1}, {1, 3})}, ir::AxisAttrs{0});
    add(OpType::kScatterNd, {fixed_, indices({2, 1}, {1, 3}), weights({2, 5})},
        ir::ScatterAttrs{ir::ScatterReduction::kMax});
  }

  void add_integers() {
    const ValueId q = add(OpType::kQuantize, {x_});
    graph_.value(q).dtype = DataType::kInt8;
    graph_.value(q).quantization = ir::Quantization{{0.0625F}, {3}, -1};
    graph_.infer(graph_.value(q).producer);
    add(OpType::kDequantize, {q});
    add(OpType::kTranspose, {q}, ir::TransposeAttrs{{3, 2, 1, 0}});  // hands the scale on
  }

  ir::Graph graph_;
  ValueId x_ = ir::kNone, rows_ = ir::kNone, fixed_ = ir::kNone;
  float next_ = 0;
};

}  // namespace

ir::Graph graph_of_every_operator() { return Zoo().build(); }

}  // namespace xinfer::engine::testing
