// Device and pinned memory, copies, and calls on the host between them.
#include <fmt/format.h>

#include <utility>

#include "gpu/device.h"
#include "gpu/driver_api.h"

namespace xinfer::gpu {

DeviceBuffer::DeviceBuffer(DevicePtr device, std::size_t bytes) : device_(std::move(device)), bytes_(bytes) {
  if (bytes == 0) return;
  device_->make_current();
  check(driver().cuMemAlloc_v2(&pointer_, bytes), "cuMemAlloc",
        fmt::format("{} bytes on {}", bytes, device_->info().name));
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(std::move(other.device_)),
      pointer_(std::exchange(other.pointer_, 0)),
      bytes_(std::exchange(other.bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  DeviceBuffer taken(std::move(other));
  std::swap(device_, taken.device_);
  std::swap(pointer_, taken.pointer_);
  std::swap(bytes_, taken.bytes_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (pointer_ != 0 && device_->try_make_current()) (void)driver().cuMemFree_v2(pointer_);
}

PinnedBuffer::PinnedBuffer(DevicePtr device, std::size_t bytes) : device_(std::move(device)), bytes_(bytes) {
  if (bytes == 0) return;
  device_->make_current();
  void* data = nullptr;
  check(driver().cuMemHostAlloc(&data, bytes, 0), "cuMemHostAlloc", fmt::format("{} bytes of host memory", bytes));
  data_ = static_cast<std::byte*>(data);
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : device_(std::move(other.device_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  PinnedBuffer taken(std::move(other));
  std::swap(device_, taken.device_);
  std::swap(data_, taken.data_);
  std::swap(bytes_, taken.bytes_);
  return *this;
}

PinnedBuffer::~PinnedBuffer() {
  if (data_ != nullptr && device_->try_make_current()) (void)driver().cuMemFreeHost(data_);
}

void copy_to_device(Stream& stream, DevicePointer to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  stream.device()->make_current();
  check(driver().cuMemcpyHtoDAsync_v2(to, from, bytes, stream.handle()), "cuMemcpyHtoDAsync");
}

void copy_to_host(Stream& stream, void* to, DevicePointer from, std::size_t bytes) {
  if (bytes == 0) return;
  stream.device()->make_current();
  check(driver().cuMemcpyDtoHAsync_v2(to, from, bytes, stream.handle()), "cuMemcpyDtoHAsync");
}

void copy_on_device(Stream& stream, DevicePointer to, DevicePointer from, std::size_t bytes) {
  if (bytes == 0) return;
  stream.device()->make_current();
  check(driver().cuMemcpyDtoDAsync_v2(to, from, bytes, stream.handle()), "cuMemcpyDtoDAsync");
}

void fill_zero(Stream& stream, DevicePointer pointer, std::size_t bytes) {
  if (bytes == 0) return;
  stream.device()->make_current();
  check(driver().cuMemsetD8Async(pointer, 0, bytes, stream.handle()), "cuMemsetD8Async");
}

void call_on_host(Stream& stream, void (*function)(void*), void* data) {
  stream.device()->make_current();
  check(driver().cuLaunchHostFunc(stream.handle(), function, data), "cuLaunchHostFunc");
}

}  // namespace xinfer::gpu
