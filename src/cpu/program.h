#pragma once
// Program: a graph compiled for one batch size on this CPU; Context: the memory of one execution.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace xinfer::cpu {

struct CompileOptions {
  int threads = 0;  ///< 0: as many as OpenMP would use
  /// Keep every value readable for the observer: no fusion into consumers happens here anyway (the graph is already
  /// fused), but memory is not reused and no operation works in place.
  bool keep_values = false;
};

/// How one node runs, for `inspect`.
struct StepInfo {
  std::string node;
  ir::OpType op;
  std::string implementation;         ///< e.g. "dnnl_conv:jit_int8:avx512_core_vnni", "own_qdwconv", "reference"
  std::vector<std::string> refusals;  ///< "implementation: reason" of every better one that was passed over
  DataType compute_type = DataType::kFloat32;  ///< kInt8 when it computes on integers
  std::string layout;                          ///< of its first output, e.g. "nhwc", "aBcd16b", "plain"
  int reorders = 0;                            ///< layout or type conversions inserted for it
};

/// Sees every value right after it is computed (graph inputs too), as a plain row-major tensor that is valid only
/// during the call. Not called for constants.
using ValueObserver = std::function<void(ir::ValueId, const Tensor&)>;

/// The same without a conversion: the value's memory, elements in whatever order they lie, zeros where blocks are
/// padded.
using MemoryObserver = std::function<void(ir::ValueId, std::span<const std::byte>)>;

/// Nanoseconds spent in each step, in the order of Program::steps(); conversions count to the step that needs them.
using StepTimes = std::vector<std::int64_t>;

/// Mutable state of one execution: activation arena and scratch memory. One thread at a time.
class Context {
 public:
  virtual ~Context() = default;
};

/// Weights repacked for primitives, shared by the programs of one engine (one for each batch size). Thread-safe.
class WeightCache;
std::shared_ptr<WeightCache> make_weight_cache();

/// Immutable; may be run from several threads at once, each with its own Context.
class Program {
 public:
  virtual ~Program() = default;
  virtual std::unique_ptr<Context> new_context() const = 0;
  /// `inputs` and `outputs` in graph order, plain row-major tensors of exactly the compiled shapes and types; outputs
  /// are written in place. Throws EngineError naming the tensor when one doesn't fit.
  virtual void run(Context& context, std::span<const Tensor> inputs, std::span<Tensor> outputs,
                   const ValueObserver* observer = nullptr, StepTimes* times = nullptr,
                   const MemoryObserver* memory = nullptr) const = 0;
  virtual const std::vector<StepInfo>& steps() const = 0;
  virtual std::int64_t batch() const = 0;
  virtual std::size_t arena_bytes() const = 0;
};

/// Compiles `graph` (float, quantized or mixed) for batch size `batch`. Throws UnsupportedError naming the node for one
/// that no implementation takes.
std::shared_ptr<const Program> compile(std::shared_ptr<const ir::Graph> graph, std::int64_t batch,
                                       const CompileOptions& options = {},
                                       std::shared_ptr<WeightCache> weights = nullptr);

/// "avx512_vnni", "avx2", ...: the instruction set that kernels are chosen for.
std::string isa_name();

}  // namespace xinfer::cpu
