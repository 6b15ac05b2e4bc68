#include "cpu/dnnl_step.h"

#include <cstring>

namespace xinfer::cpu {
namespace {

class DnnlState final : public Step::State {
 public:
  std::vector<dnnl::memory> memories;
  std::vector<void*> handles;
  std::vector<dnnl_exec_arg_t> arguments;
};

}  // namespace

DnnlStep::DnnlStep(dnnl::primitive primitive, std::vector<Operand> operands, const dnnl_api::MemoryDesc& scratchpad)
    : primitive_(std::move(primitive)), operands_(std::move(operands)), scratchpad_(scratchpad) {
  scratch_bytes = scratchpad.get_size();
}

std::unique_ptr<Step::State> DnnlStep::new_state() const {
  auto state = std::make_unique<DnnlState>();
  for (const Operand& operand : operands_) {
    state->memories.push_back(operand.from == Operand::From::kFixed
                                  ? operand.fixed
                                  : dnnl::memory(operand.desc, dnnl_api::engine(), DNNL_MEMORY_NONE));
    state->arguments.push_back({operand.argument, state->memories.back().get()});
  }
  if (scratch_bytes != 0) {
    state->memories.push_back(dnnl::memory(scratchpad_, dnnl_api::engine(), DNNL_MEMORY_NONE));
    state->arguments.push_back({DNNL_ARG_SCRATCHPAD, state->memories.back().get()});
  }
  state->handles.assign(state->memories.size(), nullptr);
  return state;
}

void DnnlStep::run(const Frame& frame, State* state) const {
  auto& own = static_cast<DnnlState&>(*state);
  const auto point = [&](std::size_t i, void* handle) {
    if (own.handles[i] == handle) return;
    own.memories[i].set_data_handle(handle);
    own.handles[i] = handle;
  };
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    const Operand& operand = operands_[i];
    if (operand.from == Operand::From::kInput) point(i, frame.inputs[operand.index]);
    if (operand.from == Operand::From::kOutput) point(i, frame.outputs[operand.index]);
  }
  if (scratch_bytes != 0) point(operands_.size(), frame.scratch);
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), frame.stream, static_cast<int>(own.arguments.size()),
                                                 own.arguments.data()),
                          "a oneDNN primitive failed to run");
}

void add_attribute_operands(std::vector<Operand>& operands, const dnnl_api::Attributes& attributes) {
  for (const auto& [argument, memory] : attributes.arguments()) operands.push_back(Operand::constant(argument, memory));
}

dnnl_api::Memory vector_memory(const std::vector<float>& values, const Dims& dims) {
  dnnl_api::Memory memory(dnnl_api::describe(DataType::kFloat32, dims, Layout::plain()), dnnl_api::engine());
  std::memcpy(memory.get_data_handle(), values.data(), values.size() * sizeof(float));
  return memory;
}

}  // namespace xinfer::cpu
