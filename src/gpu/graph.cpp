#include "gpu/graph.h"

#include <utility>

#include "gpu/driver_api.h"

namespace xinfer::gpu {
namespace {

/// A CUgraph, needed only until it is instantiated.
class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() {
    if (handle != nullptr) (void)driver().cuGraphDestroy(handle);
  }
  void* handle = nullptr;
};

}  // namespace

Graph Graph::capture(Stream& stream, const std::function<void()>& enqueue) {
  const DriverApi& api = driver();
  stream.device()->make_current();
  check(api.cuStreamBeginCapture_v2(stream.handle(), cu::kCaptureModeThreadLocal), "cuStreamBeginCapture");
  Recording recording;
  try {
    enqueue();
  } catch (...) {
    (void)api.cuStreamEndCapture(stream.handle(), &recording.handle);  // the first error is the one to tell
    throw;
  }
  check(api.cuStreamEndCapture(stream.handle(), &recording.handle), "cuStreamEndCapture");
  Graph graph;
  graph.device_ = stream.device();
  check(api.cuGraphGetNodes(recording.handle, nullptr, &graph.nodes_), "cuGraphGetNodes");
  check(api.cuGraphInstantiateWithFlags(&graph.exec_, recording.handle, 0), "cuGraphInstantiate");
  return graph;
}

Graph::Graph(Graph&& other) noexcept
    : device_(std::move(other.device_)),
      exec_(std::exchange(other.exec_, nullptr)),
      nodes_(std::exchange(other.nodes_, 0)) {}

Graph& Graph::operator=(Graph&& other) noexcept {
  Graph taken(std::move(other));
  std::swap(device_, taken.device_);
  std::swap(exec_, taken.exec_);
  std::swap(nodes_, taken.nodes_);
  return *this;
}

Graph::~Graph() {
  if (exec_ != nullptr && device_->try_make_current()) (void)driver().cuGraphExecDestroy(exec_);
}

void Graph::launch(Stream& stream) const {
  stream.device()->make_current();
  check(driver().cuGraphLaunch(exec_, stream.handle()), "cuGraphLaunch");
}

}  // namespace xinfer::gpu
