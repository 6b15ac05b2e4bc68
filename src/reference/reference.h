#pragma once
// The plain, slow, exact meaning of every operator, in float and in integers: the oracle of all tests.

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace xinfer::reference {

/// What a kernel needs to know of the node that it computes.
struct NodeView {
  const ir::Graph& graph;
  const ir::Node& node;
  std::int64_t batch = 1;  ///< value of N

  const ir::Value& input(std::size_t i) const { return graph.value(node.inputs[i]); }
  const ir::Value& output(std::size_t i) const { return graph.value(node.outputs[i]); }
  std::vector<std::int64_t> output_shape(std::size_t i) const { return output(i).shape.at(batch); }
};

/// Computes one node: `inputs[i]` matches node.inputs[i] (an empty Tensor for an absent one); returns its outputs with
/// the dtypes and shapes that the graph says. Values with a Quantization are integers and follow the integer contract
/// (docs/architecture.md): acc in exact s32; y = fma(float(acc), m, b) with m = s_x * s_w (and, for identity, ReLU and
/// clip, 1/s_y folded into m, b and the residual's scale, in double, rounded once to float); y = fma(r, s_r, y) for a
/// fused residual; activation; saturate(round_half_even(y / s_y)). Throws UnsupportedError for a type combination that
/// has no meaning. Thread-safe.
std::vector<Tensor> evaluate(const NodeView& view, std::span<const Tensor> inputs);

/// Runs a whole graph; `inputs` in graph order. Keeps only what is still needed, unless `keep` is given: then every
/// value's tensor is left there under its name. Throws ModelError when an input's type or shape doesn't fit.
std::vector<Tensor> run(const ir::Graph& graph, std::span<const Tensor> inputs,
                        std::unordered_map<std::string, Tensor>* keep = nullptr);

/// Batch size implied by the inputs' shapes. Throws EngineError when an input doesn't fit its declared shape, or two
/// inputs imply different batches.
std::int64_t batch_of(const ir::Graph& graph, std::span<const Tensor> inputs);

}  // namespace xinfer::reference
