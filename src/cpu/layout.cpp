#include "cpu/layout.h"

#include <functional>
#include <numeric>

namespace xinfer::cpu {
namespace {

std::int64_t product(std::span<const std::int64_t> dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

std::string to_string(const Layout& layout, std::size_t rank) {
  static constexpr const char* kSpatial[] = {"", "w", "hw", "dhw"};
  if (layout.is_plain() || !fits(layout, rank)) return "plain";
  if (layout.kind == Layout::Kind::kSwapped) return "swapped";
  const std::string spatial = kSpatial[rank - 2];
  if (layout.kind == Layout::Kind::kChannelsLast) return "n" + spatial + "c";
  return "nC" + spatial + std::to_string(layout.block) + "c";
}

bool fits(const Layout& layout, std::size_t rank) {
  if (layout.kind == Layout::Kind::kSwapped) return rank == 4;
  return layout.is_plain() || (rank >= 3 && rank <= 5);
}

Dims physical_dims(const Dims& dims, const Layout& layout) {
  if (layout.is_plain()) return dims;
  if (layout.kind == Layout::Kind::kSwapped) return {dims[0], dims[2], dims[1], dims[3]};
  Dims result{dims[0]};
  if (layout.kind == Layout::Kind::kBlocked) result.push_back((dims[1] + layout.block - 1) / layout.block);
  result.insert(result.end(), dims.begin() + 2, dims.end());
  result.push_back(layout.kind == Layout::Kind::kBlocked ? layout.block : dims[1]);
  return result;
}

std::int64_t physical_count(const Dims& dims, const Layout& layout) { return product(physical_dims(dims, layout)); }

std::size_t bytes_of(DataType type, const Dims& dims, const Layout& layout) {
  return static_cast<std::size_t>(physical_count(dims, layout)) * size_of(type);
}

bool same_memory(const Dims& dims, const Layout& a, const Layout& b) {
  if (a == b) return true;
  const std::int64_t pixels = dims.size() < 3 ? 1 : product(std::span(dims).subspan(2));
  // Every layout is plain or nhwc in disguise when one of its two inner axes has a single element.
  const auto canonical = [&](Layout layout) {
    if (layout.kind == Layout::Kind::kBlocked) {
      if (dims[1] == layout.block) layout = Layout::channels_last();
      if (layout.kind == Layout::Kind::kBlocked && pixels == 1 && dims[1] % layout.block == 0) layout = Layout::plain();
    }
    if (layout.kind == Layout::Kind::kSwapped && (dims[1] == 1 || dims[2] == 1)) layout = Layout::plain();
    if (layout.kind == Layout::Kind::kChannelsLast && (pixels == 1 || dims[1] == 1)) layout = Layout::plain();
    return layout;
  };
  return canonical(a) == canonical(b);
}

bool has_padding(const Dims& dims, const Layout& layout) {
  return layout.kind == Layout::Kind::kBlocked && dims[1] % layout.block != 0;
}

std::size_t physical_axis(const Layout& layout, std::size_t rank, std::size_t axis) {
  if (layout.kind == Layout::Kind::kSwapped) return axis == 1 ? 2 : axis == 2 ? 1 : axis;
  if (layout.kind != Layout::Kind::kChannelsLast || axis == 0) return axis;
  return axis == 1 ? rank - 1 : axis - 1;
}

std::optional<PhysicalRange> physical_range(const Dims& dims, const Layout& layout, std::size_t axis,
                                            std::int64_t begin, std::int64_t size) {
  const std::size_t physical = physical_axis(layout, dims.size(), axis);
  if (layout.kind != Layout::Kind::kBlocked || axis != 1) return PhysicalRange{physical, begin, size};
  if (begin % layout.block != 0 || size % layout.block != 0 || dims[1] % layout.block != 0) return std::nullopt;
  return PhysicalRange{physical, begin / layout.block, size / layout.block};
}

}  // namespace xinfer::cpu
