#include "gpu/device.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <utility>

#include "gpu/driver_api.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

int count(std::string& why) {
  const DriverApi* api = find_driver(&why);
  if (api == nullptr) return 0;
  int devices = 0;
  if (api->cuDeviceGetCount(&devices) != cu::kSuccess || devices == 0) {
    why = "the NVIDIA driver sees no GPU";
    return 0;
  }
  return devices;
}

DeviceInfo describe(int device) {
  const DriverApi& api = driver();
  const auto attribute = [&](int id) {
    int value = 0;
    check(api.cuDeviceGetAttribute(&value, id, device), "cuDeviceGetAttribute");
    return value;
  };
  const auto attribute_or_zero = [&](int id) {
    int value = 0;
    return api.cuDeviceGetAttribute(&value, id, device) == cu::kSuccess ? value : 0;
  };
  DeviceInfo info;
  char name[256] = {};
  check(api.cuDeviceGetName(name, sizeof(name), device), "cuDeviceGetName");
  info.name = name;
  info.major = attribute(cu::kComputeCapabilityMajor);
  info.minor = attribute(cu::kComputeCapabilityMinor);
  info.sm_count = attribute(cu::kMultiprocessorCount);
  info.shared_limit = static_cast<std::size_t>(attribute(cu::kMaxSharedMemoryPerBlockOptin));
  info.l2_bytes = static_cast<std::size_t>(attribute(cu::kL2CacheSize));
  info.clock_khz = attribute_or_zero(cu::kClockRate);
  info.memory_clock_khz = attribute_or_zero(cu::kMemoryClockRate);
  info.memory_bus_bits = attribute_or_zero(cu::kGlobalMemoryBusWidth);
  check(api.cuDeviceTotalMem_v2(&info.total_memory, device), "cuDeviceTotalMem");
  check(api.cuDriverGetVersion(&info.driver_version), "cuDriverGetVersion");
  return info;
}

}  // namespace

int device_count() {
  std::string why;
  return count(why);
}

std::string why_no_device() {
  std::string why;
  return count(why) > 0 ? "" : why;
}

std::shared_ptr<const Device> Device::open(int index) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<const Device>> opened;
  const std::scoped_lock lock(mutex);
  if (std::shared_ptr<const Device> device = opened[index].lock()) return device;
  std::string why;
  const int devices = count(why);
  if (devices == 0) throw DeviceError("no GPU can be used: " + why, "`xinfer doctor` shows what was found");
  if (index < 0 || index >= devices) {
    throw DeviceError(fmt::format("there is no GPU {}: this machine has {}, counted from 0", index, devices));
  }
  const std::shared_ptr<const Device> device(new Device(index));
  opened[index] = device;
  return device;
}

Device::Device(int index) : index_(index) {
  check(driver().cuDeviceGet(&handle_, index), "cuDeviceGet");
  info_ = describe(handle_);
  if (10 * info_.major + info_.minor < 75) {
    throw DeviceError(
        fmt::format("GPU {} ({}) has compute capability {}.{}", index, info_.name, info_.major, info_.minor),
        "compute capability 7.5 (Turing) is the oldest");
  }
  check(driver().cuDevicePrimaryCtxRetain(&context_, handle_), "cuDevicePrimaryCtxRetain", info_.name);
}

// Destructors can't report a failure; the driver frees what is left when the process ends.
Device::~Device() { (void)driver().cuDevicePrimaryCtxRelease_v2(handle_); }

void Device::make_current() const { check(driver().cuCtxSetCurrent(context_), "cuCtxSetCurrent", info_.name); }

bool Device::try_make_current() const noexcept { return driver().cuCtxSetCurrent(context_) == cu::kSuccess; }

std::size_t Device::free_memory() const {
  make_current();
  std::size_t free = 0;
  std::size_t total = 0;
  check(driver().cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
  return free;
}

Stream::Stream(DevicePtr device) : device_(std::move(device)), owned_(true) {
  device_->make_current();
  check(driver().cuStreamCreate(&handle_, cu::kStreamNonBlocking), "cuStreamCreate");
}

Stream Stream::borrow(DevicePtr device, void* handle) { return {std::move(device), handle}; }

Stream::Stream(Stream&& other) noexcept
    : device_(std::move(other.device_)),
      handle_(std::exchange(other.handle_, nullptr)),
      owned_(std::exchange(other.owned_, false)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    destroy();
    device_ = std::move(other.device_);
    handle_ = std::exchange(other.handle_, nullptr);
    owned_ = std::exchange(other.owned_, false);
  }
  return *this;
}

Stream::~Stream() { destroy(); }

void Stream::destroy() noexcept {
  if (owned_ && device_->try_make_current())
    (void)driver().cuStreamDestroy_v2(handle_);  // work under way still finishes
}

void Stream::synchronize() {
  device_->make_current();
  check(driver().cuStreamSynchronize(handle_), "cuStreamSynchronize", "in work enqueued earlier");
}

void Stream::wait(const Event& event) {
  device_->make_current();
  check(driver().cuStreamWaitEvent(handle_, event.handle(), 0), "cuStreamWaitEvent");
}

Event::Event(DevicePtr device, bool timing) : device_(std::move(device)) {
  device_->make_current();
  check(driver().cuEventCreate(&handle_, timing ? cu::kEventDefault : cu::kEventDisableTiming), "cuEventCreate");
}

Event::Event(Event&& other) noexcept
    : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  return *this;
}

Event::~Event() {
  if (handle_ != nullptr && device_->try_make_current()) (void)driver().cuEventDestroy_v2(handle_);
}

void Event::record(Stream& stream) {
  device_->make_current();
  check(driver().cuEventRecord(handle_, stream.handle()), "cuEventRecord");
}

void Event::record_in_graph(Stream& stream) {
  device_->make_current();
  check(driver().cuEventRecordWithFlags(handle_, stream.handle(), cu::kEventRecordExternal), "cuEventRecordWithFlags");
}

void Event::synchronize() {
  device_->make_current();
  check(driver().cuEventSynchronize(handle_), "cuEventSynchronize", "in work enqueued earlier");
}

double Event::elapsed_us(Event& later) {
  synchronize();
  later.synchronize();
  float milliseconds = 0;
  check(driver().cuEventElapsedTime(&milliseconds, handle_, later.handle_), "cuEventElapsedTime");
  return 1e3 * static_cast<double>(milliseconds);
}

}  // namespace xinfer::gpu
