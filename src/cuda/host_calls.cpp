#include "cuda/host_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

constexpr std::size_t kAlignment = 256;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

HostCalls::HostCalls(const Program& program, const gpu::DevicePtr& device) : program_(program) {
  const auto bytes_of = [&](int buffer) {
    return buffer < 0 ? 0 : program_.buffers[static_cast<std::size_t>(buffer)].bytes;
  };
  const auto on_host = [](const Item& item) { return item.step->on_host; };
  if (std::none_of(program.items.begin(), program.items.end(), on_host)) return;
  std::size_t most = 0;
  for (const Item& item : program.items) {
    calls_.push_back(nullptr);
    if (!on_host(item)) continue;
    calls_.back() = std::make_unique<Call>();
    Call& call = *calls_.back();
    call.owner = this;
    call.step = item.step.get();
    call.info = &program.infos[item.info];
    std::size_t end = 0;
    for (const int buffer : item.inputs) end += aligned(call.input_bytes.emplace_back(bytes_of(buffer)));
    for (const int buffer : item.outputs) end += aligned(call.output_bytes.emplace_back(bytes_of(buffer)));
    most = std::max(most, end);
  }
  staging_ = gpu::PinnedBuffer(device, std::max(most, kAlignment));
  last_run_.emplace(device, false);
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i] == nullptr) continue;
    std::byte* at = staging_.data();
    const auto take = [&](int buffer) { return std::exchange(at, at + aligned(bytes_of(buffer))); };
    for (const int buffer : program.items[i].inputs) {
      calls_[i]->frame.inputs.push_back(buffer < 0 ? nullptr : take(buffer));
    }
    for (const int buffer : program.items[i].outputs) calls_[i]->frame.outputs.push_back(take(buffer));
  }
}

HostCalls::~HostCalls() {
  if (!last_run_) return;
  try {
    last_run_->synchronize();
  } catch (const DeviceError&) {
    // A destructor can't tell; whoever uses the stream gets the same error.
  }
}

void HostCalls::enqueue(std::size_t item, std::span<const gpu::DevicePointer> inputs,
                        std::span<const gpu::DevicePointer> outputs, gpu::Stream& stream) {
  Call& call = *calls_.at(item);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    gpu::copy_to_host(stream, call.frame.inputs[i], inputs[i], call.input_bytes[i]);
  }
  gpu::call_on_host(stream, &HostCalls::run, &call);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    gpu::copy_to_device(stream, outputs[i], call.frame.outputs[i], call.output_bytes[i]);
  }
}

void HostCalls::enqueued_all(gpu::Stream& stream) {
  if (last_run_) last_run_->record(stream);
}

void HostCalls::check() {
  std::exception_ptr failure;
  {
    const std::lock_guard lock(mutex_);
    failure = std::exchange(failure_, nullptr);
  }
  if (failure) std::rethrow_exception(failure);
}

void HostCalls::run(void* data) noexcept {
  const Call& call = *static_cast<const Call*>(data);
  const auto keep = [&](std::exception_ptr failure) {
    const std::lock_guard lock(call.owner->mutex_);
    if (!call.owner->failure_) call.owner->failure_ = std::move(failure);
  };
  try {
    call.step->run_on_host(call.frame);
  } catch (const std::exception& error) {
    keep(std::make_exception_ptr(
        EngineError(fmt::format("node '{}' failed on the host: {}", call.info->node, error.what()))));
  }
}

}  // namespace xinfer::cuda
