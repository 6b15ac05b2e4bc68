// Resize over two spatial axes: nearest moves runs of channels, linear sums four taps. Taps are the reference's.

#include <omp.h>

#include <cmath>
#include <cstring>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/vector_loop.h"
#include "reference/resize_taps.h"

namespace xinfer::cpu {
namespace {

/// Images as [outer, height, width, inner] in any layout: inner is 1, the channels or the block.
struct ImageView {
  std::int64_t outer, in_h, in_w, out_h, out_w, inner;
};

ImageView image_view(const Request& request, const Layout& layout) {
  const Dims x = physical_dims(request.input_dims(0), layout);
  const Dims y = request.output_dims();
  const Dims logical = request.input_dims(0);
  ImageView view{1, logical[2], logical[3], y[2], y[3], 1};
  if (!layout.is_plain()) view.inner = x.back();
  std::int64_t all = 1;
  for (const std::int64_t d : x) all *= d;
  view.outer = all / (view.in_h * view.in_w * view.inner);
  return view;
}

class NearestStep final : public Step {
 public:
  NearestStep(const Request& request, const ImageView& view, const Layout& layout, std::vector<std::int64_t> rows,
              std::vector<std::int64_t> columns)
      : view_(view), element_(size_of(request.input_type(0))), rows_(std::move(rows)), columns_(std::move(columns)) {
    implementation = "own_resize_nearest";
    if (is_int8_like(request.input_type(0))) compute_type = DataType::kInt8;
    set_layouts(*this, request, layout);
  }

  void run(const Frame& frame, State*) const override {
    const std::size_t run = static_cast<std::size_t>(view_.inner) * element_;
    const std::size_t in_row = static_cast<std::size_t>(view_.in_w) * run;
    const std::size_t out_row = static_cast<std::size_t>(view_.out_w) * run;
#pragma omp parallel for schedule(static)
    for (std::int64_t part = 0; part < view_.outer * view_.out_h; ++part) {
      const std::int64_t o = part / view_.out_h, i = part % view_.out_h;
      const auto* from = static_cast<const std::byte*>(frame.inputs[0]) +
                         static_cast<std::size_t>(o * view_.in_h + rows_[static_cast<std::size_t>(i)]) * in_row;
      auto* to = static_cast<std::byte*>(frame.outputs[0]) + static_cast<std::size_t>(part) * out_row;
      for (const std::int64_t column : columns_) {
        std::memcpy(to, from + static_cast<std::size_t>(column) * run, run);
        to += run;
      }
    }
  }

 private:
  ImageView view_;
  std::size_t element_;
  std::vector<std::int64_t> rows_, columns_;
};

struct LinearTap {
  std::int64_t index[2];
  float weight[2];
};

class LinearResizeStep final : public Step {
 public:
  LinearResizeStep(const Request& request, const ImageView& view, const Layout& layout, std::vector<LinearTap> rows,
                   std::vector<LinearTap> columns, float ratio)
      : view_(view),
        in_(request.input_type(0)),
        out_(request.output_type()),
        rows_(std::move(rows)),
        columns_(std::move(columns)),
        ratio_(ratio),
        isa_(request.isa) {
    implementation = "own_resize_linear";
    if (is_int8_like(in_)) compute_type = DataType::kInt8;
    set_layouts(*this, request, layout);
  }

  void run(const Frame& frame, State*) const override {
    if (in_ == DataType::kFloat32) return run_from(static_cast<const float*>(frame.inputs[0]), frame.outputs[0]);
    if (in_ == DataType::kInt8) return run_from(static_cast<const std::int8_t*>(frame.inputs[0]), frame.outputs[0]);
    run_from(static_cast<const std::uint8_t*>(frame.inputs[0]), frame.outputs[0]);
  }

 private:
  template <class In>
  void run_from(const In* x, void* y) const {
    if (out_ == DataType::kFloat32) return run_typed(x, static_cast<float*>(y));
    if (out_ == DataType::kInt8) return run_typed(x, static_cast<std::int8_t*>(y));
    run_typed(x, static_cast<std::uint8_t*>(y));
  }

  template <class In, class Out>
  void run_typed(const In* x, Out* y) const {
    const std::int64_t inner = view_.inner, in_row = view_.in_w * inner, out_row = view_.out_w * inner;
#pragma omp parallel for schedule(static)
    for (std::int64_t part = 0; part < view_.outer * view_.out_h; ++part) {
      const LinearTap& row = rows_[static_cast<std::size_t>(part % view_.out_h)];
      const In* image = x + part / view_.out_h * view_.in_h * in_row;
      const In* top = image + row.index[0] * in_row;
      const In* bottom = image + row.index[1] * in_row;
      for (std::int64_t j = 0; j < view_.out_w; ++j) {
        const LinearTap& column = columns_[static_cast<std::size_t>(j)];
        const float w00 = row.weight[0] * column.weight[0], w01 = row.weight[0] * column.weight[1];
        const float w10 = row.weight[1] * column.weight[0], w11 = row.weight[1] * column.weight[1];
        const std::int64_t left = column.index[0] * inner, right = column.index[1] * inner;
        Out* to = y + part * out_row + j * inner;
        vector_loop(isa_, [=, ratio = ratio_]() XINFER_INLINE {
          for (std::int64_t c = 0; c < inner; ++c) {
            const float sum =
                (static_cast<float>(top[left + c]) * w00 + static_cast<float>(top[right + c]) * w01) +
                (static_cast<float>(bottom[left + c]) * w10 + static_cast<float>(bottom[right + c]) * w11);
            to[c] = reference::round_to<Out>(sum * ratio);
          }
        });
      }
    }
  }

  ImageView view_;
  DataType in_, out_;
  std::vector<LinearTap> rows_, columns_;
  float ratio_;
  kernels::Isa isa_;
};

}  // namespace

Creation create_resize(const Request& request) {
  const auto& attrs = request.node.as<ir::ResizeAttrs>();
  const Dims x = request.input_dims(0), y = request.output_dims();
  if (x.size() != 4) return Refusal{"not two spatial axes"};
  if (attrs.mode == ir::ResizeMode::kCubic) return Refusal{"cubic"};
  const auto rows = reference::resize_taps(attrs, 2, x[2], y[2]);
  const auto columns = reference::resize_taps(attrs, 3, x[3], y[3]);
  const Layout layout = request.layouts[0];
  const ImageView view = image_view(request, layout);

  if (attrs.mode == ir::ResizeMode::kNearest) {
    if (request.input_type(0) != request.output_type() ||
        request.input(0).quantization != request.output().quantization) {
      return Refusal{"the scale changes"};
    }
    std::vector<std::int64_t> row_index, column_index;
    for (const auto& tap : rows) row_index.push_back(tap.index[0]);
    for (const auto& tap : columns) column_index.push_back(tap.index[0]);
    return std::make_unique<NearestStep>(request, view, layout, std::move(row_index), std::move(column_index));
  }
  float ratio = 1.0F;
  if (!is_float(request.input(0))) {
    const auto in = plain_scale(request.input(0)), out = output_scale(request.output());
    if (!in || !out) return Refusal{"input or output has no plain scale"};
    ratio = static_cast<float>(static_cast<double>(*in) / *out);
  } else if (!is_float(request.output())) {
    return Refusal{"the output is not f32"};
  }
  std::vector<LinearTap> row_taps, column_taps;
  const auto convert = [](const std::vector<reference::AxisTaps>& from, std::vector<LinearTap>& to) {
    for (const auto& taps : from) {
      if (taps.index.size() > 2) return false;
      LinearTap tap{{taps.index[0], taps.index.back()}, {static_cast<float>(taps.weight[0]), 0.0F}};
      if (taps.index.size() == 2) tap.weight[1] = static_cast<float>(taps.weight[1]);
      to.push_back(tap);
    }
    return true;
  };
  if (!convert(rows, row_taps) || !convert(columns, column_taps)) return Refusal{"more than two taps an axis"};
  return std::make_unique<LinearResizeStep>(request, view, layout, std::move(row_taps), std::move(column_taps), ratio);
}

}  // namespace xinfer::cpu
