#pragma once
// A loop over independent pieces of work.

#include <cstddef>
#include <functional>

namespace xinfer::quantize {

/// Calls `work(i)` for each i below `count`, on up to `threads` threads (0: one a core). Which thread does what is left
/// open: give pieces whose results don't depend on it. Rethrows the first exception, after all threads have ended.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace xinfer::quantize
