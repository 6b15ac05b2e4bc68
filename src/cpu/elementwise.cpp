// Float elementwise operators: unary functions, and binary ones with numpy broadcasting in any layout.

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/strided.h"
#include "cpu/vector_loop.h"
#include "reference/scalar.h"

namespace xinfer::cpu {
namespace {

constexpr std::int64_t kChunk = 4096;

// -- Unary ----------------------------------------------------------------------------------------------------------

class UnaryStep final : public Step {
 public:
  UnaryStep(const Request& request, kernels::RowOutput output, const Layout& layout)
      : attrs_(request.node.as<ir::UnaryAttrs>()),
        output_(output),
        isa_(request.isa),
        count_(physical_count(request.input_dims(0), layout)) {
    activation_ = kernel_activation({attrs_.kind, attrs_.alpha, attrs_.beta});
    implementation = activation_ ? "own_activation" : "own_unary";
    set_layouts(*this, request, layout);
    if (output_.type == DataType::kFloat32) sharing = Sharing::kMay;
    if (output_.type != DataType::kFloat32 && !activation_) {
      scratch_bytes = static_cast<std::size_t>(count_) * sizeof(float);
    }
  }

  void run(const Frame& frame, State*) const override {
    const auto* x = static_cast<const float*>(frame.inputs[0]);
    if (activation_) {
      kernels::activate(x, count_, *activation_, frame.outputs[0], output_, isa_);
      return;
    }
    const bool to_float = output_.type == DataType::kFloat32;
    auto* y = static_cast<float*>(to_float ? frame.outputs[0] : frame.scratch);
    const std::int64_t chunks = (count_ + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (chunks > 1)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const std::int64_t begin = chunk * kChunk;
      apply(x + begin, std::min(kChunk, count_ - begin), y + begin);
    }
    if (!to_float) kernels::activate(y, count_, {}, frame.outputs[0], output_, isa_);
  }

 private:
  void apply(const float* x, std::int64_t n, float* y) const {
    using K = ir::UnaryKind;
    switch (attrs_.kind) {
      case K::kExp:
        return kernels::vector_exp(x, n, y, isa_);
      case K::kErf:
        return kernels::vector_erf(x, n, y, isa_);
      case K::kNegate:
        return loop(x, n, y, [](float v) XINFER_INLINE { return -v; });
      case K::kAbs:
        return loop(x, n, y, [](float v) XINFER_INLINE { return std::abs(v); });
      case K::kReciprocal:
        return loop(x, n, y, [](float v) XINFER_INLINE { return 1.0F / v; });
      case K::kSqrt:
        for (std::int64_t i = 0; i < n; ++i) y[i] = std::sqrt(x[i]);
        return;
      default:
        for (std::int64_t i = 0; i < n; ++i) y[i] = reference::unary_f32(attrs_, x[i]);
    }
  }

  template <class F>
  void loop(const float* x, std::int64_t n, float* y, F f) const {
    vector_loop(isa_, [=]() XINFER_INLINE {
      for (std::int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
    });
  }

  ir::UnaryAttrs attrs_;
  kernels::RowOutput output_;
  kernels::Isa isa_;
  std::int64_t count_;
  std::optional<kernels::ActivationParams> activation_;
};

// -- Binary ---------------------------------------------------------------------------------------------------------

/// Operands as they lie in memory, aligned for broadcasting: both padded with ones to the output's rank.
struct BinaryLayouts {
  Layout output;
  Layout operand[2];
};

/// Shape of an operand in memory, broadcast-compatible with the output's.
Dims operand_shape(Dims dims, std::size_t rank, const Layout& output) {
  dims.insert(dims.begin(), rank - dims.size(), 1);
  if (output.kind == Layout::Kind::kBlocked && dims[1] == 1) {
    // One channel for all: no block axis to run along.
    Dims physical = dims;
    physical.push_back(1);
    return physical;
  }
  return physical_dims(dims, output);
}

class BinaryStep final : public Step {
 public:
  BinaryStep(const Request& request, const BinaryLayouts& layouts, std::optional<kernels::ActivationParams> activation,
             kernels::RowOutput output)
      : kind_(request.node.as<ir::BinaryAttrs>().kind), activation_(activation), output_(output), isa_(request.isa) {
    const Dims y = request.output_dims();
    const Dims shape = physical_dims(y, layouts.output);
    const Dims sa = broadcast_strides(operand_shape(request.input_dims(0), y.size(), layouts.output), shape);
    const Dims sb = broadcast_strides(operand_shape(request.input_dims(1), y.size(), layouts.output), shape);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      count_ *= shape[i];
      if (shape[i] == 1) continue;
      if (!dims_.empty() && a_.back() == sa[i] * shape[i] && b_.back() == sb[i] * shape[i]) {
        dims_.back() *= shape[i];
        a_.back() = sa[i];
        b_.back() = sb[i];
      } else {
        dims_.push_back(shape[i]);
        a_.push_back(sa[i]);
        b_.push_back(sb[i]);
      }
    }
    if (dims_.empty()) dims_ = {1}, a_ = {0}, b_ = {0};
    implementation = "own_binary";
    inputs = {layouts.operand[0], layouts.operand[1]};
    outputs = {layouts.output};
    const bool to_float = output_.type == DataType::kFloat32;
    if (!to_float) scratch_bytes = static_cast<std::size_t>(count_) * sizeof(float);
    if (to_float && request.input_dims(0) == y && layouts.operand[0] == layouts.output) sharing = Sharing::kMay;
  }

  void run(const Frame& frame, State*) const override {
    const auto* a = static_cast<const float*>(frame.inputs[0]);
    const auto* b = static_cast<const float*>(frame.inputs[1]);
    const bool to_float = output_.type == DataType::kFloat32;
    auto* y = static_cast<float*>(to_float ? frame.outputs[0] : frame.scratch);
    if (count_ == 0) return;
    // The innermost axis is cut so that one huge axis still gives every thread a part.
    const std::int64_t inner = dims_.back();
    const std::int64_t cuts = (inner + kChunk - 1) / kChunk;
    const std::int64_t rows = count_ / inner;
    const std::int64_t step_a = a_.back(), step_b = b_.back();
#pragma omp parallel for schedule(static) if (count_ > kChunk)
    for (std::int64_t part = 0; part < rows * cuts; ++part) {
      const std::int64_t row = part / cuts, begin = part % cuts * kChunk;
      std::int64_t at_a = begin * step_a, at_b = begin * step_b, rest = row;
      for (std::size_t i = dims_.size() - 1; i-- > 0;) {
        const std::int64_t index = rest % dims_[i];
        rest /= dims_[i];
        at_a += index * a_[i];
        at_b += index * b_[i];
      }
      apply(a + at_a, step_a, b + at_b, step_b, std::min(kChunk, inner - begin), y + row * inner + begin);
    }
    if (!to_float || activation_) {
      kernels::activate(y, count_, activation_.value_or(kernels::ActivationParams{}), frame.outputs[0], output_, isa_);
    }
  }

 private:
  template <class F>
  void loop(const float* a, std::int64_t step_a, const float* b, std::int64_t step_b, std::int64_t n, float* y,
            F f) const {
    if (step_a == 1 && step_b == 1) {
      vector_loop(isa_, [=]() XINFER_INLINE {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
      });
    } else if (step_a == 1 && step_b == 0) {
      vector_loop(isa_, [=, value = *b]() XINFER_INLINE {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i], value);
      });
    } else if (step_a == 0 && step_b == 1) {
      vector_loop(isa_, [=, value = *a]() XINFER_INLINE {
        for (std::int64_t i = 0; i < n; ++i) y[i] = f(value, b[i]);
      });
    } else {
      for (std::int64_t i = 0; i < n; ++i) y[i] = f(a[i * step_a], b[i * step_b]);
    }
  }

  void apply(const float* a, std::int64_t sa, const float* b, std::int64_t sb, std::int64_t n, float* y) const {
    using K = ir::BinaryKind;
    switch (kind_) {
      case K::kAdd:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p + q; });
      case K::kSub:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p - q; });
      case K::kMul:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p * q; });
      case K::kDiv:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p / q; });
      case K::kMax:  // NaN wins, from either side
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p != p || p > q ? p : q; });
      case K::kMin:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p != p || p < q ? p : q; });
      case K::kPrelu:
        return loop(a, sa, b, sb, n, y, [](float p, float q) XINFER_INLINE { return p < 0 ? p * q : p; });
      default:  // kPow, the only other one that is created
        return loop(a, sa, b, sb, n, y, [](float p, float q) { return std::pow(p, q); });
    }
  }

  ir::BinaryKind kind_;
  std::optional<kernels::ActivationParams> activation_;
  kernels::RowOutput output_;
  kernels::Isa isa_;
  Dims dims_, a_, b_;  ///< merged axes, and the operands' strides along them
  std::int64_t count_ = 1;
};

bool keeps_zero_padding(ir::BinaryKind kind) {
  using K = ir::BinaryKind;
  return kind == K::kAdd || kind == K::kSub || kind == K::kMul || kind == K::kMax || kind == K::kMin ||
         kind == K::kPrelu;
}

/// The operands' common layout, or plain where their shapes don't allow another.
BinaryLayouts binary_layouts(const Request& request) {
  const Dims y = request.output_dims();
  const auto try_layout = [&](const Layout& layout) -> std::optional<BinaryLayouts> {
    BinaryLayouts result;
    result.output = layout;
    if (layout.is_plain() || !fits(layout, y.size()) || y[1] == 1) return std::nullopt;
    // Padding would not stay zero under these.
    if (has_padding(y, layout) &&
        (!keeps_zero_padding(request.node.as<ir::BinaryAttrs>().kind) ||
         request.node.as<ir::BinaryAttrs>().epilogue.activation != ir::UnaryKind::kIdentity)) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const Dims dims = request.input_dims(i);
      if (dims.size() != y.size()) {
        std::int64_t count = 1;
        for (const std::int64_t d : dims) count *= d;
        if (count != 1) return std::nullopt;  // a lower rank would have to be laid out as another shape
        result.operand[i] = Layout::plain();
        continue;
      }
      const bool one_channel = dims[1] == 1 && y[1] != 1;
      if (one_channel && has_padding(y, layout)) return std::nullopt;
      result.operand[i] = one_channel ? Layout::plain() : layout;
    }
    return result;
  };
  for (std::size_t i = 0; i < 2; ++i) {
    if (request.input_dims(i) != y) continue;
    if (const auto layouts = try_layout(request.layouts[i])) return *layouts;
  }
  return {};
}

}  // namespace

Creation create_unary_f32(const Request& request) {
  const auto& attrs = request.node.as<ir::UnaryAttrs>();
  if (!is_float(request.input(0))) return Refusal{"the input is not f32"};
  if (attrs.kind == ir::UnaryKind::kIsNan || attrs.kind == ir::UnaryKind::kNot) return Refusal{"the output is bool"};
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  const Dims dims = request.input_dims(0);
  // Functions with f(0) != 0 would leave rubbish in the padding of blocks.
  const bool keeps_zero = reference::unary_f32(attrs, 0.0F) == 0.0F && output->type == DataType::kFloat32;
  const Layout layout = has_padding(dims, request.layouts[0]) && !keeps_zero ? Layout::plain() : request.layouts[0];
  return std::make_unique<UnaryStep>(request, *output, layout);
}

Creation create_binary_f32(const Request& request) {
  using K = ir::BinaryKind;
  const auto& attrs = request.node.as<ir::BinaryAttrs>();
  if (!is_float(request.input(0)) || !is_float(request.input(1))) return Refusal{"an operand is not f32"};
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  if (!keeps_zero_padding(attrs.kind) && attrs.kind != K::kDiv && attrs.kind != K::kPow) {
    return Refusal{fmt::format("{} has no vector loop", name_of(attrs.kind))};
  }
  std::optional<kernels::ActivationParams> activation;
  if (attrs.epilogue.activation != ir::UnaryKind::kIdentity) {
    activation = kernel_activation(attrs.epilogue);
    if (!activation) return Refusal{"our kernels can't fuse this activation"};
  }
  return std::make_unique<BinaryStep>(request, binary_layouts(request), activation, *output);
}

}  // namespace xinfer::cpu
