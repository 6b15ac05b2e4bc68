// Batched matrix products of two activations.

#include <fmt/format.h>

#include <omp.h>

#include "cpu/dnnl_step.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"

namespace xinfer::cpu {
namespace {

using dnnl_api::MemoryDesc;

/// Shape with leading ones up to `rank`.
Dims padded(Dims dims, std::size_t rank) {
  dims.insert(dims.begin(), rank - dims.size(), 1);
  return dims;
}

/// Descriptor of an operand whose last two axes are swapped in memory when `transposed`.
MemoryDesc operand(DataType type, Dims dims, std::size_t rank, bool transposed) {
  dims = padded(std::move(dims), rank);
  Dims strides(rank, 1);
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  if (transposed) {
    std::swap(dims[rank - 1], dims[rank - 2]);
    std::swap(strides[rank - 1], strides[rank - 2]);
  }
  return dnnl_api::describe_strided(type, dims, strides);
}

struct Operands {
  MemoryDesc a, b, y;
};

Operands operands_of(const Request& request) {
  const auto& attrs = request.node.as<ir::MatMulAttrs>();
  const Dims y = request.output_dims();
  return {operand(request.input_type(0), request.input_dims(0), y.size(), attrs.transpose_a),
          operand(request.input_type(1), request.input_dims(1), y.size(), attrs.transpose_b),
          dnnl_api::describe(request.output_type(), y, Layout::plain())};
}

Creation finish(const Request& request, const Operands& operands, dnnl_api::Attributes& attributes) {
  const auto desc = dnnl_api::matmul(operands.a, operands.b, nullptr, operands.y, attributes);
  if (dnnl_api::is_generic(desc)) return Refusal{"oneDNN has only its generic implementation"};
  std::vector<Operand> arguments{Operand::input(DNNL_ARG_SRC, 0, operands.a),
                                 Operand::input(DNNL_ARG_WEIGHTS, 1, operands.b),
                                 Operand::output(DNNL_ARG_DST, operands.y)};
  add_attribute_operands(arguments, attributes);
  auto step = std::make_unique<DnnlStep>(dnnl::matmul(desc), std::move(arguments), desc.scratchpad_desc());
  step->implementation = fmt::format("dnnl:{}", desc.impl_info_str());
  set_layouts(*step, request, Layout::plain());
  return step;
}

/// One sgemm for each matrix of the batch. Also exact for 8-bit operands while every partial sum stays below 2^24.
class SgemmStep final : public Step {
 public:
  SgemmStep(const Request& request, const reference::FoldedScales& folded)
      : attrs_(request.node.as<ir::MatMulAttrs>()) {
    a_type_ = request.input_type(0);
    b_type_ = request.input_type(1);
    y_type_ = request.output_type();
    multiplier_ = folded.multiplier.at(0);
    const Dims y = request.output_dims();
    const Dims a = padded(request.input_dims(0), y.size());
    const Dims b = padded(request.input_dims(1), y.size());
    const std::size_t rank = y.size();
    rows_ = y[rank - 2];
    columns_ = y[rank - 1];
    depth_ = a[attrs_.transpose_a ? rank - 2 : rank - 1];
    // Index of the matrix of a and of b for every matrix of the result.
    std::int64_t count = 1;
    for (std::size_t i = 0; i + 2 < rank; ++i) count *= y[i];
    for (std::int64_t n = 0; n < count; ++n) {
      std::int64_t rest = n, at_a = 0, at_b = 0, step_a = 1, step_b = 1;
      for (std::size_t i = rank - 2; i-- > 0;) {
        const std::int64_t index = rest % y[i];
        rest /= y[i];
        at_a += a[i] == 1 ? 0 : index * step_a;
        at_b += b[i] == 1 ? 0 : index * step_b;
        step_a *= a[i];
        step_b *= b[i];
      }
      matrices_.emplace_back(at_a, at_b);
    }
    implementation = is_float_() ? "sgemm" : "exact_sgemm";
    if (!is_float_()) {
      compute_type = DataType::kInt8;
      per_thread_ = static_cast<std::size_t>(rows_ * depth_ + depth_ * columns_ + rows_ * columns_);
      threads_ = request.threads;
      scratch_bytes = per_thread_ * sizeof(float) * static_cast<std::size_t>(threads_);
    }
    set_layouts(*this, request, Layout::plain());
  }

  void run(const Frame& frame, State*) const override {
    const auto count = static_cast<std::int64_t>(matrices_.size());
    if (is_float_()) {
#pragma omp parallel for schedule(static) if (count >= omp_get_max_threads())
      for (std::int64_t n = 0; n < count; ++n) {
        const auto [at_a, at_b] = matrices_[static_cast<std::size_t>(n)];
        multiply(static_cast<const float*>(frame.inputs[0]) + at_a * rows_ * depth_,
                 static_cast<const float*>(frame.inputs[1]) + at_b * depth_ * columns_, multiplier_,
                 static_cast<float*>(frame.outputs[0]) + n * rows_ * columns_);
      }
      return;
    }
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t n = 0; n < count; ++n) {
      const auto [at_a, at_b] = matrices_[static_cast<std::size_t>(n)];
      float* a = static_cast<float*>(frame.scratch) + per_thread_ * static_cast<std::size_t>(omp_get_thread_num());
      float* b = a + rows_ * depth_;
      float* y = b + depth_ * columns_;
      widen(frame.inputs[0], a_type_, at_a * rows_ * depth_, rows_ * depth_, a);
      widen(frame.inputs[1], b_type_, at_b * depth_ * columns_, depth_ * columns_, b);
      multiply(a, b, 1.0F, y);
      store(y, frame.outputs[0], n * rows_ * columns_);
    }
  }

 private:
  bool is_float_() const { return a_type_ == DataType::kFloat32; }

  void multiply(const float* a, const float* b, float alpha, float* y) const {
    dnnl::sgemm(attrs_.transpose_a ? 'T' : 'N', attrs_.transpose_b ? 'T' : 'N', rows_, columns_, depth_, alpha, a,
                attrs_.transpose_a ? rows_ : depth_, b, attrs_.transpose_b ? depth_ : columns_, 0.0F, y, columns_);
  }

  static void widen(const void* from, DataType type, std::int64_t offset, std::int64_t count, float* to) {
    if (type == DataType::kInt8) {
      const auto* q = static_cast<const std::int8_t*>(from) + offset;
      for (std::int64_t i = 0; i < count; ++i) to[i] = q[i];
    } else {
      const auto* q = static_cast<const std::uint8_t*>(from) + offset;
      for (std::int64_t i = 0; i < count; ++i) to[i] = q[i];
    }
  }

  void store(const float* sums, void* to, std::int64_t offset) const {
    const std::int64_t count = rows_ * columns_;
    const auto write = [&]<class T>(T* y) {
      for (std::int64_t i = 0; i < count; ++i) y[offset + i] = reference::round_to<T>(sums[i] * multiplier_);
    };
    if (y_type_ == DataType::kFloat32) write(static_cast<float*>(to));
    if (y_type_ == DataType::kInt8) write(static_cast<std::int8_t*>(to));
    if (y_type_ == DataType::kUInt8) write(static_cast<std::uint8_t*>(to));
  }

  ir::MatMulAttrs attrs_;
  DataType a_type_, b_type_, y_type_;
  float multiplier_;
  std::int64_t rows_, columns_, depth_;
  std::vector<std::pair<std::int64_t, std::int64_t>> matrices_;
  std::size_t per_thread_ = 0;
  int threads_ = 1;
};

/// The integer contract's constants of a MatMul; a string says why it follows none.
std::variant<reference::FoldedScales, std::string> integer_scales(const Request& request) {
  const auto a = plain_scale(request.input(0));
  const auto b = plain_scale(request.input(1));
  const auto y = output_scale(request.output());
  if (!a || !b) return "an operand is no 8-bit tensor with one scale and zero point 0";
  if (!y) return "the output has no plain scale";
  const double scale = static_cast<double>(*a) * *b * request.node.as<ir::MatMulAttrs>().alpha;
  return reference::fold({.input = scale, .output = *y}, {});
}

}  // namespace

Creation create_matmul_f32(const Request& request) {
  if (!is_float(request.input(0)) || !is_float(request.input(1)) || !is_float(request.output())) {
    return Refusal{"an operand is not f32"};
  }
  const float alpha = request.node.as<ir::MatMulAttrs>().alpha;
  dnnl_api::Attributes attributes;
  if (alpha != 1.0F) attributes.append_linear(alpha);
  return finish(request, operands_of(request), attributes);
}

Creation create_matmul_sgemm(const Request& request) {
  if (!is_float(request.input(0)) || !is_float(request.input(1)) || !is_float(request.output())) {
    return Refusal{"an operand is not f32"};
  }
  return std::make_unique<SgemmStep>(
      request, reference::fold({.input = request.node.as<ir::MatMulAttrs>().alpha}, ir::Epilogue{}));
}

Creation create_matmul_int8(const Request& request) {
  const auto scales = integer_scales(request);
  if (const auto* reason = std::get_if<std::string>(&scales)) return Refusal{*reason};
  if (request.isa != kernels::Isa::kAvx512Vnni) return Refusal{"without VNNI oneDNN saturates sums at 16 bits"};
  if (request.input_type(1) != DataType::kInt8) return Refusal{"oneDNN takes only s8 as the second operand"};
  dnnl_api::Attributes attributes;
  attributes.set_multiplier(std::get<reference::FoldedScales>(scales).multiplier.at(0));
  Creation creation = finish(request, operands_of(request), attributes);
  if (auto* step = std::get_if<std::unique_ptr<Step>>(&creation)) (*step)->compute_type = DataType::kInt8;
  return creation;
}

Creation create_matmul_int8_exact(const Request& request) {
  const auto scales = integer_scales(request);
  if (const auto* reason = std::get_if<std::string>(&scales)) return Refusal{*reason};
  const Dims a = request.input_dims(0);
  const std::int64_t depth = a[request.node.as<ir::MatMulAttrs>().transpose_a ? a.size() - 2 : a.size() - 1];
  const std::int64_t largest_a = request.input_type(0) == DataType::kUInt8 ? 255 : 128;
  const std::int64_t largest_b = request.input_type(1) == DataType::kUInt8 ? 255 : 128;
  if (depth * largest_a * largest_b >= (1 << 24)) return Refusal{"sums could exceed the 24 bits of a float"};
  return std::make_unique<SgemmStep>(request, std::get<reference::FoldedScales>(scales));
}

}  // namespace xinfer::cpu
