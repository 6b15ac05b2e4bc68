// Normalisations and softmax in float, able to write the integers of a Quantize that follows.

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/vector_loop.h"

namespace xinfer::cpu {
namespace {

const float* constant_floats(const Request& request, std::size_t i) {
  return request.has(i) ? request.input(i).constant->data<float>().data() : nullptr;
}

/// The node's parameters (inputs 1 and up) are constant f32, so that steps can keep pointers to them.
bool has_constant_params(const Request& request) {
  for (std::size_t i = 1; i < request.node.inputs.size(); ++i) {
    if (request.has(i) && (!request.input(i).is_constant() || !is_float(request.input(i)))) return false;
  }
  return true;
}

std::int64_t product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t result = 1;
  for (std::size_t i = begin; i < end; ++i) result *= dims[i];
  return result;
}

class LayerNormStep final : public Step {
 public:
  LayerNormStep(const Request& request, kernels::RowOutput output) : output_(output), isa_(request.isa) {
    const auto& attrs = request.node.as<ir::NormAttrs>();
    const Dims x = request.input_dims(0);
    const auto axis = static_cast<std::size_t>(attrs.axis);
    rows_ = product(x, 0, axis);
    size_ = product(x, axis, x.size());
    epsilon_ = attrs.epsilon;
    gamma_ = constant_floats(request, 1);
    beta_ = constant_floats(request, 2);
    implementation = "own_layer_norm";
    set_layouts(*this, request, Layout::plain());
    inputs.resize(1);
    inputs.resize(request.node.inputs.size());
    if (output_.type == DataType::kFloat32) sharing = Sharing::kMay;
  }
  void run(const Frame& frame, State*) const override {
    kernels::layer_norm(static_cast<const float*>(frame.inputs[0]), rows_, size_, gamma_, beta_, epsilon_,
                        frame.outputs[0], output_, isa_);
  }

 private:
  kernels::RowOutput output_;
  kernels::Isa isa_;
  std::int64_t rows_, size_;
  float epsilon_;
  const float* gamma_;  ///< constants of the graph, which the program keeps alive
  const float* beta_;
};

class SoftmaxStep final : public Step {
 public:
  SoftmaxStep(const Request& request, kernels::RowOutput output) : output_(output), isa_(request.isa) {
    const auto& attrs = request.node.as<ir::SoftmaxAttrs>();
    const Dims x = request.input_dims(0);
    const auto axis =
        static_cast<std::size_t>(attrs.axis < 0 ? attrs.axis + static_cast<std::int64_t>(x.size()) : attrs.axis);
    log_ = attrs.log;
    rows_ = product(x, 0, axis);
    size_ = x[axis];
    inner_ = product(x, axis + 1, x.size());
    implementation = inner_ == 1 && !log_ ? "own_softmax" : "own_strided_softmax";
    set_layouts(*this, request, Layout::plain());
    const bool to_float = output_.type == DataType::kFloat32;
    if (to_float) sharing = Sharing::kMay;
    if (!to_float && (inner_ != 1 || log_)) {
      scratch_bytes = static_cast<std::size_t>(rows_ * size_ * inner_) * sizeof(float);
    }
  }

  void run(const Frame& frame, State*) const override {
    const auto* x = static_cast<const float*>(frame.inputs[0]);
    if (inner_ == 1 && !log_) {
      kernels::softmax(x, rows_, size_, frame.outputs[0], output_, isa_);
      return;
    }
    const bool to_float = output_.type == DataType::kFloat32;
    auto* y = static_cast<float*>(to_float ? frame.outputs[0] : frame.scratch);
#pragma omp parallel for schedule(static) if (rows_ * inner_ * size_ > 4096)
    for (std::int64_t part = 0; part < rows_ * inner_; ++part) {
      const std::int64_t at = part / inner_ * size_ * inner_ + part % inner_;
      column(x + at, y + at);
    }
    if (!to_float) kernels::activate(y, rows_ * size_ * inner_, {}, frame.outputs[0], output_, isa_);
  }

 private:
  void column(const float* x, float* y) const {
    float highest = x[0];
    for (std::int64_t i = 1; i < size_; ++i) highest = std::max(highest, x[i * inner_]);
    double sum = 0;
    for (std::int64_t i = 0; i < size_; ++i) {
      const float shifted = x[i * inner_] - highest;
      const float power = std::exp(shifted);
      sum += power;
      y[i * inner_] = log_ ? shifted : power;
    }
    const auto factor = static_cast<float>(1.0 / sum);
    const auto shift = static_cast<float>(std::log(sum));
    for (std::int64_t i = 0; i < size_; ++i) y[i * inner_] = log_ ? y[i * inner_] - shift : y[i * inner_] * factor;
  }

  kernels::RowOutput output_;
  kernels::Isa isa_;
  bool log_;
  std::int64_t rows_, size_, inner_;
};

/// y = x * scale[c] + shift[c] over [outer, channels, inner].
void affine(const float* x, std::int64_t inner, float scale, float shift, float* y, kernels::Isa isa) {
  vector_loop(isa, [=]() XINFER_INLINE {
    for (std::int64_t i = 0; i < inner; ++i) y[i] = x[i] * scale + shift;
  });
}

class BatchNormStep final : public Step {
 public:
  BatchNormStep(const Request& request, const Layout& layout) : layout_(layout), isa_(request.isa) {
    const Dims x = request.input_dims(0);
    batch_ = x[0], channels_ = x[1], pixels_ = product(x, 2, x.size());
    const float epsilon = request.node.as<ir::NormAttrs>().epsilon;
    const float* gamma = constant_floats(request, 1);
    const float* beta = constant_floats(request, 2);
    const float* mean = constant_floats(request, 3);
    const float* variance = constant_floats(request, 4);
    for (std::int64_t c = 0; c < channels_; ++c) {
      const double scale = gamma[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon);
      scale_.push_back(static_cast<float>(scale));
      shift_.push_back(static_cast<float>(beta[c] - mean[c] * scale));
    }
    implementation = "own_batch_norm";
    set_layouts(*this, request, layout);
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i].reset();
    sharing = Sharing::kMay;
  }

  void run(const Frame& frame, State*) const override {
    const auto* x = static_cast<const float*>(frame.inputs[0]);
    auto* y = static_cast<float*>(frame.outputs[0]);
    if (layout_.is_plain()) {
#pragma omp parallel for schedule(static)
      for (std::int64_t part = 0; part < batch_ * channels_; ++part) {
        const auto c = static_cast<std::size_t>(part % channels_);
        affine(x + part * pixels_, pixels_, scale_[c], shift_[c], y + part * pixels_, isa_);
      }
      return;
    }
#pragma omp parallel for schedule(static)
    for (std::int64_t pixel = 0; pixel < batch_ * pixels_; ++pixel) {
      vector_loop(isa_, [this, from = x + pixel * channels_, to = y + pixel * channels_]() XINFER_INLINE {
        const float* scale = scale_.data();
        const float* shift = shift_.data();
        for (std::int64_t c = 0; c < channels_; ++c) to[c] = from[c] * scale[c] + shift[c];
      });
    }
  }

 private:
  Layout layout_;
  kernels::Isa isa_;
  std::int64_t batch_, channels_, pixels_;
  std::vector<float> scale_, shift_;
};

class GroupNormStep final : public Step {
 public:
  explicit GroupNormStep(const Request& request) : isa_(request.isa) {
    const auto& attrs = request.node.as<ir::NormAttrs>();
    const Dims x = request.input_dims(0);
    batch_ = x[0], groups_ = attrs.groups, per_group_ = x[1] / attrs.groups, pixels_ = product(x, 2, x.size());
    epsilon_ = attrs.epsilon;
    gamma_ = constant_floats(request, 1);
    beta_ = constant_floats(request, 2);
    implementation = "own_group_norm";
    set_layouts(*this, request, Layout::plain());
    for (std::size_t i = 1; i < inputs.size(); ++i) inputs[i].reset();
    sharing = Sharing::kMay;
  }

  void run(const Frame& frame, State*) const override {
#pragma omp parallel for schedule(static)
    for (std::int64_t part = 0; part < batch_ * groups_; ++part) {
      const std::int64_t size = per_group_ * pixels_;
      const auto* x = static_cast<const float*>(frame.inputs[0]) + part * size;
      auto* y = static_cast<float*>(frame.outputs[0]) + part * size;
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < size; ++i) sum += x[i];
      const double mean = sum / static_cast<double>(size);
      for (std::int64_t i = 0; i < size; ++i) squares += (x[i] - mean) * (x[i] - mean);
      const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(size) + epsilon_);
      for (std::int64_t c = 0; c < per_group_; ++c) {
        const std::int64_t channel = part % groups_ * per_group_ + c;
        const double scale = gamma_[channel] * inverse;
        affine(x + c * pixels_, pixels_, static_cast<float>(scale), static_cast<float>(beta_[channel] - mean * scale),
               y + c * pixels_, isa_);
      }
    }
  }

 private:
  kernels::Isa isa_;
  std::int64_t batch_, groups_, per_group_, pixels_;
  float epsilon_;
  const float* gamma_;  ///< constants of the graph, which the program keeps alive
  const float* beta_;
};

std::optional<Refusal> refuse_float(const Request& request) {
  if (!is_float(request.input(0))) return Refusal{"the input is not f32"};
  if (!has_constant_params(request)) return Refusal{"the parameters are not constant f32"};
  for (const std::int64_t d : request.input_dims(0)) {
    if (d == 0) return Refusal{"empty tensor"};
  }
  return std::nullopt;
}

}  // namespace

Creation create_layer_norm(const Request& request) {
  if (auto refusal = refuse_float(request)) return *refusal;
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  return std::make_unique<LayerNormStep>(request, *output);
}

Creation create_softmax(const Request& request) {
  if (auto refusal = refuse_float(request)) return *refusal;
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  return std::make_unique<SoftmaxStep>(request, *output);
}

Creation create_batch_norm(const Request& request) {
  if (auto refusal = refuse_float(request)) return *refusal;
  if (!is_float(request.output())) return Refusal{"the output is not f32"};
  const Layout layout =
      request.layouts[0].kind == Layout::Kind::kBlocked ? Layout::channels_last() : request.layouts[0];
  return std::make_unique<BatchNormStep>(request, layout);
}

Creation create_group_norm(const Request& request) {
  if (auto refusal = refuse_float(request)) return *refusal;
  if (!is_float(request.output())) return Refusal{"the output is not f32"};
  return std::make_unique<GroupNormStep>(request);
}

}  // namespace xinfer::cpu
