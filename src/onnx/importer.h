#pragma once
// Walks the nodes of an ONNX model in order and has each converted.

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "onnx/context.h"
#include "onnx/converters.h"
#include "onnx/reader.h"

namespace xinfer::onnx {

/// Nodes of a graph that its outputs need, producers first, and the names that those nodes and the outputs read.
struct Plan {
  std::vector<const NodeProto*> nodes;
  std::unordered_set<std::string_view> used;
};

/// Throws ModelError when two nodes make one value, or on a cycle.
Plan plan_of(const GraphProto& graph);

/// Shape and type of every model input, in order; without those that are initializers.
struct InputSpec {
  std::string name;
  DataType dtype = DataType::kFloat32;
  ir::Shape shape;
  bool promotable = false;  ///< its leading dimension is the constant 1
};

/// Throws ModelError listing the dimensions that the model leaves open, and how to fix them.
std::vector<InputSpec> read_inputs(const GraphProto& graph, const ReadOptions& options);

/// Weights are converted once and shared by all readings of a model.
using TensorCache = std::unordered_map<const TensorProto*, Tensor>;

class Importer {
 public:
  /// Everything is kept by reference and must outlive the importer. With `promote`, a constant leading 1 of the inputs
  /// becomes N.
  Importer(const ModelProto& model, int opset, ExternalData& external, TensorCache& tensors, const ReadOptions& options,
           bool promote);

  /// Throws ModelError with node and reason, UnsupportedError with the list of nodes that can't be converted; no file
  /// name.
  ir::Graph run();

 private:
  /// Values of one graph; inner scopes (branches of If) see the outer ones.
  struct Scope {
    std::unordered_map<std::string, ir::ValueId> values;
    std::unordered_map<std::string, const TensorProto*> initializers;
  };
  struct Refusal {
    int count = 0;
    std::string first_node;
    std::string reason;
  };

  void open_scope(const GraphProto& graph);
  void convert_nodes(const GraphProto& graph);
  void convert(const NodeProto& node, const Plan& plan);
  void convert_if(const NodeProto& node, const NodeContext& context);
  void bind_outputs(const NodeProto& node, const std::vector<ir::ValueId>& values);
  void refuse(const NodeProto& node, const std::string& reason);
  ir::ValueId resolve(const std::string& name);
  void set_outputs();
  void throw_refusals() const;
  void drop_dead_nodes();

  const ModelProto& model_;
  TensorCache& tensors_;
  const ReadOptions& options_;
  ReadState state_;
  std::vector<Scope> scopes_;
  std::map<std::string, Refusal> refusals_;
};

}  // namespace xinfer::onnx
