#include <algorithm>
#include <cstring>
#include <span>

#include "cuda/half.h"
#include "cuda/wgemm.h"

namespace xinfer::cuda {
namespace {

/// swizzled_chunk() of kernels/hopper.cuh.
int swizzled_chunk(int row_bytes, int row, int chunk) {
  if (row_bytes == 128) return chunk ^ (row & 7);
  return row_bytes == 64 ? chunk ^ ((row >> 1) & 3) : chunk ^ ((row >> 2) & 1);
}

/// Packs elements that `get(channel out, tap, channel in)` returns.
template <class T, class Get>
std::vector<std::byte> pack(const WgemmTile& tile, const WgemmProblem& problem, Get get) {
  const ConvGeometry& g = problem.geometry;
  const int depth = tile.bk / static_cast<int>(sizeof(T));
  const int tap_panels = tile.tap_panels(problem), panels = tile.panels(problem);
  const int store = store_channels(problem.output);
  const std::int64_t tiles = tile.channel_tiles(problem);
  std::vector<std::byte> bytes(static_cast<std::size_t>(tiles * panels * tile.bn) * static_cast<std::size_t>(tile.bk));
  for (std::int64_t t = 0; t < tiles; ++t) {
    for (int p = 0; p < panels; ++p) {
      std::byte* const panel = bytes.data() + static_cast<std::size_t>((t * panels + p) * tile.bn * tile.bk);
      const int tap = p / tap_panels;
      const std::int64_t first = static_cast<std::int64_t>(p % tap_panels) * depth;
      const auto count = static_cast<int>(std::min<std::int64_t>(depth, g.channels - first));
      for (int row = 0; row < tile.bn; ++row) {
        const std::int64_t out = t * tile.bn + channel_of_packed_row(row, store);
        if (out >= g.outputs) continue;
        for (int i = 0; i < count; ++i) {
          const T value = get(out, tap, first + i);
          const int at = i * static_cast<int>(sizeof(T));
          const int to = row * tile.bk + swizzled_chunk(tile.bk, row, at / 16) * 16 + at % 16;
          std::memcpy(panel + to, &value, sizeof(T));
        }
      }
    }
  }
  return bytes;
}

}  // namespace

int store_channels(Element output) { return 16 / static_cast<int>(size_of(output)); }

int channel_of_packed_row(int row, int store_channels) {
  const int group = row / (4 * store_channels), within = row % (4 * store_channels);
  const int j = within / 8, t = within % 8 / 2, e = within % 2;
  return group * 4 * store_channels + t * store_channels + 2 * j + e;
}

std::vector<std::int64_t> table_order(const WgemmTile& tile, const WgemmProblem& problem) {
  const int store = store_channels(problem.output);
  std::vector<std::int64_t> order;
  for (std::int64_t base = 0; base < tile.channel_tiles(problem) * tile.bn; base += 4 * store) {
    for (int v = 0; v < store / 4; ++v) {
      for (int t = 0; t < 4; ++t) {
        for (int e = 0; e < 4; ++e) {
          const std::int64_t channel = base + t * store + 4 * v + e;
          order.push_back(channel < problem.geometry.outputs ? channel : -1);
        }
      }
    }
  }
  return order;
}

std::vector<std::byte> pack_weights(const Tensor& weights, const WgemmTile& tile, const WgemmProblem& problem) {
  const std::int64_t channels = problem.geometry.channels, taps = problem.geometry.taps();
  const auto index = [&](std::int64_t out, std::int64_t tap, std::int64_t channel) {
    return static_cast<std::size_t>((out * channels + channel) * taps + tap);
  };
  if (problem.input == Element::kF16) {
    const std::span<const float> values = weights.data<float>();
    return pack<std::uint16_t>(tile, problem, [&](std::int64_t out, std::int64_t tap, std::int64_t channel) {
      return half_bits(values[index(out, tap, channel)]);
    });
  }
  const std::span<const std::int8_t> values = weights.data<std::int8_t>();
  return pack<std::int8_t>(tile, problem, [&](std::int64_t out, std::int64_t tap, std::int64_t channel) {
    return values[index(out, tap, channel)];
  });
}

}  // namespace xinfer::cuda
