#pragma once
// Step: one operation made ready to launch. Request: what an implementation may look at when it decides whether to make
// one. Nothing here needs a device: steps are made on machines without a GPU too.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cuda/format.h"
#include "gpu/arch.h"
#include "gpu/kernel_source.h"
#include "gpu/launch.h"
#include "ir/graph.h"

namespace xinfer::cuda {

/// Bytes that a step wants in device memory: packed weights, scales, tables. Equal keys must mean equal bytes: they are
/// made and uploaded once for all programs of an engine.
struct Resident {
  std::string key;
  std::function<std::vector<std::byte>()> make;
};

/// Where a step finds its operands in one context.
struct Frame {
  std::span<const gpu::DevicePointer> inputs;    ///< one for each node input; 0 for absent ones
  std::span<const gpu::DevicePointer> outputs;   ///< one for each node output
  std::span<const gpu::DevicePointer> resident;  ///< one for each of Step::residents
  gpu::DevicePointer scratch = 0;                ///< Step::scratch_bytes, shared with other steps
  gpu::DevicePointer state = 0;                  ///< Step::state_bytes of its own, zero before the first launch
  int sm_count = 1;                              ///< of the device at hand
};

/// Where work of the host finds its operands: plain row-major tensors of the graph's types and shapes.
struct HostFrame {
  std::vector<void*> inputs;   ///< one for each node input; null for absent ones and constants
  std::vector<void*> outputs;  ///< one for each node output
};

/// What device addresses are multiples of, except those of graph inputs and outputs (16).
inline constexpr std::size_t kAddressUnit = 256;

/// One operation ready to launch. Immutable after construction.
class Step {
 public:
  virtual ~Step() = default;
  /// Appends the launches, in order, on one stream. Called once for each context, with a device.
  virtual void launch(const Frame& frame, std::vector<gpu::Launch>& launches) const = 0;
  /// The work of a step with `on_host`, which launches nothing. Called by a thread of the driver's, at each run.
  virtual void run_on_host(const HostFrame& /*frame*/) const {}

  std::vector<gpu::KernelSource> kernels;  ///< what Launch::kernel indexes
  std::vector<Resident> residents;
  std::vector<std::optional<Format>> inputs;  ///< wanted formats; empty: not read at run time
  std::vector<Format> outputs;                ///< produced formats
  std::string implementation;                 ///< as StepInfo says it: "igemm:128x128x64x4"
  Element compute = Element::kF16;            ///< what it multiplies, or works on
  std::size_t scratch_bytes = 0;
  std::size_t state_bytes = 0;
  bool on_host = false;  ///< inputs are copied to the host, run_on_host() is called, outputs are copied back
  bool alias = false;    ///< output 0 is input 0's memory under another shape; launch() appends nothing
};

/// s8, u8, ... as the graph says; `real` for f32.
Element element_of(DataType type, Element real);

/// The machine that a program is compiled for.
struct Target {
  gpu::Arch arch;
  int sm_count = 132;
  std::size_t shared_limit = 48 * 1024;  ///< bytes of shared memory that one block may have
};

/// One of several variants of an implementation (tile sizes, stages, splits): numbers that only it understands.
struct Tactic {
  std::vector<int> values;
  bool operator==(const Tactic&) const = default;
};

/// A node to be implemented, and its surroundings.
struct Request {
  const ir::Graph& graph;
  const ir::Node& node;
  std::int64_t batch;
  Target target;
  Element real;                             ///< how values of type f32 are stored: kF16 or kF32
  std::vector<Format> formats;              ///< how each input was written by its producer (rows for absent ones)
  ir::ValueId output_override = ir::kNone;  ///< the Quantize output that the step shall write in place of output 0
  /// More than 1: the output's columns stand for so many values of equal shape. Each is written as if it were the only
  /// one, bytes_of_part() behind the one before. An implementation that can't do that refuses.
  std::int64_t parts = 1;

  const ir::Value& input(std::size_t i) const { return graph.value(node.inputs[i]); }
  bool has(std::size_t i) const { return node.has_input(i); }
  ir::ValueId output_id(std::size_t i) const {
    return i == 0 && output_override != ir::kNone ? output_override : node.outputs[i];
  }
  const ir::Value& output(std::size_t i = 0) const { return graph.value(output_id(i)); }
  Dims input_dims(std::size_t i) const { return input(i).shape.at(batch); }
  Dims output_dims(std::size_t i = 0) const { return output(i).shape.at(batch); }
  Element input_element(std::size_t i) const { return element_of(input(i)); }
  Dims part_dims() const {
    Dims dims = output_dims();
    dims.back() /= parts;
    return dims;
  }
  Element output_element(std::size_t i = 0) const { return element_of(output(i)); }
  Element element_of(const ir::Value& value) const { return cuda::element_of(value.dtype, real); }
};

/// A step, or the reason why this implementation can't take the node.
struct Refusal {
  std::string reason;
};
using Creation = std::variant<std::unique_ptr<Step>, Refusal>;

/// Sets wanted formats of all present inputs and produced formats of all outputs to the same order and padding, each
/// with its own element type.
void set_formats(Step& step, const Request& request, Order order, bool padded);

/// kChannelsLast when a producer wrote any input so (constants aside), else kRows.
Order preferred_order(const Request& request);

}  // namespace xinfer::cuda
