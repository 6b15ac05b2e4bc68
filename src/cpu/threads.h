#pragma once
// How many threads OpenMP gives to the code in a scope.

#include <omp.h>

namespace xinfer::cpu {

/// Sets the calling thread's OpenMP thread count and restores it at the end of the scope.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace xinfer::cpu
