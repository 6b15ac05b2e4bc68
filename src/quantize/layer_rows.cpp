#include "quantize/layer_rows.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;

std::int64_t at_or(const std::vector<std::int64_t>& list, std::size_t i, std::int64_t otherwise) {
  return i < list.size() ? list[i] : otherwise;
}

// splitmix64 (S. Vigna): spreads a counter over 64 bits.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

template <class T>
class ConvGatherer {
 public:
  ConvGatherer(const Graph& graph, const Node& node, const Tensor& x, float scale)
      : attrs_(node.as<ir::ConvAttrs>()), in_(x.shape()), scale_(scale), from_(x.data<T>()) {
    const auto& weights = graph.value(node.inputs[1]).constant->shape();
    kernel_.assign(weights.begin() + 2, weights.end());
    const std::vector<std::int64_t> out = graph.value(node.outputs[0]).shape.at(1);
    out_.assign(out.begin() + 2, out.end());
    taps_ = std::accumulate(kernel_.begin(), kernel_.end(), std::int64_t{1}, std::multiplies<>());
    plane_ = std::accumulate(in_.begin() + 2, in_.end(), std::int64_t{1}, std::multiplies<>());
  }

  void gather(std::int64_t position, float* row) const {
    for (std::int64_t tap = 0; tap < taps_; ++tap) {
      const std::int64_t offset = offset_of(position, tap);
      for (std::int64_t c = 0; c < in_[1]; ++c) {
        row[c * taps_ + tap] =
            offset < 0 ? 0.0F : scale_ * static_cast<float>(from_[static_cast<std::size_t>(c * plane_ + offset)]);
      }
    }
  }

 private:
  // Within a channel's plane; -1 in the padding.
  std::int64_t offset_of(std::int64_t position, std::int64_t tap) const {
    std::int64_t offset = 0;
    std::int64_t stride = 1;
    for (std::size_t axis = out_.size(); axis-- > 0;) {
      const std::int64_t out = position % out_[axis];
      const std::int64_t k = tap % kernel_[axis];
      position /= out_[axis];
      tap /= kernel_[axis];
      const std::int64_t in =
          out * at_or(attrs_.strides, axis, 1) - at_or(attrs_.pads, axis, 0) + k * at_or(attrs_.dilations, axis, 1);
      if (in < 0 || in >= in_[axis + 2]) return -1;
      offset += in * stride;
      stride *= in_[axis + 2];
    }
    return offset;
  }

  const ir::ConvAttrs& attrs_;
  std::vector<std::int64_t> in_, out_, kernel_;
  float scale_;
  std::span<const T> from_;
  std::int64_t taps_ = 1, plane_ = 1;
};

template <class T>
void gather(const Graph& graph, const Node& node, const Tensor& x, float scale, std::span<const std::int64_t> positions,
            std::span<float> rows) {
  const std::size_t width = rows.size() / std::max<std::size_t>(1, positions.size());
  if (node.op == ir::OpType::kConv) {
    const ConvGatherer<T> gatherer(graph, node, x, scale);
    for (std::size_t i = 0; i < positions.size(); ++i) gatherer.gather(positions[i], rows.data() + i * width);
    return;
  }
  const std::span<const T> from = x.data<T>();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::span<const T> row = from.subspan(static_cast<std::size_t>(positions[i]) * width, width);
    std::transform(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * width),
                   [scale](T v) { return scale * static_cast<float>(v); });
  }
}

}  // namespace

std::optional<LayerShape> layer_shape(const Graph& graph, const Node& node) {
  if (node.op != ir::OpType::kConv && node.op != ir::OpType::kLinear) return std::nullopt;
  const ir::Value& weights = graph.value(node.inputs[1]);
  if (!weights.is_constant()) return std::nullopt;
  LayerShape shape;
  shape.groups = node.op == ir::OpType::kConv ? node.as<ir::ConvAttrs>().groups : 1;
  const std::int64_t channels = weights.constant->dim(0);
  if (channels == 0 || weights.constant->numel() == 0) return std::nullopt;
  shape.m = channels / shape.groups;
  shape.k = weights.constant->numel() / channels;
  const std::vector<std::int64_t> out = graph.value(node.outputs[0]).shape.at(1);
  shape.positions = element_count(out) / channels;
  return shape;
}

std::vector<std::int64_t> pick_positions(std::int64_t positions, std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> result;
  count = std::min(count, positions);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = positions * i / count;
    const std::int64_t end = positions * (i + 1) / count;
    const std::uint64_t random = mix(seed * 0x100000001b3U + static_cast<std::uint64_t>(i));
    result.push_back(begin + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(end - begin)));
  }
  return result;
}

void gather_rows(const Graph& graph, const Node& node, const Tensor& x, float scale,
                 std::span<const std::int64_t> positions, std::span<float> rows) {
  switch (x.dtype()) {
    case DataType::kFloat32:
      return gather<float>(graph, node, x, scale, positions, rows);
    case DataType::kInt8:
      return gather<std::int8_t>(graph, node, x, scale, positions, rows);
    case DataType::kUInt8:
      return gather<std::uint8_t>(graph, node, x, scale, positions, rows);
    default:
      throw std::logic_error("gather_rows: '" + node.name + "' reads " + std::string(name_of(x.dtype())));
  }
}

}  // namespace xinfer::quantize
