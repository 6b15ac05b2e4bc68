// Pooling and means: oneDNN for float windows, our kernels for integers, and one loop for means over adjacent axes.

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "cpu/conv_common.h"
#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/vector_loop.h"
#include "kernels/qpool.h"

namespace xinfer::cpu {
namespace {

/// Window of a pool; pads_end is what makes the output come out as the graph says (ceil_mode).
dnnl_api::Window pool_window(const Request& request) {
  const auto& attrs = request.node.as<ir::PoolAttrs>();
  const Dims x = request.input_dims(0), y = request.output_dims();
  const std::size_t spatial = x.size() - 2;
  dnnl_api::Window w{attrs.kernel, attrs.strides, attrs.dilations,
                     Dims(attrs.pads.begin(), attrs.pads.begin() + static_cast<std::ptrdiff_t>(spatial)),
                     Dims(spatial)};
  for (std::size_t i = 0; i < spatial; ++i) {
    const std::int64_t extent = w.dilations[i] * (w.kernel[i] - 1) + 1;
    w.pads_end[i] = (y[i + 2] - 1) * w.strides[i] + extent - x[i + 2] - w.pads_begin[i];
  }
  return w;
}

class PoolInt8Step final : public Step {
 public:
  PoolInt8Step(const Request& request, const kernels::ConvShape& shape, kernels::AveragePoolParams params)
      : is_max_(request.node.op == ir::OpType::kMaxPool), shape_(shape), params_(params), isa_(request.isa) {
    const Dims y = request.output_dims();
    out_h_ = y.size() == 4 ? y[2] : 1;
    out_w_ = y.back();
    implementation = is_max_ ? "own_qmax_pool" : "own_qaverage_pool";
    compute_type = DataType::kInt8;
    set_layouts(*this, request, Layout::channels_last());
  }
  void run(const Frame& frame, State*) const override {
    if (is_max_) {
      kernels::qmax_pool(shape_, params_.input_type, frame.inputs[0], frame.outputs[0], out_h_, out_w_, isa_);
    } else {
      kernels::qaverage_pool(shape_, params_, frame.inputs[0], frame.outputs[0], out_h_, out_w_, isa_);
    }
  }

 private:
  bool is_max_;
  kernels::ConvShape shape_;
  kernels::AveragePoolParams params_;
  kernels::Isa isa_;
  std::int64_t out_h_, out_w_;
};

/// Means (or sums) over the middle axis of [outer, middle, inner].
class MiddleMeanStep final : public Step {
 public:
  MiddleMeanStep(const Request& request, std::int64_t outer, std::int64_t middle, std::int64_t inner, float factor,
                 kernels::RowOutput output, const Layout& in, const Layout& out)
      : outer_(outer), middle_(middle), inner_(inner), factor_(factor), output_(output), isa_(request.isa) {
    implementation = "own_mean";
    inputs = {in};
    outputs = {out};
    if (output_.type != DataType::kFloat32) scratch_bytes = static_cast<std::size_t>(outer * inner) * sizeof(float);
  }

  void run(const Frame& frame, State*) const override {
    const auto* x = static_cast<const float*>(frame.inputs[0]);
    const bool to_float = output_.type == DataType::kFloat32;
    auto* y = static_cast<float*>(to_float ? frame.outputs[0] : frame.scratch);
    if (inner_ == 1) {
      sum_rows(x, y);
    } else {
      sum_columns(x, y);
    }
    if (!to_float) kernels::activate(y, outer_ * inner_, {}, frame.outputs[0], output_, isa_);
  }

 private:
  void sum_rows(const float* x, float* y) const {
#pragma omp parallel for schedule(static) if (outer_ * middle_ > 8192)
    for (std::int64_t o = 0; o < outer_; ++o) {
      vector_loop(isa_, [this, row = x + o * middle_, to = y + o]() XINFER_INLINE {
        constexpr std::int64_t kLanes = 16;
        float lanes[kLanes] = {};
        std::int64_t i = 0;
        for (; i + kLanes <= middle_; i += kLanes) {
          for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += row[i + l];
        }
        float sum = 0;
        for (; i < middle_; ++i) sum += row[i];
        for (const float lane : lanes) sum += lane;
        *to = sum * factor_;
      });
    }
  }

  void sum_columns(const float* x, float* y) const {
    constexpr std::int64_t kBlock = 64;
    const std::int64_t blocks = (inner_ + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (outer_ * middle_ * inner_ > 8192)
    for (std::int64_t part = 0; part < outer_ * blocks; ++part) {
      const std::int64_t o = part / blocks, begin = part % blocks * kBlock;
      const std::int64_t n = std::min(kBlock, inner_ - begin);
      vector_loop(isa_,
                  [this, n, from = x + o * middle_ * inner_ + begin, to = y + o * inner_ + begin]() XINFER_INLINE {
                    float sums[kBlock] = {};
                    if (n == kBlock) {
                      for (std::int64_t m = 0; m < middle_; ++m) {
                        for (std::int64_t i = 0; i < kBlock; ++i) sums[i] += from[m * inner_ + i];
                      }
                    } else {
                      for (std::int64_t m = 0; m < middle_; ++m) {
                        for (std::int64_t i = 0; i < n; ++i) sums[i] += from[m * inner_ + i];
                      }
                    }
                    for (std::int64_t i = 0; i < n; ++i) to[i] = sums[i] * factor_;
                  });
    }
  }

  std::int64_t outer_, middle_, inner_;
  float factor_;
  kernels::RowOutput output_;
  kernels::Isa isa_;
};

class GlobalAverageInt8Step final : public Step {
 public:
  GlobalAverageInt8Step(const Request& request, std::int64_t outer, std::int64_t middle, std::int64_t inner,
                        const kernels::AveragePoolParams& params, const Layout& in)
      : outer_(outer), middle_(middle), inner_(inner), params_(params), isa_(request.isa) {
    implementation = "own_qglobal_average";
    compute_type = DataType::kInt8;
    inputs = {in};
    outputs = {Layout::plain()};
  }
  void run(const Frame& frame, State*) const override {
    kernels::qglobal_average_pool(outer_, middle_, inner_, params_, frame.inputs[0], frame.outputs[0], isa_);
  }

 private:
  std::int64_t outer_, middle_, inner_;
  kernels::AveragePoolParams params_;
  kernels::Isa isa_;
};

/// A reduction over adjacent axes, seen as [outer, middle, inner].
struct MiddleView {
  std::int64_t outer = 1, middle = 1, inner = 1;
};

std::optional<MiddleView> middle_view(const Dims& dims, const std::vector<std::int64_t>& axes) {
  if (axes.empty()) return std::nullopt;
  for (std::size_t i = 1; i < axes.size(); ++i) {
    if (axes[i] != axes[i - 1] + 1) return std::nullopt;
  }
  MiddleView view;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(dims.size()); ++i) {
    const std::int64_t size = dims[static_cast<std::size_t>(i)];
    (i < axes.front() ? view.outer : i > axes.back() ? view.inner : view.middle) *= size;
  }
  return view;
}

bool covers_all_spatial(const ir::ReduceAttrs& attrs, std::size_t rank) {
  return rank >= 3 && attrs.axes.size() == rank - 2 && attrs.axes.front() == 2;
}

}  // namespace

Creation create_pool_f32(const Request& request) {
  const bool is_max = request.node.op == ir::OpType::kMaxPool;
  const auto& attrs = request.node.as<ir::PoolAttrs>();
  if (!is_float(request.input(0)) || !is_float(request.output())) return Refusal{"input or output is not f32"};
  const dnnl_api::Window window = pool_window(request);
  const Dims x = request.input_dims(0), y = request.output_dims();
  if (!is_max && attrs.count_include_pad) {
    for (std::size_t i = 0; i < window.pads_end.size(); ++i) {
      if (window.pads_end[i] > attrs.pads[i + window.pads_end.size()]) {
        return Refusal{"oneDNN would count the padding that ceil_mode adds"};
      }
    }
  }
  const auto kind = is_max                    ? dnnl_api::Pooling::kMax
                    : attrs.count_include_pad ? dnnl_api::Pooling::kAverageWithPadding
                                              : dnnl_api::Pooling::kAverageWithoutPadding;
  std::vector<Layout> layouts{request.layouts[0]};
  if (layouts[0].is_plain()) layouts.push_back(Layout::channels_last());
  for (const Layout& layout : layouts) {
    const auto src = dnnl_api::describe(DataType::kFloat32, x, layout);
    const auto dst = dnnl_api::describe(DataType::kFloat32, y, layout);
    const auto pool = dnnl_api::pooling(kind, src, dst, window);
    if (pool.generic) continue;
    auto step = std::make_unique<DnnlStep>(
        pool.primitive, std::vector<Operand>{Operand::input(DNNL_ARG_SRC, 0, src), Operand::output(DNNL_ARG_DST, dst)},
        pool.scratchpad);
    step->implementation = "dnnl:pooling";
    set_layouts(*step, request, layout);
    return step;
  }
  return Refusal{"oneDNN has only its generic implementation"};
}

Creation create_pool_int8(const Request& request) {
  const auto in = plain_scale(request.input(0));
  const auto out = output_scale(request.output());
  if (!in || !out) return Refusal{"input or output has no plain scale"};
  const bool is_max = request.node.op == ir::OpType::kMaxPool;
  if (is_max && (request.output_type() != request.input_type(0) || *in != *out)) {
    return Refusal{"a maximum must keep type and scale"};
  }
  const auto& attrs = request.node.as<ir::PoolAttrs>();
  ConvNode conv;
  conv.x = request.input_dims(0);
  conv.y = request.output_dims();
  conv.groups = conv.x[1];
  conv.window = pool_window(request);
  for (std::size_t i = 0; i < conv.window.pads_end.size(); ++i) {
    conv.window.pads_end[i] = attrs.pads[i + conv.window.pads_end.size()];
  }
  const auto shape = kernel_shape(conv);
  if (!shape) return Refusal{"three spatial axes"};
  return std::make_unique<PoolInt8Step>(
      request, *shape,
      kernels::AveragePoolParams{request.input_type(0), request.output_type(), *in, *out, attrs.count_include_pad});
}

Creation create_mean(const Request& request) {
  const auto& attrs = request.node.as<ir::ReduceAttrs>();
  if (attrs.kind != ir::ReduceKind::kMean && attrs.kind != ir::ReduceKind::kSum) return Refusal{"neither mean nor sum"};
  const Dims x = request.input_dims(0);
  const auto view = middle_view(x, attrs.axes);
  if (!view) return Refusal{"the reduced axes are not adjacent"};
  if (view->outer * view->middle * view->inner == 0) return Refusal{"empty tensor"};
  const bool is_mean = attrs.kind == ir::ReduceKind::kMean;
  const Layout current = request.layouts[0];
  const bool spatial = covers_all_spatial(attrs, x.size());

  if (const auto in = plain_scale(request.input(0))) {
    const auto out = output_scale(request.output());
    if (!out) return Refusal{"the output has no plain scale"};
    // The kernel wants [outer, middle, inner] with channels inside: nhwc for images, plain for middle axes.
    MiddleView seen = *view;
    Layout layout = Layout::plain();
    if (spatial && x.size() <= 5) {
      layout = Layout::channels_last();
      seen = {x[0], view->middle, x[1]};
    }
    const double scale = is_mean ? *in : static_cast<double>(*in) * static_cast<double>(view->middle);
    return std::make_unique<GlobalAverageInt8Step>(
        request, seen.outer, seen.middle, seen.inner,
        kernels::AveragePoolParams{request.input_type(0), request.output_type(), scale, *out, false}, layout);
  }
  if (!is_float(request.input(0))) return Refusal{"the input is not f32"};
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  const float factor = is_mean ? 1.0F / static_cast<float>(view->middle) : 1.0F;
  Layout in = Layout::plain();
  MiddleView seen = *view;
  const bool keeps_blocks = current.kind == Layout::Kind::kBlocked && !has_padding(x, current);
  if (spatial && (current.kind == Layout::Kind::kChannelsLast || keeps_blocks)) {
    in = current;
    // One channel a pixel remains, so that every layout's output is plain.
    seen.inner = keeps_blocks ? current.block : x[1];
    seen.outer = x[0] * x[1] / seen.inner;
  }
  return std::make_unique<MiddleMeanStep>(request, seen.outer, seen.middle, seen.inner, factor, *output, in,
                                          Layout::plain());
}

}  // namespace xinfer::cpu
