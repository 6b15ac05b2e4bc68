#include "cli/array_calibrator.h"

#include <algorithm>

#include "core/hash.h"

namespace xinfer::cli {

ArrayCalibrator::ArrayCalibrator(std::map<std::string, Tensor> arrays, std::int64_t batch)
    : arrays_(std::move(arrays)), batch_(batch) {}

bool ArrayCalibrator::next_batch(Batch& batch) {
  const std::int64_t end = std::min(next_ + batch_, sample_count());
  if (next_ >= end) return false;
  batch.clear();
  for (const auto& [name, tensor] : arrays_) batch.emplace(name, tensor.rows(next_, end));
  next_ = end;
  return true;
}

bool ArrayCalibrator::reset() {
  next_ = 0;
  return true;
}

std::int64_t ArrayCalibrator::sample_count() const { return arrays_.empty() ? 0 : arrays_.begin()->second.dim(0); }

std::string ArrayCalibrator::manifest_hash() const {
  Hasher hasher;
  for (const auto& [name, tensor] : arrays_) hasher.update_string(name).update(tensor.raw(), tensor.bytes());
  return hasher.hex();
}

}  // namespace xinfer::cli
