#include "cpu/dnnl_api.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/isa.h"
#include "xinfer/core/errors.h"

namespace xinfer::cpu::dnnl_api {
namespace {

using Tag = dnnl::memory::format_tag;

dnnl::engine make_engine() {
  const kernels::Isa wanted = kernels::detect_isa();
  if (wanted < kernels::hardware_isa()) {
    const dnnl::cpu_isa limit = wanted == kernels::Isa::kAvx512 ? dnnl::cpu_isa::avx512_core
                                : wanted == kernels::Isa::kAvx2 ? dnnl::cpu_isa::avx2
                                                                : dnnl::cpu_isa::sse41;
    // Too late when the process has used oneDNN before: the limit then stays, and only speed differs.
    static_cast<void>(dnnl::set_max_cpu_isa(limit));
  }
  return {dnnl::engine::kind::cpu, 0};
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(dims[i], 1);
  return strides;
}

dnnl::algorithm eltwise_of(ir::UnaryKind kind) {
  using K = ir::UnaryKind;
  using A = dnnl::algorithm;
  switch (kind) {
    case K::kRelu:
    case K::kLeakyRelu:
      return A::eltwise_relu;
    case K::kClip:
      return A::eltwise_clip;
    case K::kElu:
      return A::eltwise_elu;
    case K::kSigmoid:
      return A::eltwise_logistic;
    case K::kHardSwish:
      return A::eltwise_hardswish;
    case K::kSilu:
      return A::eltwise_swish;
    case K::kGelu:
      return A::eltwise_gelu_erf;
    case K::kGeluTanh:
      return A::eltwise_gelu_tanh;
    case K::kMish:
      return A::eltwise_mish;
    case K::kTanh:
      return A::eltwise_tanh;
    case K::kAbs:
      return A::eltwise_abs;
    case K::kSqrt:
      return A::eltwise_sqrt;
    case K::kExp:
      return A::eltwise_exp;
    default:
      return A::undef;
  }
}

void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

Dims zero_based(const Dims& dilations) {
  Dims result = dilations;
  for (auto& d : result) --d;
  return result;
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine instance = make_engine();
  return instance;
}

bool has_type(DataType type) { return type != DataType::kInt64 && type != DataType::kBool; }

Memory::data_type type_of(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return Memory::data_type::f32;
    case DataType::kInt8:
      return Memory::data_type::s8;
    case DataType::kUInt8:
      return Memory::data_type::u8;
    case DataType::kInt32:
      return Memory::data_type::s32;
    case DataType::kInt64:
    case DataType::kBool:
      break;
  }
  throw UnsupportedError(fmt::format("oneDNN has no tensors of type {}", name_of(type)));
}

MemoryDesc describe(DataType type, const Dims& dims, const Layout& layout) {
  if (layout.is_plain()) {
    const Dims shape = dims.empty() ? Dims{1} : dims;
    return {shape, type_of(type), strides_of(shape)};
  }
  if (layout.kind == Layout::Kind::kSwapped) {
    return {dims, type_of(type), Dims{dims[1] * dims[2] * dims[3], dims[3], dims[1] * dims[3], 1}};
  }
  static constexpr Tag kLast[] = {Tag::acb, Tag::acdb, Tag::acdeb};
  static constexpr Tag kBlocked4[] = {Tag::aBc4b, Tag::aBcd4b, Tag::aBcde4b};
  static constexpr Tag kBlocked8[] = {Tag::aBc8b, Tag::aBcd8b, Tag::aBcde8b};
  static constexpr Tag kBlocked16[] = {Tag::aBc16b, Tag::aBcd16b, Tag::aBcde16b};
  const std::size_t i = dims.size() - 3;
  if (layout.kind == Layout::Kind::kChannelsLast) return {dims, type_of(type), kLast[i]};
  return {dims, type_of(type), layout.block == 4 ? kBlocked4[i] : layout.block == 8 ? kBlocked8[i] : kBlocked16[i]};
}

MemoryDesc describe_any(DataType type, const Dims& dims) { return {dims, type_of(type), Tag::any}; }

MemoryDesc describe_strided(DataType type, const Dims& dims, const Dims& strides) {
  return {dims, type_of(type), strides};
}

std::optional<Layout> layout_of(const MemoryDesc& desc, DataType type, const Dims& dims) {
  for (const Layout& layout :
       {Layout::plain(), Layout::channels_last(), Layout::blocked(16), Layout::blocked(8), Layout::blocked(4)}) {
    if (fits(layout, dims.size()) && describe(type, dims, layout) == desc) return layout;
  }
  return std::nullopt;
}

bool has_eltwise(ir::UnaryKind kind) {
  return kind == ir::UnaryKind::kIdentity || kind == ir::UnaryKind::kHardSigmoid ||
         eltwise_of(kind) != dnnl::algorithm::undef;
}

Attributes::Attributes() { attr_.set_scratchpad_mode(dnnl::scratchpad_mode::user); }

void Attributes::append_sum(float scale, DataType type, DataType output) {
  // Fewer implementations take a type of its own, even when it is the output's.
  if (type == output) {
    post_ops_.append_sum(scale);
  } else {
    post_ops_.append_sum(scale, 0, type_of(type));
  }
}

void Attributes::append_activation(ir::UnaryKind kind, float alpha, float beta, float scale) {
  using K = ir::UnaryKind;
  if (kind == K::kHardSigmoid) {
    // The scale goes inside: 2.6 gets chains of three functions wrong.
    append_eltwise(post_ops_, dnnl::algorithm::eltwise_linear, alpha * scale, beta * scale);
    append_eltwise(post_ops_, dnnl::algorithm::eltwise_clip, 0.0F, scale);
    return;
  }
  if (kind == K::kRelu) alpha = 0.0F;
  if (kind == K::kSilu) alpha = 1.0F;
#if DNNL_VERSION_MAJOR >= 3
  if (kind == K::kHardSwish) alpha = 1.0F / 6.0F, beta = 0.5F;
#endif
  if (kind != K::kIdentity) append_eltwise(post_ops_, eltwise_of(kind), alpha, beta);
  if (scale != 1.0F) append_linear(scale);
}

void Attributes::append_linear(float scale) { append_eltwise(post_ops_, dnnl::algorithm::eltwise_linear, scale, 0.0F); }

void Attributes::append_columns(ir::BinaryKind kind, const Tensor& operand) {
  const Dims dims{1, operand.numel()};
  Memory memory(describe(DataType::kFloat32, dims, Layout::plain()), engine());
  std::memcpy(memory.get_data_handle(), operand.raw(), operand.bytes());
  const auto algorithm = kind == ir::BinaryKind::kMul ? dnnl::algorithm::binary_mul : dnnl::algorithm::binary_add;
  const int argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_ops_.len()) | DNNL_ARG_SRC_1;
  post_ops_.append_binary(algorithm, memory.get_desc());
  arguments_.emplace_back(argument, std::move(memory));
}

void Attributes::set_multipliers(const std::vector<float>& multipliers, std::vector<float>& bias,
                                 bool grouped_weights) {
#if DNNL_VERSION_MAJOR >= 3
  static_cast<void>(bias);
  attr_.set_scales_mask(DNNL_ARG_WEIGHTS, multipliers.size() == 1 ? 0 : grouped_weights ? 3 : 1);
  Memory scales({{static_cast<std::int64_t>(multipliers.size())}, Memory::data_type::f32, Tag::a}, engine());
  std::memcpy(scales.get_data_handle(), multipliers.data(), multipliers.size() * sizeof(float));
  arguments_.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, scales);
#else
  static_cast<void>(grouped_weights);
  attr_.set_output_scales(multipliers.size() == 1 ? 0 : 1 << 1, multipliers);
  // 2.x multiplies after adding the bias, so the bias is given in units of the accumulator.
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] /= multipliers[multipliers.size() == 1 ? 0 : i];
#endif
}

void Attributes::set_multiplier(float multiplier) {
  std::vector<float> no_bias;
  set_multipliers({multiplier}, no_bias, false);
}

const dnnl::primitive_attr& Attributes::get() {
  attr_.set_post_ops(post_ops_);
  return attr_;
}

dnnl::convolution_forward::primitive_desc convolution(const MemoryDesc& src, const MemoryDesc& weights,
                                                      const MemoryDesc* bias, const MemoryDesc& dst, const Window& w,
                                                      Attributes& attributes) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
  const MemoryDesc no_bias;
  const MemoryDesc& b = bias != nullptr ? *bias : no_bias;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),     kKind,      kAlgorithm,      src, weights, b, dst, w.strides, zero_based(w.dilations),
          w.pads_begin, w.pads_end, attributes.get()};
#else
  return {{kKind, kAlgorithm, src, weights, b, dst, w.strides, zero_based(w.dilations), w.pads_begin, w.pads_end},
          attributes.get(),
          engine()};
#endif
}

dnnl::deconvolution_forward::primitive_desc deconvolution(const MemoryDesc& src, const MemoryDesc& weights,
                                                          const MemoryDesc* bias, const MemoryDesc& dst,
                                                          const Window& w, Attributes& attributes) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::deconvolution_direct;
  const MemoryDesc no_bias;
  const MemoryDesc& b = bias != nullptr ? *bias : no_bias;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),     kKind,      kAlgorithm,      src, weights, b, dst, w.strides, zero_based(w.dilations),
          w.pads_begin, w.pads_end, attributes.get()};
#else
  return {{kKind, kAlgorithm, src, weights, b, dst, w.strides, zero_based(w.dilations), w.pads_begin, w.pads_end},
          attributes.get(),
          engine()};
#endif
}

dnnl::inner_product_forward::primitive_desc inner_product(const MemoryDesc& src, const MemoryDesc& weights,
                                                          const MemoryDesc* bias, const MemoryDesc& dst,
                                                          Attributes& attributes) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  const MemoryDesc no_bias;
  const MemoryDesc& b = bias != nullptr ? *bias : no_bias;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kKind, src, weights, b, dst, attributes.get()};
#else
  return {{kKind, src, weights, b, dst}, attributes.get(), engine()};
#endif
}

dnnl::matmul::primitive_desc matmul(const MemoryDesc& a, const MemoryDesc& b, const MemoryDesc* bias,
                                    const MemoryDesc& dst, Attributes& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  if (bias == nullptr) return {engine(), a, b, dst, attributes.get()};
  return {engine(), a, b, *bias, dst, attributes.get()};
#else
  if (bias == nullptr) return {dnnl::matmul::desc(a, b, dst), attributes.get(), engine()};
  return {dnnl::matmul::desc(a, b, *bias, dst), attributes.get(), engine()};
#endif
}

PoolingPrimitive pooling(Pooling kind, const MemoryDesc& src, const MemoryDesc& dst, const Window& w) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  const auto algorithm = kind == Pooling::kMax                  ? dnnl::algorithm::pooling_max
                         : kind == Pooling::kAverageWithPadding ? dnnl::algorithm::pooling_avg_include_padding
                                                                : dnnl::algorithm::pooling_avg_exclude_padding;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::pooling_forward::primitive_desc desc(engine(), kKind, algorithm, src, dst, w.strides, w.kernel,
                                                   zero_based(w.dilations), w.pads_begin, w.pads_end, attr);
  return {dnnl::pooling_forward(desc), desc.scratchpad_desc(), is_generic(desc)};
#else
  const dnnl::pooling_v2_forward::primitive_desc desc(
      {kKind, algorithm, src, dst, w.strides, w.kernel, zero_based(w.dilations), w.pads_begin, w.pads_end}, attr,
      engine());
  return {dnnl::pooling_v2_forward(desc), desc.scratchpad_desc(), is_generic(desc)};
#endif
}

void reorder_now(Memory& src, Memory& dst) {
  dnnl::stream stream(engine());
  dnnl::reorder(src, dst).execute(stream, src, dst);
  stream.wait();
}

}  // namespace xinfer::cpu::dnnl_api
