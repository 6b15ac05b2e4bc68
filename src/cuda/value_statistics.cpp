#include "cuda/value_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "cuda/launch_shape.h"

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kElementsPerBlock = std::int64_t{1} << 17;  // histogram.cu: four times kQuadsPerBlock
constexpr std::uint32_t kThreads = 256;
constexpr std::int32_t kLargestKey = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kSmallestKey = std::numeric_limits<std::int32_t>::min();

/// Observed of kernels/histogram.cu, member for member.
struct Observed {
  gpu::DevicePointer x = 0;
  std::uint64_t elements = 0;
  std::uint32_t inner = 0, pitch = 0;
  std::uint32_t first_block = 0;
  std::uint32_t unused = 0;
};

/// Extent of kernels/histogram.cu, member for member.
struct Extent {
  std::int32_t low = kLargestKey, high = kSmallestKey;
  std::uint64_t zeros = 0, nans = 0, infinities = 0;
};

float value_of_key(std::int32_t key) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(key >> 31) & 0x7fffffffU;
  return std::bit_cast<float>(static_cast<std::uint32_t>(key) ^ magnitude);
}

}  // namespace

FloatRows rows_of(gpu::DevicePointer address, const Dims& dims, const Format& format) {
  if (format.element != Element::kF32) throw std::logic_error("statistics of values that are not stored as f32");
  const Strides strides = strides_of(dims, format);
  if (strides.elements == 0) return {address, 0, strides.inner, strides.pitch};
  return {address, strides.elements / strides.pitch, strides.inner, strides.pitch};
}

float FloatExtent::largest() const { return std::max(std::fabs(min), std::fabs(max)); }

std::vector<gpu::KernelSource> ValueStatistics::kernels(int log_bins) {
  std::vector<gpu::KernelSource> result;
  for (const int count : {0, 1}) {
    gpu::KernelSource source{.file = "histogram.cu", .entry = count != 0 ? "histogram_counts" : "histogram_extents"};
    source.define("XI_COUNT", count).define("XI_LOG_BINS", log_bins);
    result.push_back(std::move(source));
  }
  return result;
}

ValueStatistics::ValueStatistics(DeviceState& state, const std::vector<FloatRows>& values, int log_bins)
    : bins_(std::size_t{2} << log_bins) {
  std::vector<Observed> table;
  std::int64_t blocks = 0;
  for (const FloatRows& value : values) {
    if (value.rows > 1 && value.pitch != value.inner && value.pitch % 4 != 0) {
      throw std::logic_error("rows of floats that don't start at multiples of 16 bytes");
    }
    Observed entry;
    entry.x = value.address;
    entry.first_block = static_cast<std::uint32_t>(blocks);
    if (value.rows == 1 || value.pitch == value.inner) {
      entry.elements = static_cast<std::uint64_t>(value.rows * value.inner);
    } else {
      entry.elements = static_cast<std::uint64_t>(value.rows * value.pitch);
      entry.inner = static_cast<std::uint32_t>(value.inner);
      entry.pitch = static_cast<std::uint32_t>(value.pitch);
    }
    table.push_back(entry);
    sizes_.push_back(static_cast<std::uint64_t>(value.rows * value.inner));
    blocks += std::max<std::int64_t>(1, div_up(static_cast<std::int64_t>(entry.elements), kElementsPerBlock));
  }
  if (blocks >= kThreadLimit) throw std::logic_error("too many values for one launch");
  blocks_ = static_cast<std::uint32_t>(blocks);
  if (blocks_ == 0) return;
  const std::vector<gpu::KernelSource> sources = kernels(log_bins);
  extents_kernel_ = state.kernel(sources[0]);
  counts_kernel_ = state.kernel(sources[1]);
  const gpu::DevicePtr& device = state.device();
  table_ = gpu::DeviceBuffer(device, table.size() * sizeof(Observed));
  extents_ = gpu::DeviceBuffer(device, table.size() * sizeof(Extent));
  widths_ = gpu::DeviceBuffer(device, table.size() * sizeof(float));
  counts_ = gpu::DeviceBuffer(device, table.size() * bins_ * sizeof(std::uint64_t));
  host_counts_ = gpu::PinnedBuffer(device, counts_.bytes());
  gpu::Stream stream(device);
  gpu::copy_to_device(stream, table_.pointer(), table.data(), table_.bytes());
  stream.synchronize();
}

gpu::Launch ValueStatistics::launch_all() const {
  gpu::Launch launch{.grid = {blocks_}, .block = {kThreads}};
  launch.args.add(table_.pointer()).add(static_cast<std::uint32_t>(sizes_.size()));
  return launch;
}

std::vector<FloatExtent> ValueStatistics::extents(gpu::Stream& stream) {
  std::vector<FloatExtent> result(sizes_.size());
  if (blocks_ == 0) return result;
  std::vector<Extent> found(sizes_.size());
  gpu::copy_to_device(stream, extents_.pointer(), found.data(), extents_.bytes());
  gpu::Launch launch = launch_all();
  launch.args.add(extents_.pointer());
  extents_kernel_->launch(stream, launch);
  gpu::copy_to_host(stream, found.data(), extents_.pointer(), extents_.bytes());
  stream.synchronize();
  for (std::size_t v = 0; v < found.size(); ++v) {
    const Extent& from = found[v];
    FloatExtent& to = result[v];
    to = {0, 0, sizes_[v] - from.nans - from.infinities, from.zeros, from.nans, from.infinities};
    if (to.count == 0) continue;
    to.min = value_of_key(from.low);
    to.max = value_of_key(from.high);
  }
  return result;
}

void ValueStatistics::count(gpu::Stream& stream, std::span<const int> exponents) {
  if (exponents.size() != sizes_.size()) throw std::logic_error("not one bin width for each value");
  if (blocks_ == 0) return;
  std::vector<float> per_width;
  for (const int exponent : exponents) per_width.push_back(std::ldexp(1.0F, -exponent));
  gpu::copy_to_device(stream, widths_.pointer(), per_width.data(), widths_.bytes());
  gpu::fill_zero(stream, counts_.pointer(), counts_.bytes());
  gpu::Launch launch = launch_all();
  launch.args.add(widths_.pointer()).add(counts_.pointer());
  counts_kernel_->launch(stream, launch);
  gpu::copy_to_host(stream, host_counts_.data(), counts_.pointer(), counts_.bytes());
  stream.synchronize();
}

std::span<const std::uint64_t> ValueStatistics::bins_of(std::size_t v) const {
  const auto* bins = reinterpret_cast<const std::uint64_t*>(host_counts_.data());
  return {bins + v * bins_, bins_};
}

}  // namespace xinfer::cuda
