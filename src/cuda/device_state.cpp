#include <algorithm>

#include "cuda/executor.h"

namespace xinfer::cuda {

DeviceState::DeviceState(gpu::DevicePtr device, std::shared_ptr<gpu::Compiler> compiler)
    : device_(std::move(device)), compiler_(std::move(compiler)), upload_(device_) {}

Target DeviceState::target() const {
  const gpu::DeviceInfo& info = device_->info();
  return {device_->arch(), info.sm_count, info.shared_limit};
}

std::shared_ptr<const gpu::LoadedKernel> DeviceState::kernel(const gpu::KernelSource& source) {
  const std::string key = gpu::hash_of(source);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = kernels_.find(key); found != kernels_.end()) return found->second;
  }
  auto kernel = gpu::load(device_, compiler_->get(source, device_->arch()), source.entry);
  const std::lock_guard lock(mutex_);
  return kernels_.emplace(key, std::move(kernel)).first->second;
}

gpu::DevicePointer DeviceState::resident(const Resident& resident) {
  const std::lock_guard lock(mutex_);
  if (const auto found = residents_.find(resident.key); found != residents_.end()) return found->second.pointer();
  const std::vector<std::byte> bytes = resident.make();
  gpu::DeviceBuffer buffer(device_, std::max<std::size_t>(bytes.size(), 16));
  gpu::copy_to_device(upload_, buffer.pointer(), bytes.data(), bytes.size());
  upload_.synchronize();
  return residents_.emplace(resident.key, std::move(buffer)).first->second.pointer();
}

std::size_t DeviceState::resident_bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t total = 0;
  for (const auto& [key, buffer] : residents_) total += buffer.bytes();
  return total;
}

LoadedProgram::LoadedProgram(std::shared_ptr<const Program> program, std::shared_ptr<DeviceState> state)
    : program_(std::move(program)), state_(std::move(state)) {
  state_->compiler().get_all(program_->kernels(), state_->device()->arch());
  for (const Item& item : program_->items) {
    LoadedItem loaded;
    for (const gpu::KernelSource& source : item.step->kernels) loaded.kernels.push_back(state_->kernel(source));
    for (const Resident& resident : item.step->residents) loaded.residents.push_back(state_->resident(resident));
    items_.push_back(std::move(loaded));
  }
  for (const Resident& constant : program_->constants) constants_.push_back(state_->resident(constant));
}

}  // namespace xinfer::cuda
