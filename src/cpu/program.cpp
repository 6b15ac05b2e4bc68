#include "cpu/program.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "cpu/executable.h"
#include "cpu/implementations.h"
#include "cpu/threads.h"
#include "kernels/aligned.h"
#include "kernels/isa.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu {
namespace {

class ContextImpl final : public Context {
 public:
  explicit ContextImpl(const Executable& exe)
      : arena(exe.arena_bytes),
        scratch(exe.scratch_bytes),
        pointers(exe.buffers.size(), nullptr),
        stream(dnnl_api::engine()) {
    for (const Item& item : exe.items) states.push_back(item.step->new_state());
    for (std::size_t i = 0; i < exe.buffers.size(); ++i) {
      const auto root = static_cast<std::size_t>(exe.root_of(static_cast<int>(i)));
      const Buffer& buffer = exe.buffers[root];
      switch (buffer.home) {
        case Buffer::Home::kArena:
          pointers[i] = arena.data() + buffer.offset;
          break;
        case Buffer::Home::kConstant:
          pointers[i] = const_cast<void*>(buffer.constant);  // steps only read it
          break;
        case Buffer::Home::kInput:
        case Buffer::Home::kOutput:
          outside.emplace_back(i, root);
          break;
      }
    }
  }

  const void* owner = nullptr;
  kernels::AlignedVector<std::byte> arena, scratch;
  std::vector<void*> pointers;                               ///< one for each buffer
  std::vector<std::pair<std::size_t, std::size_t>> outside;  ///< buffers in the caller's memory, and their roots
  std::vector<std::unique_ptr<Step::State>> states;
  std::vector<void*> operands;  ///< pointers of one step's inputs and outputs
  dnnl::stream stream;
};

class ProgramImpl final : public Program, public std::enable_shared_from_this<ProgramImpl> {
 public:
  explicit ProgramImpl(Executable executable) : exe_(std::move(executable)) {}

  std::unique_ptr<Context> new_context() const override {
    const ThreadScope scope(exe_.threads);
    auto context = std::make_unique<ContextImpl>(exe_);
    context->owner = this;
    return context;
  }

  void run(Context& context, std::span<const Tensor> inputs, std::span<Tensor> outputs, const ValueObserver* observer,
           StepTimes* times, const MemoryObserver* memory) const override {
    auto& own = dynamic_cast<ContextImpl&>(context);
    if (own.owner != this) throw EngineError("a context was given to a program that didn't make it");
    check("input", exe_.graph->inputs(), inputs);
    check("output", exe_.graph->outputs(), std::span<const Tensor>(outputs.data(), outputs.size()));
    const ThreadScope scope(exe_.threads);
    for (const auto& [buffer, root] : own.outside) {
      const Buffer& b = exe_.buffers[root];
      own.pointers[buffer] =
          b.home == Buffer::Home::kInput ? const_cast<void*>(inputs[b.index].raw()) : outputs[b.index].raw();
    }
    if (times != nullptr) times->assign(exe_.infos.size(), 0);
    if (observer != nullptr) {
      for (std::size_t i = 0; i < inputs.size(); ++i) (*observer)(exe_.graph->inputs()[i], inputs[i]);
    }
    if (memory != nullptr) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        (*memory)(exe_.graph->inputs()[i], {static_cast<const std::byte*>(inputs[i].raw()), inputs[i].bytes()});
      }
    }
    for (std::size_t i = 0; i < exe_.items.size(); ++i) {
      const Item& item = exe_.items[i];
      const auto begin = times != nullptr ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point{};
      run_item(item, own, own.states[i].get());
      if (times != nullptr) {
        (*times)[item.info] +=
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
      }
      if (observer != nullptr) {
        for (const Visible& visible : item.visible) show(visible, own, *observer);
      }
      if (memory != nullptr) {
        for (const Visible& visible : item.visible) {
          const auto buffer = static_cast<std::size_t>(visible.buffer);
          (*memory)(visible.value, {static_cast<const std::byte*>(own.pointers[buffer]), exe_.buffers[buffer].bytes});
        }
      }
    }
    for (const FinalCopy& copy : exe_.final_copies) {
      Tensor& output = outputs[copy.output];
      if (output.bytes() != 0)
        std::memcpy(output.raw(), own.pointers[static_cast<std::size_t>(copy.buffer)], output.bytes());
    }
  }

  const std::vector<StepInfo>& steps() const override { return exe_.infos; }
  std::int64_t batch() const override { return exe_.batch; }
  std::size_t arena_bytes() const override { return exe_.arena_bytes; }

 private:
  void check(const char* what, const std::vector<ir::ValueId>& ids, std::span<const Tensor> tensors) const {
    if (tensors.size() != ids.size()) {
      throw EngineError(fmt::format("the model has {} {}s, {} were given", ids.size(), what, tensors.size()));
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const ir::Value& value = exe_.graph->value(ids[i]);
      const Dims dims = value.shape.at(exe_.batch);
      if (tensors[i].dtype() == value.dtype && tensors[i].shape() == dims) continue;
      const std::string& name = what[0] == 'o' ? exe_.graph->output_names()[i] : value.name;
      throw EngineError(fmt::format("{} '{}' must be {} {}, not {} {}", what, name, name_of(value.dtype),
                                    xinfer::to_string(dims), name_of(tensors[i].dtype()),
                                    xinfer::to_string(tensors[i].shape())));
    }
  }

  void run_item(const Item& item, ContextImpl& context, Step::State* state) const {
    const auto at = [&](int buffer) {
      return buffer < 0 ? nullptr : context.pointers[static_cast<std::size_t>(buffer)];
    };
    auto& operands = context.operands;
    operands.clear();
    for (const int buffer : item.inputs) operands.push_back(at(buffer));
    for (const int buffer : item.outputs) operands.push_back(at(buffer));
    const std::span<void* const> all(operands);
    if (item.copy_from >= 0) {
      std::memcpy(at(item.outputs[0]), at(item.copy_from),
                  exe_.buffers[static_cast<std::size_t>(item.outputs[0])].bytes);
    }
    item.step->run(
        {all.first(item.inputs.size()), all.subspan(item.inputs.size()), context.scratch.data(), context.stream.get()},
        state);
  }

  void show(const Visible& visible, const ContextImpl& context, const ValueObserver& observer) const {
    const ir::Value& value = exe_.graph->value(visible.value);
    const Dims dims = value.shape.at(exe_.batch);
    void* data = context.pointers[static_cast<std::size_t>(visible.buffer)];
    if (same_memory(dims, visible.layout, Layout::plain())) {
      observer(visible.value, Tensor::view(value.dtype, dims, data, nullptr));
      return;
    }
    Tensor plain(value.dtype, dims);
    void* target = plain.raw();
    const auto step = create_reorder(value.dtype, dims, visible.layout, Layout::plain());
    kernels::AlignedVector<std::byte> scratch(step->scratch_bytes);
    step->run({std::span(&data, 1), std::span(&target, 1), scratch.data(), context.stream.get()},
              step->new_state().get());
    observer(visible.value, plain);
  }

  Executable exe_;
};

}  // namespace

std::shared_ptr<const Program> compile(std::shared_ptr<const ir::Graph> graph, std::int64_t batch,
                                       const CompileOptions& options, std::shared_ptr<WeightCache> weights) {
  Executable executable;
  executable.graph = std::move(graph);
  executable.weights = weights ? std::move(weights) : make_weight_cache();
  executable.batch = batch;
  executable.threads = options.threads > 0 ? options.threads : omp_get_max_threads();
  // Primitives lay out their scratch memory for the thread count at creation.
  const ThreadScope scope(executable.threads);
  lower(executable, options.keep_values);
  place_buffers(executable, options.keep_values);
  return std::make_shared<ProgramImpl>(std::move(executable));
}

std::string isa_name() {
  switch (kernels::detect_isa()) {
    case kernels::Isa::kAvx512Vnni:
      return "avx512_vnni";
    case kernels::Isa::kAvx512:
      return "avx512";
    case kernels::Isa::kAvx2:
      return "avx2";
    case kernels::Isa::kBaseline:
      break;
  }
  return "x86_64";
}

}  // namespace xinfer::cpu
