// Movers on plain memory: Gather, Pad, Expand, Tile, Where, Cast.

#include <fmt/format.h>
#include <omp.h>

#include <cstring>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/strided.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu {
namespace {

bool same_meaning(const Request& request) {
  return request.input(0).dtype == request.output().dtype &&
         request.input(0).quantization == request.output().quantization;
}

class GatherStep final : public Step {
 public:
  explicit GatherStep(const Request& request) : name_(request.node.name) {
    const Dims x = request.input_dims(0);
    const auto axis = static_cast<std::size_t>(request.node.as<ir::AxisAttrs>().axis);
    for (std::size_t i = 0; i < x.size(); ++i) (i < axis ? outer_ : i > axis ? inner_ : size_) *= x[i];
    for (const std::int64_t d : request.input_dims(1)) count_ *= d;
    bytes_ = static_cast<std::size_t>(inner_) * size_of(request.input_type(0));
    wide_ = request.input_type(1) == DataType::kInt64;
    implementation = "own_gather";
    set_layouts(*this, request, Layout::plain());
  }

  void run(const Frame& frame, State*) const override {
    const auto* from = static_cast<const std::byte*>(frame.inputs[0]);
    auto* to = static_cast<std::byte*>(frame.outputs[0]);
    for (std::int64_t o = 0; o < outer_; ++o) {
      for (std::int64_t i = 0; i < count_; ++i) {
        std::int64_t index = wide_ ? static_cast<const std::int64_t*>(frame.inputs[1])[i]
                                   : static_cast<const std::int32_t*>(frame.inputs[1])[i];
        if (index < -size_ || index >= size_) {
          throw ModelError(fmt::format("node '{}': index {} is outside an axis of size {}", name_, index, size_));
        }
        if (index < 0) index += size_;
        std::memcpy(to + static_cast<std::size_t>(o * count_ + i) * bytes_,
                    from + static_cast<std::size_t>(o * size_ + index) * bytes_, bytes_);
      }
    }
  }

 private:
  std::string name_;
  std::int64_t outer_ = 1, size_ = 1, inner_ = 1, count_ = 1;
  std::size_t bytes_;
  bool wide_;
};

/// One strided copy of the whole tensor, after filling the output where it doesn't cover that.
class SpreadStep final : public Step {
 public:
  SpreadStep(const Request& request, std::string_view name, const Layout& layout, StridedCopy copy,
             std::int64_t source_offset, std::int64_t target_offset)
      : copy_(std::move(copy)),
        source_offset_(source_offset),
        target_offset_(target_offset),
        type_(request.output_type()),
        count_(physical_count(request.output_dims(), layout)) {
    implementation = name;
    set_layouts(*this, request, layout);
  }
  /// The number that fills the output first, in its own type.
  void fill_with(double value) {
    fills_ = true;
    fill_ = value;
  }

  void run(const Frame& frame, State*) const override {
    if (fills_) fill(frame.outputs[0]);
    copy_.run(frame.inputs[0], source_offset_, frame.outputs[0], target_offset_);
  }

 private:
  void fill(void* to) const {
    switch (type_) {
      case DataType::kFloat32:
        std::fill_n(static_cast<float*>(to), count_, static_cast<float>(fill_));
        break;
      case DataType::kInt32:
        std::fill_n(static_cast<std::int32_t*>(to), count_, static_cast<std::int32_t>(fill_));
        break;
      case DataType::kInt64:
        std::fill_n(static_cast<std::int64_t*>(to), count_, static_cast<std::int64_t>(fill_));
        break;
      default:
        std::memset(to, static_cast<int>(fill_), static_cast<std::size_t>(count_));
    }
  }

  StridedCopy copy_;
  std::int64_t source_offset_, target_offset_;
  DataType type_;
  std::int64_t count_;
  bool fills_ = false;
  double fill_ = 0;
};

class WhereStep final : public Step {
 public:
  explicit WhereStep(const Request& request) : element_(size_of(request.output_type())), dims_(request.output_dims()) {
    for (std::size_t i = 0; i < 3; ++i) strides_[i] = broadcast_strides(request.input_dims(i), dims_);
    if (dims_.empty()) {
      dims_ = {1};
      for (Dims& s : strides_) s = {0};
    }
    implementation = "own_where";
    set_layouts(*this, request, Layout::plain());
  }

  void run(const Frame& frame, State*) const override {
    if (element_ == 1) return choose<std::uint8_t>(frame);
    if (element_ == 4) return choose<std::uint32_t>(frame);
    choose<std::uint64_t>(frame);
  }

 private:
  template <class T>
  void choose(const Frame& frame) const {
    const auto* condition = static_cast<const bool*>(frame.inputs[0]);
    const auto* a = static_cast<const T*>(frame.inputs[1]);
    const auto* b = static_cast<const T*>(frame.inputs[2]);
    auto* y = static_cast<T*>(frame.outputs[0]);
    const std::size_t last = dims_.size() - 1;
    std::int64_t rows = 1;
    for (std::size_t i = 0; i < last; ++i) rows *= dims_[i];
#pragma omp parallel for schedule(static) if (rows * dims_[last] > 16384)
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t at[3] = {0, 0, 0}, rest = row;
      for (std::size_t i = last; i-- > 0;) {
        const std::int64_t index = rest % dims_[i];
        rest /= dims_[i];
        for (std::size_t k = 0; k < 3; ++k) at[k] += index * strides_[k][i];
      }
      for (std::int64_t i = 0; i < dims_[last]; ++i) {
        y[row * dims_[last] + i] = condition[at[0] + i * strides_[0][last]] ? a[at[1] + i * strides_[1][last]]
                                                                            : b[at[2] + i * strides_[2][last]];
      }
    }
  }

  std::size_t element_;
  Dims dims_;
  Dims strides_[3];
};

class CastStep final : public Step {
 public:
  explicit CastStep(const Request& request)
      : from_(request.input_type(0)), count_(physical_count(request.output_dims(), Layout::plain())) {
    implementation = "own_cast";
    set_layouts(*this, request, Layout::plain());
  }
  void run(const Frame& frame, State*) const override {
    auto* y = static_cast<float*>(frame.outputs[0]);
    if (from_ == DataType::kBool) widen(static_cast<const bool*>(frame.inputs[0]), y);
    if (from_ == DataType::kInt32) widen(static_cast<const std::int32_t*>(frame.inputs[0]), y);
    if (from_ == DataType::kInt64) widen(static_cast<const std::int64_t*>(frame.inputs[0]), y);
  }

 private:
  template <class T>
  void widen(const T* x, float* y) const {
    for (std::int64_t i = 0; i < count_; ++i) y[i] = static_cast<float>(x[i]);
  }
  DataType from_;
  std::int64_t count_;
};

}  // namespace

Creation create_gather(const Request& request) {
  if (!same_meaning(request)) return Refusal{"the scale changes"};
  return std::make_unique<GatherStep>(request);
}

Creation create_pad(const Request& request) {
  const auto& attrs = request.node.as<ir::PadAttrs>();
  if (attrs.mode != ir::PadMode::kConstant) return Refusal{"only constant padding is a plain copy"};
  if (!same_meaning(request)) return Refusal{"the scale changes"};
  const bool quantized = request.input(0).quantization.has_value();
  if (quantized && attrs.value != 0.0F) return Refusal{"integers are padded with 0 only"};
  if (quantized && !plain_scale(request.input(0))) return Refusal{"the input has no plain scale"};
  Layout layout = request.layouts[0];
  if (layout.kind == Layout::Kind::kBlocked) layout = Layout::plain();
  const Dims x = request.input_dims(0), y = request.output_dims();
  const Dims from = dense_strides(physical_dims(x, layout)), to = dense_strides(physical_dims(y, layout));
  Dims dims = physical_dims(x, layout);
  std::int64_t source = 0, target = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t axis = physical_axis(layout, x.size(), i);
    const std::int64_t begin = attrs.pads[i], end = attrs.pads[i + x.size()];
    source += std::max<std::int64_t>(0, -begin) * from[axis];
    target += std::max<std::int64_t>(0, begin) * to[axis];
    dims[axis] += std::min<std::int64_t>(0, begin) + std::min<std::int64_t>(0, end);
    if (dims[axis] <= 0) return Refusal{"nothing of the input is left"};
  }
  auto step = std::make_unique<SpreadStep>(request, "own_pad", layout,
                                           StridedCopy(dims, from, to, size_of(request.input_type(0))), source, target);
  step->fill_with(attrs.value);
  return step;
}

Creation create_expand(const Request& request) {
  if (!same_meaning(request)) return Refusal{"the scale changes"};
  const Dims x = request.input_dims(0), y = request.output_dims();
  return std::make_unique<SpreadStep>(
      request, "own_expand", Layout::plain(),
      StridedCopy(y, broadcast_strides(x, y), dense_strides(y), size_of(request.input_type(0))), 0, 0);
}

Creation create_tile(const Request& request) {
  if (!same_meaning(request)) return Refusal{"the scale changes"};
  const Dims x = request.input_dims(0);
  const auto& repeats = request.node.as<ir::TileAttrs>().repeats;
  // Every axis becomes two: how often, and where in the input.
  const Dims from = dense_strides(x);
  Dims dims, source;
  for (std::size_t i = 0; i < x.size(); ++i) {
    dims.insert(dims.end(), {repeats[i], x[i]});
    source.insert(source.end(), {0, from[i]});
  }
  return std::make_unique<SpreadStep>(request, "own_tile", Layout::plain(),
                                      StridedCopy(dims, source, dense_strides(dims), size_of(request.input_type(0))), 0,
                                      0);
}

Creation create_where(const Request& request) {
  const ir::Value& y = request.output();
  if (y.dtype != request.input_type(1) || y.dtype != request.input_type(2) || y.quantization ||
      request.input(1).quantization || request.input(2).quantization) {
    return Refusal{"the branches are quantized or of another type"};
  }
  return std::make_unique<WhereStep>(request);
}

Creation create_cast(const Request& request) {
  const DataType from = request.input_type(0);
  if (request.output_type() != DataType::kFloat32 || request.input(0).quantization) return Refusal{"not to plain f32"};
  if (from != DataType::kBool && from != DataType::kInt32 && from != DataType::kInt64) {
    return Refusal{fmt::format("from {}", name_of(from))};
  }
  return std::make_unique<CastStep>(request);
}

}  // namespace xinfer::cpu
