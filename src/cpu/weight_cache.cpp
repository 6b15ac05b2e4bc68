#include "cpu/weight_cache.h"

namespace xinfer::cpu {

dnnl_api::Memory WeightCache::reordered(const Tensor& source, const dnnl_api::MemoryDesc& from,
                                        const dnnl_api::MemoryDesc& to) {
  const std::lock_guard lock(mutex_);
  auto& entries = reordered_[source.raw()];
  for (const Reordered& entry : entries) {
    if (entry.from == from && entry.to == to) return entry.memory;
  }
  // oneDNN takes only mutable handles; it doesn't write through a source's.
  dnnl_api::Memory plain(from, dnnl_api::engine(), const_cast<void*>(source.raw()));
  if (from == to) {
    entries.push_back({source, from, to, plain});
    return plain;
  }
  dnnl_api::Memory packed(to, dnnl_api::engine());
  dnnl_api::reorder_now(plain, packed);
  entries.push_back({source, from, to, packed});
  return packed;
}

std::shared_ptr<WeightCache> make_weight_cache() { return std::make_shared<WeightCache>(); }

}  // namespace xinfer::cpu
