// Loops planned for the GPU, walked on the CPU the way kernels/index_map.cuh does.

#include "cuda/index_map.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kNothing = -1;  // a zero in padding

/// What a kernel would write: output element -> offsets of the operands' elements.
using Written = std::map<std::int64_t, std::vector<std::int64_t>>;

std::uint32_t divide(std::uint32_t n, const MapDivisor& d) {
  if (d.magic == 0) return n;
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(n) * d.magic >> 32) >> d.shift;
}

/// Walks the plan; fails when an output element is written twice, or a vector is not aligned.
Written walk(const MapPlan& plan, std::size_t operands, const std::vector<MapView>& views) {
  Written written;
  const MapSpace& space = plan.space;
  for (std::uint32_t thread = 0; thread < space.count; ++thread) {
    std::vector<std::int64_t> at(operands + 1, 0);
    std::uint32_t rest = thread, column = 0, inner = space.inner;
    for (std::uint32_t k = 0; k < space.axes; ++k) {
      const std::uint32_t quotient = k + 1 < space.axes ? divide(rest, space.axis[k].size) : 0;
      const std::uint32_t coordinate = rest - quotient * space.axis[k].size.divisor;
      rest = quotient;
      column += coordinate * space.axis[k].column;
      if (k == space.pad_axis && coordinate >= space.pad_valid) inner = 0;
      for (std::size_t t = 0; t <= operands; ++t) at[t] += std::int64_t{coordinate} * space.axis[k].stride[t];
    }
    for (std::size_t t = 0; t <= operands; ++t) {
      const auto bytes = static_cast<std::int64_t>(views[t].bytes);
      at[t] += plan.offset[t] / bytes;
      if (plan.vector > 1 && column + static_cast<std::uint32_t>(plan.vector) <= plan.ready[t] && plan.step[t] != 0) {
        EXPECT_EQ((at[t] + column) % plan.vector, 0) << "tensor " << t;
        EXPECT_EQ(plan.step[t], 1);
        EXPECT_LE(plan.vector * bytes, 16);
        if (inner > 0 || t == 0) {
          EXPECT_LE(at[t] + column + plan.vector, views[t].elements) << "tensor " << t << " is left";
        }
      }
    }
    for (std::uint32_t c = column; c < column + static_cast<std::uint32_t>(plan.vector) && c < space.stored; ++c) {
      std::vector<std::int64_t> sources;
      for (std::size_t t = 1; t <= operands; ++t) {
        sources.push_back(c < inner ? at[t] + std::int64_t{c} * plan.step[t] : kNothing);
      }
      const bool first = written.emplace(at[0] + std::int64_t{c} * plan.step[0], sources).second;
      EXPECT_TRUE(first) << "an element is written twice";
      if (!first) return written;
    }
  }
  return written;
}

Written plainly(const Dims& dims, const MapView& out, const std::vector<MapView>& operands) {
  Written written;
  Dims extent = dims;
  if (out.pad_axis >= 0) extent[static_cast<std::size_t>(out.pad_axis)] = out.pitch;
  Dims index(dims.size(), 0);
  const std::int64_t total = std::accumulate(extent.begin(), extent.end(), std::int64_t{1}, std::multiplies<>());
  for (std::int64_t i = 0; i < total; ++i) {
    std::int64_t to = out.offset;
    bool padding = false;
    for (std::size_t a = 0; a < dims.size(); ++a) {
      to += index[a] * out.stride[a];
      padding = padding || index[a] >= dims[a];
    }
    std::vector<std::int64_t> sources;
    for (const MapView& view : operands) {
      std::int64_t from = view.offset;
      for (std::size_t a = 0; a < dims.size(); ++a) from += index[a] * view.stride[a];
      sources.push_back(padding ? kNothing : from);
    }
    written.emplace(to, sources);
    for (std::size_t a = dims.size(); a-- > 0;) {
      if (++index[a] < extent[a]) break;
      index[a] = 0;
    }
  }
  return written;
}

void expect_right(const Dims& dims, const MapView& out, const std::vector<MapView>& operands, const std::string& what) {
  const auto plan = plan_map(dims, out, operands);
  ASSERT_TRUE(plan) << what;
  std::vector<MapView> views{out};
  views.insert(views.end(), operands.begin(), operands.end());
  EXPECT_EQ(walk(*plan, operands.size(), views), plainly(dims, out, operands)) << what;
}

std::vector<Format> formats_of(Element element, std::size_t rank) {
  std::vector<Format> formats{Format::rows(element), Format::padded_rows(element)};
  if (fits(Format::nhwc(element), rank)) formats.push_back(Format::nhwc(element));
  if (fits(Format::pixels(element), rank)) formats.push_back(Format::pixels(element));
  return formats;
}

const std::vector<Dims> kShapes{{},
                                {1},
                                {17},
                                {48},
                                {3, 1},
                                {5, 17},
                                {4, 32},
                                {2, 3, 7},
                                {2, 17, 16},
                                {1, 1, 1},
                                {2, 3, 5, 7},
                                {1, 16, 4, 4},
                                {2, 20, 3, 3},
                                {3, 1, 4, 8},
                                {1, 64, 1, 1},
                                {2, 3, 2, 3, 5},
                                {1, 2, 3, 2, 3, 4}};

TEST(IndexMap, DividesExactly) {
  std::mt19937 engine(3);
  for (const std::uint32_t d : {1U, 2U, 3U, 7U, 16U, 49U, 255U, 50176U, 65537U, 1U << 30, (1U << 31) - 1}) {
    const MapDivisor divisor = divisor_of(d);
    for (int i = 0; i < 1000; ++i) {
      const std::uint32_t n = i < 500 ? engine() >> 1 : static_cast<std::uint32_t>(i - 500);
      ASSERT_EQ(divide(n, divisor), n / d) << n << " / " << d;
    }
    for (const std::uint32_t n : {d - 1, d, (1U << 31) - 1}) ASSERT_EQ(divide(n, divisor), n / d);
  }
}

TEST(IndexMap, CopiesBetweenAllFormats) {
  for (const Dims& dims : kShapes) {
    for (const Element a : {Element::kS8, Element::kF32}) {
      for (const Element b : {Element::kS8, Element::kF16}) {
        for (const Format& in : formats_of(a, dims.size())) {
          for (const Format& out : formats_of(b, dims.size())) {
            expect_right(loop_dims(dims), view_of(dims, out), {view_of(dims, in)},
                         fmt::format("{} from {} to {}", dims, to_string(in), to_string(out)));
          }
        }
      }
    }
  }
}

TEST(IndexMap, BroadcastsInEveryPosition) {
  for (const Dims& dims : kShapes) {
    for (unsigned mask = 0; mask < (1U << dims.size()); ++mask) {
      Dims small = dims;
      for (std::size_t i = 0; i < dims.size(); ++i) {
        if ((mask >> i & 1U) != 0) small[i] = 1;
      }
      for (const Format& out : formats_of(Element::kF16, dims.size())) {
        for (const Format& in : formats_of(Element::kS8, dims.size())) {
          expect_right(loop_dims(dims), view_of(dims, out),
                       {view_of(dims, out), broadcast(view_of(small, in), small, dims)},
                       fmt::format("{} with {} as {} to {}", dims, small, to_string(in), to_string(out)));
        }
      }
    }
  }
}

TEST(IndexMap, PermutesAndSlices) {
  for (const Dims& dims : kShapes) {
    if (dims.size() < 2) continue;
    std::vector<std::int64_t> perm(dims.size());
    std::iota(perm.begin(), perm.end(), 0);
    for (int round = 0; round < 8 && std::next_permutation(perm.begin(), perm.end()); ++round) {
      Dims to;
      for (const std::int64_t axis : perm) to.push_back(dims[static_cast<std::size_t>(axis)]);
      for (const Format& in : formats_of(Element::kF16, dims.size())) {
        for (const Format& out : formats_of(Element::kF16, dims.size())) {
          const std::string what = fmt::format("{} by {} from {} to {}", dims, perm, to_string(in), to_string(out));
          expect_right(to, view_of(to, out), {permute(view_of(dims, in), perm)}, what);
        }
      }
    }
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      if (dims[axis] < 3) continue;
      for (const std::int64_t step : {1, 2, -1}) {
        Dims to = dims;
        to[axis] = (dims[axis] - 1 + 1) / 2;
        const std::int64_t begin = step < 0 ? dims[axis] - 1 : dims[axis] >= 17 && step == 1 ? dims[axis] / 2 : 1;
        to[axis] = step < 0 ? dims[axis] : (dims[axis] - begin + step - 1) / step;
        for (const Format& in : formats_of(Element::kS8, dims.size())) {
          for (const Format& out : formats_of(Element::kS8, dims.size())) {
            expect_right(to, view_of(to, out), {slice(view_of(dims, in), axis, begin, step, to[axis])},
                         fmt::format("{} along {} from {} by {}", dims, axis, begin, step));
          }
        }
      }
    }
  }
}

TEST(IndexMap, TakesWholeVectorsWhereItCan) {
  // Flat: one axis, 16 bytes a thread.
  const Dims dims{8, 64, 14, 14};
  const Format nhwc = Format::nhwc(Element::kS8);
  const auto flat = plan_map(dims, view_of(dims, nhwc), {view_of(dims, nhwc)});
  ASSERT_TRUE(flat);
  EXPECT_EQ(flat->vector, 16);
  EXPECT_EQ(flat->space.axes, 1U);
  EXPECT_EQ(flat->space.count, 8U * 64 * 14 * 14 / 16);
  // To channels last: whole vectors are written, and neighbouring threads read neighbouring pixels.
  const auto gathers = plan_map(dims, view_of(dims, nhwc), {view_of(dims, Format::rows(Element::kF32))});
  ASSERT_TRUE(gathers);
  EXPECT_EQ(gathers->vector, 16);
  EXPECT_EQ(gathers->ready[0], 64U);
  EXPECT_EQ(gathers->ready[1], 0U);
  EXPECT_EQ(gathers->space.axis[0].column, 16U);
  EXPECT_EQ(gathers->space.axis[0].size.divisor, 2U);
  EXPECT_EQ(gathers->space.axis[1].stride[1], 1);
  // Back, with an odd number of pixels: whole vectors are read.
  const Dims odd{8, 64, 7, 7};
  const auto scatters = plan_map(odd, view_of(odd, Format::rows(Element::kF32)), {view_of(odd, nhwc)});
  ASSERT_TRUE(scatters);
  EXPECT_EQ(scatters->vector, 16);
  EXPECT_EQ(scatters->ready[0], 0U);
  EXPECT_EQ(scatters->ready[1], 64U);
}

TEST(IndexMap, RefusesWhatIsTooLarge) {
  const Dims dims{1 << 16, 1 << 16, 3};
  EXPECT_FALSE(
      plan_map(dims, view_of(dims, Format::padded_rows(Element::kS8)), {view_of(dims, Format::rows(Element::kS8))}));
}

}  // namespace
}  // namespace xinfer::cuda
