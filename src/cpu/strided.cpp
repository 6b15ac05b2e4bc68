#include "cpu/strided.h"

#include <omp.h>

#include <cstdint>
#include <cstring>

namespace xinfer::cpu {
namespace {

constexpr std::int64_t kParallelBytes = 1 << 16;

template <class T>
void copy_elements(const std::byte* source, std::int64_t source_step, std::byte* target, std::int64_t target_step,
                   std::int64_t count) {
  if (source_step == 0 && target_step == static_cast<std::int64_t>(sizeof(T))) {
    T value;
    std::memcpy(&value, source, sizeof(T));
    auto* to = reinterpret_cast<T*>(target);
    for (std::int64_t i = 0; i < count; ++i) to[i] = value;
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) std::memcpy(target + i * target_step, source + i * source_step, sizeof(T));
}

}  // namespace

Dims dense_strides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

Dims broadcast_strides(const Dims& dims, const Dims& target) {
  const Dims dense = dense_strides(dims);
  Dims strides(target.size(), 0);
  const std::size_t lead = target.size() - dims.size();
  for (std::size_t i = 0; i < dims.size(); ++i) strides[lead + i] = dims[i] == 1 ? 0 : dense[i];
  return strides;
}

StridedCopy::StridedCopy(const Dims& dims, const Dims& source_strides, const Dims& target_strides,
                         std::size_t element_size)
    : element_(element_size), total_(1) {
  Dims merged, source, target;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    total_ *= dims[i];
    if (dims[i] == 1) continue;
    if (!merged.empty() && source.back() == source_strides[i] * dims[i] &&
        target.back() == target_strides[i] * dims[i]) {
      merged.back() *= dims[i];
      source.back() = source_strides[i];
      target.back() = target_strides[i];
    } else {
      merged.push_back(dims[i]);
      source.push_back(source_strides[i]);
      target.push_back(target_strides[i]);
    }
  }
  if (merged.empty()) merged = source = target = {1};
  const auto bytes = static_cast<std::int64_t>(element_size);
  run_ = merged.back();
  run_source_ = source.back() * bytes;
  run_target_ = target.back() * bytes;
  for (std::size_t i = 0; i + 1 < merged.size(); ++i) {
    dims_.push_back(merged[i]);
    source_.push_back(source[i] * bytes);
    target_.push_back(target[i] * bytes);
  }
}

void StridedCopy::copy_run(const std::byte* source, std::byte* target) const {
  const auto bytes = static_cast<std::int64_t>(element_);
  if (run_source_ == bytes && run_target_ == bytes) {
    std::memcpy(target, source, static_cast<std::size_t>(run_ * bytes));
    return;
  }
  switch (element_) {
    case 1:
      copy_elements<std::uint8_t>(source, run_source_, target, run_target_, run_);
      break;
    case 4:
      copy_elements<std::uint32_t>(source, run_source_, target, run_target_, run_);
      break;
    default:
      copy_elements<std::uint64_t>(source, run_source_, target, run_target_, run_);
      break;
  }
}

void StridedCopy::copy_block(const std::byte* source, std::byte* target, std::size_t axis) const {
  if (axis == dims_.size()) {
    copy_run(source, target);
    return;
  }
  for (std::int64_t i = 0; i < dims_[axis]; ++i) {
    copy_block(source + i * source_[axis], target + i * target_[axis], axis + 1);
  }
}

void StridedCopy::run(const void* source, std::int64_t source_offset, void* target, std::int64_t target_offset) const {
  if (total_ == 0) return;
  const auto bytes = static_cast<std::int64_t>(element_);
  const std::byte* from = static_cast<const std::byte*>(source) + source_offset * bytes;
  std::byte* to = static_cast<std::byte*>(target) + target_offset * bytes;
  if (dims_.empty() || total_ * bytes < kParallelBytes) {
    copy_block(from, to, 0);
    return;
  }
  // The two outermost axes together give enough parts to share out evenly.
  const bool two = dims_.size() > 1;
  const std::int64_t inner = two ? dims_[1] : 1;
  const std::int64_t parts = dims_[0] * inner;
#pragma omp parallel for schedule(static)
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t i = part / inner, j = part % inner;
    copy_block(from + i * source_[0] + (two ? j * source_[1] : 0), to + i * target_[0] + (two ? j * target_[1] : 0),
               two ? 2 : 1);
  }
}

}  // namespace xinfer::cpu
