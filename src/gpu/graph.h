#pragma once
// Graph: a recorded sequence of launches and copies that is enqueued in one call (a CUDA graph).

#include <cstddef>
#include <functional>

#include "gpu/device.h"

namespace xinfer::gpu {

/// May be launched on any stream of its device, by one thread at a time; launches of one graph run one after another.
class Graph {
 public:
  Graph() = default;
  /// Records what `enqueue` enqueues on `stream`, which must not be the legacy default stream; nothing runs yet. Other
  /// threads may use the device meanwhile. What `enqueue` throws is passed on.
  static Graph capture(Stream& stream, const std::function<void()>& enqueue);
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;
  ~Graph();

  void launch(Stream& stream) const;
  /// False before capture() and after a move.
  bool ready() const { return exec_ != nullptr; }
  std::size_t node_count() const { return nodes_; }

 private:
  DevicePtr device_;
  void* exec_ = nullptr;
  std::size_t nodes_ = 0;
};

}  // namespace xinfer::gpu
