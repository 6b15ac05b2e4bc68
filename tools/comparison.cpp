#include "comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>

#include "xinfer/core/errors.h"

namespace xinfer::tools {
namespace {

template <class T>
void compare_elements(std::span<const T> cpu, std::span<const T> gpu, Comparison& result) {
  double signal = 0, noise = 0, magnitude = 0;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    const auto a = static_cast<double>(cpu[i]), b = static_cast<double>(gpu[i]);
    if (cpu[i] == gpu[i] || (std::isnan(a) && std::isnan(b))) {
      if (!std::isfinite(a)) continue;
    } else {
      ++result.different;
      if (std::abs(a - b) > 1) ++result.beyond_one;
    }
    const double gap = std::isfinite(a) && std::isfinite(b) ? std::abs(a - b) : std::numeric_limits<double>::infinity();
    result.largest = std::max(result.largest, a == b ? 0.0 : gap);
    magnitude = std::max(magnitude, std::isfinite(a) ? std::abs(a) : 0.0);
    signal += std::isfinite(a) ? a * a : 0.0;
    noise += a == b ? 0.0 : gap * gap;
  }
  if (std::is_same_v<T, float> && result.largest > 0) result.largest /= magnitude;
  result.decibels = noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
}

}  // namespace

Comparison compare(const ir::Graph& graph, ir::ValueId id, const Tensor& cpu, const Tensor& gpu) {
  const ir::Value& value = graph.value(id);
  if (cpu.dtype() != gpu.dtype() || cpu.shape() != gpu.shape()) {
    throw Error(fmt::format("value '{}' is {} {} on the CPU, but {} {} on the GPU", value.name, name_of(cpu.dtype()),
                            to_string(cpu.shape()), name_of(gpu.dtype()), to_string(gpu.shape())));
  }
  Comparison result;
  result.name = value.name;
  result.type = cpu.dtype();
  result.is_output = graph.is_output(id);
  result.elements = cpu.numel();
  const auto run = [&](auto tag) {
    using T = decltype(tag);
    compare_elements<T>(cpu.data<T>(), gpu.data<T>(), result);
  };
  switch (cpu.dtype()) {
    case DataType::kFloat32:
      run(float{});
      break;
    case DataType::kInt8:
      run(std::int8_t{});
      break;
    case DataType::kUInt8:
      run(std::uint8_t{});
      break;
    case DataType::kInt32:
      run(std::int32_t{});
      break;
    case DataType::kInt64:
      run(std::int64_t{});
      break;
    case DataType::kBool:
      run(bool{});
      break;
  }
  return result;
}

}  // namespace xinfer::tools
