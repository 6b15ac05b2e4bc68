#pragma once
// Weights rearranged for primitives, kept once for all programs of an engine.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cpu/dnnl_api.h"
#include "cpu/program.h"
#include "xinfer/core/tensor.h"

namespace xinfer::cpu {

/// Keyed by the constant's memory and what became of it. Holds the source alive, so that an address is never reused
/// while its entry stands. Thread-safe.
class WeightCache {
 public:
  /// `source` (described by `from`) in the layout `to`; `source` itself, uncopied, when they are the same.
  dnnl_api::Memory reordered(const Tensor& source, const dnnl_api::MemoryDesc& from, const dnnl_api::MemoryDesc& to);

  /// Whatever `make` builds from `source`; `key` tells apart the things built from one source and must name T's kind.
  template <class T>
  std::shared_ptr<const T> get(const Tensor& source, const std::string& key, const std::function<T()>& make) {
    const std::lock_guard lock(mutex_);
    auto& slot = objects_[source.raw()][key];
    if (!slot.object) slot = {source, std::make_shared<const T>(make())};
    return std::static_pointer_cast<const T>(slot.object);
  }

 private:
  struct Object {
    Tensor source;
    std::shared_ptr<const void> object;
  };
  struct Reordered {
    Tensor source;
    dnnl_api::MemoryDesc from, to;
    dnnl_api::Memory memory;
  };
  std::mutex mutex_;
  std::unordered_map<const void*, std::unordered_map<std::string, Object>> objects_;
  std::unordered_map<const void*, std::vector<Reordered>> reordered_;
};

}  // namespace xinfer::cpu
