#pragma once
// Copies between strided views: the core of every operation that only moves data.

#include <cstddef>

#include "cpu/layout.h"

namespace xinfer::cpu {

/// Row-major strides in elements.
Dims dense_strides(const Dims& dims);

/// Strides of a tensor of shape `dims` read as `target` (numpy broadcasting): 0 along repeated axes.
Dims broadcast_strides(const Dims& dims, const Dims& target);

/// A copy of a block of `dims` elements from one strided place to another, prepared once: axes that lie alike in both
/// are merged, and contiguous ones are copied as runs.
class StridedCopy {
 public:
  StridedCopy() = default;
  StridedCopy(const Dims& dims, const Dims& source_strides, const Dims& target_strides, std::size_t element_size);
  /// Offsets are in elements. Parallel over the outermost axes where there is enough to do.
  void run(const void* source, std::int64_t source_offset, void* target, std::int64_t target_offset) const;

 private:
  void copy_block(const std::byte* source, std::byte* target, std::size_t axis) const;
  void copy_run(const std::byte* source, std::byte* target) const;

  Dims dims_, source_, target_;  ///< of the outer axes; strides in bytes
  std::int64_t run_ = 0;         ///< elements of the innermost axis
  std::int64_t run_source_ = 0;  ///< its strides in bytes
  std::int64_t run_target_ = 0;
  std::size_t element_ = 1;
  std::int64_t total_ = 0;
};

}  // namespace xinfer::cpu
