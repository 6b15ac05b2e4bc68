// Weights in the order in which igemm.cu reads them.

#include <fmt/format.h>

#include <cstring>

#include "core/hash.h"
#include "cuda/half.h"
#include "cuda/igemm.h"

namespace xinfer::cuda {
namespace {

template <class T, class From, class Convert>
std::vector<std::byte> pack(std::span<const From> weights, const ConvGeometry& g, Convert convert) {
  const auto groups = static_cast<std::size_t>(g.groups);
  const auto inputs = static_cast<std::size_t>(g.channels_per_group());
  const auto outputs = static_cast<std::size_t>(g.outputs_per_group());
  const auto taps = static_cast<std::size_t>(g.taps());
  const auto stored_inputs = static_cast<std::size_t>(padded(g.channels_per_group()));
  const auto stored_outputs = static_cast<std::size_t>(padded(g.outputs_per_group()));
  std::vector<T> packed(groups * stored_outputs * taps * stored_inputs);
  for (std::size_t group = 0; group < groups; ++group) {
    for (std::size_t o = 0; o < outputs; ++o) {
      const From* from = weights.data() + (group * outputs + o) * inputs * taps;
      T* to = packed.data() + (group * stored_outputs + o) * taps * stored_inputs;
      for (std::size_t c = 0; c < inputs; ++c) {
        for (std::size_t tap = 0; tap < taps; ++tap) to[tap * stored_inputs + c] = convert(from[c * taps + tap]);
      }
    }
  }
  std::vector<std::byte> bytes(packed.size() * sizeof(T));
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  return bytes;
}

}  // namespace

Resident igemm_weights(const Tensor& weights, const ConvGeometry& geometry, Element element) {
  Resident resident;
  resident.key = fmt::format("weights by tap {} {} {} groups {}", hash_bytes(weights.raw(), weights.bytes()),
                             xinfer::to_string(weights.shape()), name_of(element), geometry.groups);
  resident.make = [weights, geometry, element] {
    if (element == Element::kF16) return pack<std::uint16_t>(weights.data<float>(), geometry, half_bits);
    return pack<std::int8_t>(weights.data<std::int8_t>(), geometry, [](std::int8_t w) { return w; });
  };
  return resident;
}

}  // namespace xinfer::cuda
