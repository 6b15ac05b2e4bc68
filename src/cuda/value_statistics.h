#pragma once
// ValueStatistics: what calibration wants to know of many float values in device memory, without copying them.

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/executor.h"

namespace xinfer::cuda {

/// Floats in device memory, at a multiple of 16: `rows` rows of `inner` floats, `pitch` apart. What lies between the
/// rows is left out. With several rows the pitch is a multiple of 4 unless it is `inner`.
struct FloatRows {
  gpu::DevicePointer address = 0;
  std::int64_t rows = 1, inner = 0, pitch = 0;
};

/// The rows of a value of type f32, which must be stored as kF32.
FloatRows rows_of(gpu::DevicePointer address, const Dims& dims, const Format& format);

struct FloatExtent {
  float min = 0, max = 0;   ///< of the finite values, -0 being less than 0; 0 where there is none
  std::uint64_t count = 0;  ///< finite values
  std::uint64_t zeros = 0, nans = 0, infinities = 0;
  /// max(|min|, |max|)
  float largest() const;
};

/// Two passes over the same values, each one launch for all of them. One thread at a time.
class ValueStatistics {
 public:
  /// With 2^log_bins bins of each sign. Throws DeviceError.
  ValueStatistics(DeviceState& state, const std::vector<FloatRows>& values, int log_bins);

  /// One for each value. Waits for `stream`.
  std::vector<FloatExtent> extents(gpu::Stream& stream);

  /// Counts the values that are finite and not 0 in bins 2^exponents[v] wide, which must hold the largest. Waits for
  /// `stream`. Valid until the next call: ask for them by bins_of().
  void count(gpu::Stream& stream, std::span<const int> exponents);
  /// Bins of the positive values of value v, then those of the negative ones: bin i holds x with floor(|x| / width) =
  /// i.
  std::span<const std::uint64_t> bins_of(std::size_t v) const;

  /// What it launches, for those who compile beforehand: extents, counts.
  static std::vector<gpu::KernelSource> kernels(int log_bins);

 private:
  gpu::Launch launch_all() const;

  std::vector<std::uint64_t> sizes_;  // floats of each value
  std::size_t bins_ = 0;              // of a value, both signs
  std::uint32_t blocks_ = 0;
  std::shared_ptr<const gpu::LoadedKernel> extents_kernel_, counts_kernel_;
  gpu::DeviceBuffer table_, extents_, widths_, counts_;
  gpu::PinnedBuffer host_counts_;
};

}  // namespace xinfer::cuda
