#include "cuda/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cuda/host_format.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

/// Hands out pieces of one allocation.
class Carver {
 public:
  std::size_t take(std::size_t bytes) {
    const std::size_t at = end_;
    end_ += (bytes + kAddressUnit - 1) / kAddressUnit * kAddressUnit;
    return at;
  }
  std::size_t end() const { return end_; }

 private:
  std::size_t end_ = 0;
};

std::size_t tensor_bytes(const ir::Value& value, std::int64_t batch) {
  return static_cast<std::size_t>(element_count(value.shape.at(batch))) * xinfer::size_of(value.dtype);
}

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

}  // namespace

Context::Context(std::shared_ptr<const LoadedProgram> program)
    : program_(std::move(program)),
      stream_(program_->state()->device()),
      host_calls_(program_->program(), program_->state()->device()) {
  const Program& p = program_->program();
  const ir::Graph& graph = *p.graph;
  Carver device, host;
  device.take(p.arena_bytes);
  const std::size_t scratch = device.take(p.scratch_bytes);
  const std::size_t state_begin = device.end();
  std::vector<std::size_t> states, inputs, outputs;
  for (const Item& item : p.items) states.push_back(device.take(item.step->state_bytes));
  const std::size_t state_end = device.end();
  for (const ir::ValueId id : graph.inputs()) {
    inputs.push_back(device.take(tensor_bytes(graph.value(id), p.batch)));
    pinned_inputs_.push_back(host.take(tensor_bytes(graph.value(id), p.batch)));
  }
  for (const ir::ValueId id : graph.outputs()) {
    outputs.push_back(device.take(tensor_bytes(graph.value(id), p.batch)));
    pinned_outputs_.push_back(host.take(tensor_bytes(graph.value(id), p.batch)));
  }
  const gpu::DevicePtr& gpu_device = program_->state()->device();
  arena_ = gpu::DeviceBuffer(gpu_device, std::max(device.end(), kAddressUnit));
  pinned_bytes_ = std::max(host.end(), kAddressUnit);
  scratch_ = arena_.pointer() + scratch;
  for (const std::size_t at : states) states_.push_back(arena_.pointer() + at);
  for (const std::size_t at : inputs) staged_inputs_.push_back(arena_.pointer() + at);
  for (const std::size_t at : outputs) staged_outputs_.push_back(arena_.pointer() + at);
  gpu::fill_zero(stream_, arena_.pointer() + state_begin, state_end - state_begin);
  stream_.synchronize();
}

gpu::DevicePointer Context::address(int buffer, const Binding& binding) const {
  if (buffer < 0) return 0;
  const Program& p = program_->program();
  const Program::Place place = p.place_of(buffer);
  const Buffer& root = p.buffers[static_cast<std::size_t>(place.root)];
  switch (root.home) {
    case Buffer::Home::kArena:
      return arena_.pointer() + root.offset + place.offset;
    case Buffer::Home::kInput:
      return binding.inputs[root.index] + place.offset;
    case Buffer::Home::kOutput:
      return binding.outputs[root.index] + place.offset;
    case Buffer::Home::kConstant:
      return program_->constants_[root.index] + place.offset;
  }
  throw std::logic_error("a buffer without a home");
}

Context::Binding& Context::binding(std::span<const gpu::DevicePointer> inputs,
                                   std::span<const gpu::DevicePointer> outputs) {
  const auto found = std::find_if(bindings_.begin(), bindings_.end(), [&](const auto& b) {
    return std::ranges::equal(b->inputs, inputs) && std::ranges::equal(b->outputs, outputs);
  });
  if (found != bindings_.end()) {
    std::rotate(bindings_.begin(), found, found + 1);
    return *bindings_.front();
  }
  const Program& p = program_->program();
  auto made = std::make_unique<Binding>();
  made->inputs.assign(inputs.begin(), inputs.end());
  made->outputs.assign(outputs.begin(), outputs.end());
  bool after_host = false;
  for (std::size_t i = 0; i < p.items.size(); ++i) {
    const Item& item = p.items[i];
    std::vector<gpu::DevicePointer> in, out;
    for (const int buffer : item.inputs) in.push_back(address(buffer, *made));
    for (const int buffer : item.outputs) out.push_back(address(buffer, *made));
    made->launches.emplace_back();
    if (item.step->alias) continue;
    after_host = after_host || item.step->on_host;
    const Frame frame{in,       out,        program_->items_[i].residents,
                      scratch_, states_[i], program_->state()->device()->info().sm_count};
    item.step->launch(frame, made->launches.back());
    if (made->launches.back().empty()) continue;
    if (after_host) made->launches.back().front().dependent = false;  // a copy precedes it, not a kernel
    after_host = false;
  }
  if (bindings_.size() >= kMaxBindings) {
    stream_.synchronize();
    bindings_.pop_back();
  }
  bindings_.insert(bindings_.begin(), std::move(made));
  return *bindings_.front();
}

void Context::launch_item(std::size_t item, const Binding& binding, gpu::Stream& stream, Start start) {
  if (host_calls_.has(item)) {
    std::vector<gpu::DevicePointer> in, out;
    for (const int buffer : program_->program().items[item].inputs) in.push_back(address(buffer, binding));
    for (const int buffer : program_->program().items[item].outputs) out.push_back(address(buffer, binding));
    host_calls_.enqueue(item, in, out, stream);
    return;
  }
  bool first = true;
  for (gpu::Launch launch : binding.launches[item]) {
    if (std::exchange(first, false) && start == Start::kAfterPrevious) launch.dependent = false;
    program_->items_[item].kernels.at(launch.kernel)->launch(stream, launch);
  }
}

void Context::enqueue(gpu::Stream& stream, std::span<const gpu::DevicePointer> inputs,
                      std::span<const gpu::DevicePointer> outputs) {
  for (const gpu::DevicePointer pointer : inputs) {
    if (pointer % 16 != 0) throw EngineError("an input's device address is not a multiple of 16");
  }
  for (const gpu::DevicePointer pointer : outputs) {
    if (pointer % 16 != 0) throw EngineError("an output's device address is not a multiple of 16");
  }
  host_calls_.check();
  Binding& bound = binding(inputs, outputs);
  if (!bound.graph.ready()) {
    bound.graph = gpu::Graph::capture(stream_, [&] {
      for (std::size_t i = 0; i < bound.launches.size(); ++i) launch_item(i, bound, stream_, Start::kEarly);
    });
  }
  bound.graph.launch(stream);
  host_calls_.enqueued_all(stream);
}

void Context::upload(std::span<const Tensor> inputs) {
  if (pinned_.bytes() == 0) pinned_ = gpu::PinnedBuffer(program_->state()->device(), pinned_bytes_);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::byte* staging = pinned_.data() + pinned_inputs_[i];
    std::memcpy(staging, inputs[i].raw(), inputs[i].bytes());
    gpu::copy_to_device(stream_, staged_inputs_[i], staging, inputs[i].bytes());
  }
}

void Context::run(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  const Program& p = program_->program();
  const auto check = [&](const Tensor& tensor, ir::ValueId id) {
    const ir::Value& value = p.graph->value(id);
    if (tensor.empty() || tensor.dtype() != value.dtype || tensor.shape() != value.shape.at(p.batch)) {
      throw EngineError(fmt::format("'{}' must be {} of shape {}", value.name, xinfer::name_of(value.dtype),
                                    xinfer::to_string(value.shape.at(p.batch))));
    }
  };
  if (inputs.size() != p.graph->inputs().size() || outputs.size() != p.graph->outputs().size()) {
    throw EngineError("the number of inputs or outputs is not the graph's");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) check(inputs[i], p.graph->inputs()[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) check(outputs[i], p.graph->outputs()[i]);
  upload(inputs);
  enqueue(stream_, staged_inputs_, staged_outputs_);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    gpu::copy_to_host(stream_, pinned_.data() + pinned_outputs_[i], staged_outputs_[i], outputs[i].bytes());
  }
  stream_.synchronize();
  host_calls_.check();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::memcpy(outputs[i].raw(), pinned_.data() + pinned_outputs_[i], outputs[i].bytes());
  }
}

std::vector<double> Context::profile(std::span<const gpu::DevicePointer> inputs,
                                     std::span<const gpu::DevicePointer> outputs) {
  constexpr int kRepeats = 9;
  const Program& p = program_->program();
  const gpu::DevicePtr& device = program_->state()->device();
  const Binding& bound = binding(inputs, outputs);
  std::vector<std::size_t> working;
  for (std::size_t i = 0; i < p.items.size(); ++i) {
    if (!bound.launches[i].empty() || host_calls_.has(i)) working.push_back(i);
  }
  std::vector<gpu::Event> events;
  for (std::size_t i = 0; i <= working.size(); ++i) events.emplace_back(device);
  // As one graph, so that no launch by the host lies between two events: at batch 1 that takes longer than a kernel.
  const gpu::Graph graph = gpu::Graph::capture(stream_, [&] {
    events[0].record_in_graph(stream_);
    for (std::size_t i = 0; i < working.size(); ++i) {
      launch_item(working[i], bound, stream_, Start::kAfterPrevious);
      events[i + 1].record_in_graph(stream_);
    }
  });
  std::vector<std::vector<double>> samples(working.size());
  for (int repeat = 0; repeat <= kRepeats; ++repeat) {  // the first warms up
    graph.launch(stream_);
    host_calls_.enqueued_all(stream_);
    stream_.synchronize();
    host_calls_.check();
    for (std::size_t i = 0; repeat > 0 && i < working.size(); ++i) {
      samples[i].push_back(events[i].elapsed_us(events[i + 1]));
    }
  }
  std::vector<double> result(p.infos.size(), 0.0);
  for (std::size_t i = 0; i < working.size(); ++i) result[p.items[working[i]].info] += median(samples[i]);
  return result;
}

double Context::time(int repeats) {
  const gpu::DevicePtr& device = program_->state()->device();
  std::vector<double> samples;
  gpu::Event begin(device), end(device);
  for (int i = 0; i < 3; ++i) enqueue(stream_, staged_inputs_, staged_outputs_);
  for (int i = 0; i < std::max(1, repeats); ++i) {
    begin.record(stream_);
    enqueue(stream_, staged_inputs_, staged_outputs_);
    end.record(stream_);
    stream_.synchronize();
    samples.push_back(begin.elapsed_us(end));
  }
  return median(std::move(samples));
}

Tensor Context::read(const Visible& visible) {
  const Program& p = program_->program();
  const ir::Value& value = p.graph->value(visible.value);
  std::vector<std::byte> bytes(bytes_of(value.shape.at(p.batch), visible.format));
  gpu::copy_to_host(stream_, bytes.data(), address(visible.buffer, own_binding()), bytes.size());
  stream_.synchronize();
  return decode(bytes, value.dtype, value.shape.at(p.batch), visible.format);
}

}  // namespace xinfer::cuda
