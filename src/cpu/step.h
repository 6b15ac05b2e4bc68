#pragma once
// Step: one operation made ready to run. Request: what an implementation may look at when it decides whether to make
// one. See implementations.h for the table of them.

#include <dnnl.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cpu/layout.h"
#include "cpu/weight_cache.h"
#include "ir/graph.h"
#include "kernels/isa.h"

namespace xinfer::cpu {

/// Where a step finds its operands in one execution.
struct Frame {
  std::span<void* const> inputs;   ///< one for each node input; nullptr for absent or baked-in ones
  std::span<void* const> outputs;  ///< one for each node output
  void* scratch;                   ///< Step::scratch_bytes, 64-byte aligned
  dnnl_stream_t stream;
};

/// How output 0 relates to the memory of an input.
enum class Sharing : std::uint8_t {
  kNone,
  kMay,    ///< may lie in the input's memory when the input dies here
  kMust,   ///< must start as a copy of the input: shares its memory when it dies here, is copied before otherwise
  kAlias,  ///< is the input's memory under another shape; run() does nothing
};

/// One operation ready to run. Immutable after construction; what changes while running lives in its State.
class Step {
 public:
  /// What one Context keeps for this step.
  class State {
   public:
    virtual ~State() = default;
  };

  virtual ~Step() = default;
  virtual std::unique_ptr<State> new_state() const { return nullptr; }
  virtual void run(const Frame& frame, State* state) const = 0;

  std::vector<std::optional<Layout>> inputs;  ///< wanted layouts; empty: not read at run time
  std::vector<Layout> outputs;                ///< produced layouts
  std::string implementation;                 ///< as StepInfo says it
  DataType compute_type = DataType::kFloat32;
  std::size_t scratch_bytes = 0;
  Sharing sharing = Sharing::kNone;
  std::size_t shared_input = 0;
};

/// A product with constants, or a sum: one number for all columns of the result or one for each.
struct TailStep {
  ir::BinaryKind kind = ir::BinaryKind::kMul;  ///< kMul or kAdd
  Tensor operand;
};

/// A node to be implemented, and its surroundings.
struct Request {
  const ir::Graph& graph;
  const ir::Node& node;
  std::int64_t batch;
  kernels::Isa isa;
  int threads;
  WeightCache& weights;
  std::vector<Layout> layouts;              ///< the producer's layout of each input (plain for constants and absent)
  ir::ValueId output_override = ir::kNone;  ///< the Quantize output that the step shall write in place of output 0
  std::vector<TailStep> tail;               ///< what the result passes through before that Quantize

  const ir::Value& input(std::size_t i) const { return graph.value(node.inputs[i]); }
  bool has(std::size_t i) const { return node.has_input(i); }
  ir::ValueId output_id(std::size_t i) const {
    return i == 0 && output_override != ir::kNone ? output_override : node.outputs[i];
  }
  const ir::Value& output(std::size_t i = 0) const { return graph.value(output_id(i)); }
  Dims input_dims(std::size_t i) const { return input(i).shape.at(batch); }
  Dims output_dims(std::size_t i = 0) const { return output(i).shape.at(batch); }
  DataType input_type(std::size_t i) const { return input(i).dtype; }
  DataType output_type(std::size_t i = 0) const { return output(i).dtype; }
};

/// A step, or the reason why this implementation can't take the node.
struct Refusal {
  std::string reason;
};
using Creation = std::variant<std::unique_ptr<Step>, Refusal>;

/// Sets wanted layouts of all inputs (absent ones stay empty) and produced layouts of all outputs to `layout`.
void set_layouts(Step& step, const Request& request, const Layout& layout);

}  // namespace xinfer::cpu
