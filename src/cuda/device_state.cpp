#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <unordered_set>

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

void DeviceState::prepare(std::span<const Resident* const> residents) {
  std::vector<const Resident*> missing;
  {
    const std::lock_guard lock(mutex_);
    std::unordered_set<std::string_view> seen;
    for (const Resident* resident : residents) {
      if (!residents_.contains(resident->key) && seen.insert(resident->key).second) missing.push_back(resident);
    }
  }
  std::atomic<std::size_t> next = 0;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < missing.size(); i = next++) upload(*missing[i], missing[i]->make());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error = std::current_exception();
    }
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(cores, missing.size()); ++i) threads.emplace_back(work);
  work();
  threads.clear();  // joins
  if (error) std::rethrow_exception(error);
}

void DeviceState::upload(const Resident& resident, const std::vector<std::byte>& bytes) {
  const std::lock_guard lock(mutex_);
  if (residents_.contains(resident.key)) return;  // another thread was quicker
  gpu::DeviceBuffer buffer(device_, std::max<std::size_t>(bytes.size(), 16));
  gpu::copy_to_device(upload_, buffer.pointer(), bytes.data(), bytes.size());
  upload_.synchronize();
  residents_.emplace(resident.key, std::move(buffer));
}

gpu::DevicePointer DeviceState::resident(const Resident& resident) {
  const Resident* one = &resident;
  prepare(std::span(&one, 1));
  const std::lock_guard lock(mutex_);
  return residents_.at(resident.key).pointer();
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
  std::vector<const Resident*> residents;
  for (const Item& item : program_->items) {
    for (const Resident& resident : item.step->residents) residents.push_back(&resident);
  }
  for (const Resident& constant : program_->constants) residents.push_back(&constant);
  state_->prepare(residents);
  for (const Item& item : program_->items) {
    LoadedItem loaded;
    for (const gpu::KernelSource& source : item.step->kernels) loaded.kernels.push_back(state_->kernel(source));
    for (const Resident& resident : item.step->residents) loaded.residents.push_back(state_->resident(resident));
    items_.push_back(std::move(loaded));
  }
  for (const Resident& constant : program_->constants) constants_.push_back(state_->resident(constant));
}

}  // namespace xinfer::cuda
