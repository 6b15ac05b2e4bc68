#pragma once
// DnnlStep: one oneDNN primitive and where its operands come from.

#include <vector>

#include "cpu/step.h"

namespace xinfer::cpu {

/// One run-time argument of a primitive.
struct Operand {
  enum class From : std::uint8_t { kInput, kOutput, kFixed };
  int argument;  ///< DNNL_ARG_*
  From from;
  std::size_t index;  ///< of the node's input or output
  dnnl_api::MemoryDesc desc;
  dnnl_api::Memory fixed;  ///< kFixed: weights, scales

  static Operand input(int argument, std::size_t index, dnnl_api::MemoryDesc desc) {
    return {argument, From::kInput, index, desc, {}};
  }
  static Operand output(int argument, dnnl_api::MemoryDesc desc) { return {argument, From::kOutput, 0, desc, {}}; }
  static Operand constant(int argument, dnnl_api::Memory memory) {
    return {argument, From::kFixed, 0, memory.get_desc(), std::move(memory)};
  }
};

class DnnlStep : public Step {
 public:
  /// `scratchpad` is the primitive descriptor's; it comes out of the context's scratch memory.
  DnnlStep(dnnl::primitive primitive, std::vector<Operand> operands, const dnnl_api::MemoryDesc& scratchpad);

  std::unique_ptr<State> new_state() const override;
  void run(const Frame& frame, State* state) const override;

 private:
  dnnl::primitive primitive_;
  std::vector<Operand> operands_;
  dnnl_api::MemoryDesc scratchpad_;
};

/// Constant operands of `attributes`, appended to `operands`.
void add_attribute_operands(std::vector<Operand>& operands, const dnnl_api::Attributes& attributes);

/// A float vector as a oneDNN memory of its own.
dnnl_api::Memory vector_memory(const std::vector<float>& values, const Dims& dims);

}  // namespace xinfer::cpu
