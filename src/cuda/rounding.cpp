#include "cuda/rounding.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "core/hash.h"
#include "cuda/epilogue.h"

namespace xinfer::cuda {

std::optional<Rounding> Rounding::of(const Request& request) {
  const auto scale = plain_scale(request.output());
  if (!scale) return std::nullopt;
  Rounding rounding;
  rounding.element = request.output_element();
  if (request.output().dtype == DataType::kFloat32) return rounding;
  int exponent = 0;
  const bool exact = std::frexp(*scale, &exponent) == 0.5F && std::isnormal(1.0F / *scale);
  const bool ordinary = *scale > 0x1p-60F && *scale < 0x1p60F;
  rounding.mode = exact ? 1 : ordinary ? 2 : 3;
  rounding.step = exact ? 1.0F / *scale : *scale;
  return rounding;
}

void Rounding::define(gpu::KernelSource& source) const {
  source.define("XI_OUT_T", device_name_of(element));
  source.define("XI_STEP", mode);
}

Resident resident_floats(std::vector<float> values, std::size_t granularity) {
  values.resize((values.size() + granularity - 1) / granularity * granularity, 0.0F);
  std::string key = fmt::format("floats {}", hash_bytes(values.data(), values.size() * sizeof(float)));
  return {std::move(key), [values = std::move(values)] {
            std::vector<std::byte> bytes(values.size() * sizeof(float));
            std::memcpy(bytes.data(), values.data(), bytes.size());
            return bytes;
          }};
}

const Tensor* constant_floats(const Request& request, std::size_t i) {
  if (!request.has(i) || !request.input(i).is_constant() || request.input(i).dtype != DataType::kFloat32)
    return nullptr;
  return &*request.input(i).constant;
}

}  // namespace xinfer::cuda
