#pragma once
// A CUDA device and what lives on it: streams, events, memory. The driver is loaded at run time, so programs start on
// machines without one. Everything here throws DeviceError with the driver's reason.
//
// Each call makes the device's primary context (the one that the CUDA runtime and the frameworks on it use) current on
// the calling thread and leaves it so. Objects keep their device alive. Unless said otherwise, one object is used by
// one thread at a time; different objects may be used at once.

#include <cstddef>
#include <memory>
#include <string>

#include "gpu/arch.h"
#include "gpu/launch.h"

namespace xinfer::gpu {

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int sm_count = 0;
  std::size_t shared_limit = 0;  ///< bytes of shared memory that one block may opt in to
  std::size_t l2_bytes = 0;
  std::size_t total_memory = 0;  ///< bytes
  int clock_khz = 0;             ///< highest clock of the multiprocessors; 0 where the driver doesn't say
  int memory_clock_khz = 0;      ///< the same of the memory
  int memory_bus_bits = 0;       ///< width of the way to the memory; 0 where the driver doesn't say
  int driver_version = 0;        ///< newest CUDA that the driver supports, 1000 * major + 10 * minor
};

/// 0 where there is no driver or no GPU; never throws.
int device_count();
/// Empty when device_count() > 0, else the reason.
std::string why_no_device();

/// Thread-safe.
class Device {
 public:
  /// The device of this index, shared by all who open it. Throws DeviceError where there is none or it is older than
  /// compute capability 7.5.
  static std::shared_ptr<const Device> open(int index = 0);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceInfo& info() const { return info_; }
  int index() const { return index_; }
  /// What kernels for it are compiled for.
  Arch arch() const { return best_arch(info_.major, info_.minor); }
  void make_current() const;
  /// The same for destructors: false where it failed.
  bool try_make_current() const noexcept;
  /// Bytes of device memory that nobody has allocated.
  std::size_t free_memory() const;

 private:
  explicit Device(int index);
  int index_;
  int handle_ = 0;  // CUdevice
  DeviceInfo info_;
  void* context_ = nullptr;
};

using DevicePtr = std::shared_ptr<const Device>;

class Event;

/// An ordered queue of work.
class Stream {
 public:
  /// A new one that does not wait for the legacy default stream.
  explicit Stream(DevicePtr device);
  /// A caller's CUstream (or cudaStream_t) of the device's primary context, which must outlive the object.
  static Stream borrow(DevicePtr device, void* handle);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  /// Waits until all work has finished; throws what went wrong in it.
  void synchronize();
  /// Work enqueued from now on waits until `event`, as last recorded, has happened. Does not block.
  void wait(const Event& event);
  /// The CUstream.
  void* handle() const { return handle_; }
  const DevicePtr& device() const { return device_; }

 private:
  Stream(DevicePtr device, void* handle) : device_(std::move(device)), handle_(handle) {}
  void destroy() noexcept;
  DevicePtr device_;
  void* handle_ = nullptr;
  bool owned_ = false;
};

/// A point in a stream's work.
class Event {
 public:
  /// Without `timing` it is cheaper, and elapsed_us() throws.
  explicit Event(DevicePtr device, bool timing = true);
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;
  ~Event();

  void record(Stream& stream);
  /// Within Graph::capture() of `stream`: each launch of the graph will record the event when it gets there.
  void record_in_graph(Stream& stream);
  void synchronize();
  /// Microseconds from this event to `later`; waits for both.
  double elapsed_us(Event& later);
  void* handle() const { return handle_; }

 private:
  DevicePtr device_;
  void* handle_ = nullptr;
};

/// Device memory, at an address that is a multiple of 256. Empty objects and zero bytes have address 0.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(DevicePtr device, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&&) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&&) noexcept;
  ~DeviceBuffer();

  DevicePointer pointer() const { return pointer_; }
  std::size_t bytes() const { return bytes_; }

 private:
  DevicePtr device_;
  DevicePointer pointer_ = 0;
  std::size_t bytes_ = 0;
};

/// Host memory that the device copies from and to at full speed and without blocking.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  PinnedBuffer(DevicePtr device, std::size_t bytes);
  PinnedBuffer(PinnedBuffer&&) noexcept;
  PinnedBuffer& operator=(PinnedBuffer&&) noexcept;
  ~PinnedBuffer();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  DevicePtr device_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Enqueue and return; the host memory must stay as it is until the stream has got there (pageable memory is copied to
// the device's staging area before the call returns, but results arrive only at synchronize()). Zero bytes do nothing.
void copy_to_device(Stream& stream, DevicePointer to, const void* from, std::size_t bytes);
void copy_to_host(Stream& stream, void* to, DevicePointer from, std::size_t bytes);
void copy_on_device(Stream& stream, DevicePointer to, DevicePointer from, std::size_t bytes);
void fill_zero(Stream& stream, DevicePointer pointer, std::size_t bytes);

/// Enqueues a call of `function(data)` on a thread of the driver's and returns; later work of the stream waits until it
/// has returned. It must neither throw nor use a GPU. In a recording (graph.h) it is called at each launch.
void call_on_host(Stream& stream, void (*function)(void*), void* data);

}  // namespace xinfer::gpu
