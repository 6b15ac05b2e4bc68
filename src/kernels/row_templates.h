#pragma once
// The row kernels, written once over sixteen lanes. Include inside a target region, after lanes_math.h.

#include "kernels/row_kernels.h"

namespace xinfer::kernels {

template <class S>
struct Rows {
  using F = typename S::F;
  using I = typename S::I;

  template <typename W>
  static XINFER_INLINE I load_int(const void* p, DataType type, std::int64_t i, W w) {
    return type == DataType::kUInt8 ? S::load_int(static_cast<const std::uint8_t*>(p) + i, w)
                                    : S::load_int(static_cast<const std::int8_t*>(p) + i, w);
  }

  template <typename W>
  static XINFER_INLINE F load_any(const void* p, DataType type, std::int64_t i, W w) {
    return type == DataType::kFloat32 ? S::load(static_cast<const float*>(p) + i, w)
                                      : S::to_float(load_int(p, type, i, w));
  }

  /// Clamping before rounding equals rounding before clamping, since the bounds are integers.
  template <typename W>
  static XINFER_INLINE void store_any(F y, DataType type, void* p, std::int64_t i, W w) {
    if (type == DataType::kInt8) {
      y = S::max(S::min(y, S::set(127.0F)), S::set(-128.0F));
      S::store_int(static_cast<std::int8_t*>(p) + i, S::round_int(y), w);
    } else if (type == DataType::kUInt8) {
      y = S::max(S::min(y, S::set(255.0F)), S::set(0.0F));
      S::store_int(static_cast<std::uint8_t*>(p) + i, S::round_int(y), w);
    } else {
      S::store(static_cast<float*>(p) + i, y, w);
    }
  }

  template <typename W>
  static XINFER_INLINE void store_row(F y, RowOutput spec, void* p, std::int64_t i, W w) {
    if (spec.type != DataType::kFloat32) {
      y = S::div(y, S::set(spec.scale));
      y = S::select(S::is_nan(y), S::set(0.0F), y);
    }
    store_any(y, spec.type, p, i, w);
  }

  template <class Body>
  static XINFER_INLINE void for_lanes(std::int64_t n, const Body& body) {
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      body(i, Full{});
    }
    if (i < n) {
      body(i, Tail{static_cast<int>(n - i)});
    }
  }

  /// The end of a kernel whose activation is a clamp: no branch on its kind within the loop.
  struct ClampEnd {
    float low = -__builtin_inff();
    float high = __builtin_inff();
    XINFER_INLINE F operator()(F y) const { return S::min(S::max(y, S::set(low)), S::set(high)); }
  };
  /// Any activation, and a division by the output's scale.
  struct AnyEnd {
    const ActivationParams& params;
    float out_scale;
    XINFER_INLINE F operator()(F y) const {
      y = activation<S>(y, params);
      return out_scale != 1.0F ? S::div(y, S::set(out_scale)) : y;
    }
  };
  /// Calls body with the cheapest end that does what `params` and `out_scale` ask.
  template <class Body>
  static XINFER_INLINE void with_end(const ActivationParams& params, float out_scale, const Body& body) {
    if (out_scale == 1.0F && params.kind == Activation::kIdentity) {
      body(ClampEnd{});
    } else if (out_scale == 1.0F && params.kind == Activation::kRelu) {
      body(ClampEnd{.low = 0.0F});
    } else if (out_scale == 1.0F && params.kind == Activation::kClip) {
      body(ClampEnd{.low = params.clip_lo, .high = params.clip_hi});
    } else {
      body(AnyEnd{params, out_scale});
    }
  }

  template <class End>
  struct Requantize {
    const std::int32_t* acc;
    const RequantParams& params;
    std::int64_t channel;
    const void* residual;
    void* output;
    End end;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      const F m = S::load(params.multiplier + channel + i, w);
      const F b = params.bias == nullptr ? S::set(0.0F) : S::load(params.bias + channel + i, w);
      F y = S::fma(S::to_float(S::load_int(acc + i, w)), m, b);
      if (residual != nullptr) {
        y = S::fma(load_any(residual, params.residual_type, i, w), S::set(params.residual_scale), y);
      }
      store_any(end(y), params.output_type, output, i, w);
    }
  };
  struct RequantizeRow {
    const std::int32_t* acc;
    std::int64_t n;
    const RequantParams& params;
    std::int64_t channel;
    const void* residual;
    void* output;
    template <class End>
    XINFER_INLINE void operator()(const End& end) const {
      for_lanes(n, Requantize<End>{acc, params, channel, residual, output, end});
    }
  };
  static void requantize(const std::int32_t* acc, std::int64_t n, const RequantParams& params, std::int64_t channel,
                         const void* residual, void* output) {
    with_end(params.activation, params.out_scale, RequantizeRow{acc, n, params, channel, residual, output});
  }

  struct Quantize {
    const float* x;
    RowOutput spec;
    void* output;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      store_row(S::load(x + i, w), spec, output, i, w);
    }
  };
  static void quantize(const float* x, std::int64_t n, RowOutput spec, void* output) {
    for_lanes(n, Quantize{x, spec, output});
  }

  struct Rescale {
    const void* q;
    DataType type;
    float ratio;
    DataType output_type;
    void* output;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      store_any(S::mul(S::to_float(load_int(q, type, i, w)), S::set(ratio)), output_type, output, i, w);
    }
  };
  static void dequantize(const void* q, DataType type, std::int64_t n, float scale, float* output) {
    for_lanes(n, Rescale{q, type, scale, DataType::kFloat32, output});
  }
  static void rescale(const void* q, DataType type, std::int64_t n, float ratio, DataType output_type, void* output) {
    for_lanes(n, Rescale{q, type, ratio, output_type, output});
  }

  template <bool kAdd, class End>
  struct Binary {
    const void* a;
    const void* b;
    const BinaryParams& params;
    void* output;
    End end;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      const I ia = load_int(a, params.a_type, i, w);
      const I ib = load_int(b, params.b_type, i, w);
      const F scale = S::set(params.a_scale);
      F y;
      if constexpr (kAdd) {
        y = S::fma(S::to_float(ib), S::set(params.b_scale), S::mul(S::to_float(ia), scale));
      } else {
        y = S::mul(S::to_float(S::mul_int(ia, ib)), scale);
      }
      store_any(end(y), params.output_type, output, i, w);
    }
  };
  template <bool kAdd>
  struct BinaryRow {
    const void* a;
    const void* b;
    std::int64_t n;
    const BinaryParams& params;
    void* output;
    template <class End>
    XINFER_INLINE void operator()(const End& end) const {
      for_lanes(n, Binary<kAdd, End>{a, b, params, output, end});
    }
  };
  static void add(const void* a, const void* b, std::int64_t n, const BinaryParams& params, void* output) {
    with_end(params.activation, params.out_scale, BinaryRow<true>{a, b, n, params, output});
  }
  static void multiply(const void* a, const void* b, std::int64_t n, const BinaryParams& params, void* output) {
    with_end(params.activation, params.out_scale, BinaryRow<false>{a, b, n, params, output});
  }

  struct ScaleSums {
    const std::int32_t* sums;
    float factor;
    DataType output_type;
    void* output;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      store_any(S::mul(S::to_float(S::load_int(sums + i, w)), S::set(factor)), output_type, output, i, w);
    }
  };
  static void scale_sums(const std::int32_t* sums, std::int64_t n, float factor, DataType output_type, void* output) {
    for_lanes(n, ScaleSums{sums, factor, output_type, output});
  }

  struct SumPixels {
    const void* const* pixels;
    std::int64_t count;
    DataType type;
    std::int32_t* sums;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      I sum = S::round_int(S::set(0.0F));
      for (std::int64_t p = 0; p < count; ++p) {
        sum = S::add_int(sum, load_int(pixels[p], type, i, w));
      }
      S::store_int(sums + i, sum, w);
    }
  };
  static void sum_pixels(const void* const* pixels, std::int64_t count, DataType type, std::int64_t n,
                         std::int32_t* sums) {
    for_lanes(n, SumPixels{pixels, count, type, sums});
  }

  struct Mean {
    const float* x;
    F& sum;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      sum = S::add(sum, S::load(x + i, w));
    }
  };
  struct Deviation {
    const float* x;
    F mean;
    F& sum;
    XINFER_INLINE void operator()(std::int64_t i, Full w) const {
      const F d = S::sub(S::load(x + i, w), mean);
      sum = S::fma(d, d, sum);
    }
    XINFER_INLINE void operator()(std::int64_t i, Tail w) const {
      const F d = S::keep(S::sub(S::load(x + i, w), mean), 0.0F, w);
      sum = S::fma(d, d, sum);
    }
  };
  struct Normalize {
    const float* x;
    const float* gamma;
    const float* beta;
    F mean;
    F inverse;
    void* output;
    RowOutput spec;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      F y = S::mul(S::sub(S::load(x + i, w), mean), inverse);
      if (gamma != nullptr && beta != nullptr) {
        y = S::fma(y, S::load(gamma + i, w), S::load(beta + i, w));
      } else if (gamma != nullptr) {
        y = S::mul(y, S::load(gamma + i, w));
      } else if (beta != nullptr) {
        y = S::add(y, S::load(beta + i, w));
      }
      store_row(y, spec, output, i, w);
    }
  };
  static void layer_norm(const float* x, std::int64_t n, const float* gamma, const float* beta, float epsilon,
                         void* output, RowOutput spec) {
    const float size = static_cast<float>(n);
    F sum = S::set(0.0F);
    for_lanes(n, Mean{x, sum});
    const F mean = S::set(S::sum(sum) / size);
    F squares = S::set(0.0F);
    for_lanes(n, Deviation{x, mean, squares});
    const F inverse = S::set(1.0F / __builtin_sqrtf(S::sum(squares) / size + epsilon));
    for_lanes(n, Normalize{x, gamma, beta, mean, inverse, output, spec});
  }

  struct Largest {
    const float* x;
    F& largest;
    XINFER_INLINE void operator()(std::int64_t i, Full w) const { largest = S::max(largest, S::load(x + i, w)); }
    XINFER_INLINE void operator()(std::int64_t i, Tail w) const {
      largest = S::max(largest, S::keep(S::load(x + i, w), -__builtin_inff(), w));
    }
  };
  struct ShiftedExp {
    const float* x;
    F largest;
    float* out;
    F& sum;
    XINFER_INLINE void operator()(std::int64_t i, Full w) const {
      const F e = exp<S>(S::sub(S::load(x + i, w), largest));
      S::store(out + i, e, w);
      sum = S::add(sum, e);
    }
    XINFER_INLINE void operator()(std::int64_t i, Tail w) const {
      const F e = exp<S>(S::sub(S::load(x + i, w), largest));
      S::store(out + i, e, w);
      sum = S::add(sum, S::keep(e, 0.0F, w));
    }
  };
  struct Multiply {
    const float* x;
    F factor;
    void* output;
    RowOutput spec;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      store_row(S::mul(S::load(x + i, w), factor), spec, output, i, w);
    }
  };
  static void softmax(const float* x, std::int64_t n, float* scratch, void* output, RowOutput spec) {
    F largest = S::set(-__builtin_inff());
    for_lanes(n, Largest{x, largest});
    F sum = S::set(0.0F);
    for_lanes(n, ShiftedExp{x, S::set(S::largest(largest)), scratch, sum});
    for_lanes(n, Multiply{scratch, S::set(1.0F / S::sum(sum)), output, spec});
  }

  struct Activate {
    const float* x;
    const ActivationParams& params;
    void* output;
    RowOutput spec;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      store_row(activation<S>(S::load(x + i, w), params), spec, output, i, w);
    }
  };
  static void activate(const float* x, std::int64_t n, const ActivationParams& params, void* output, RowOutput spec) {
    for_lanes(n, Activate{x, params, output, spec});
  }

  struct Exp {
    const float* x;
    float* output;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      S::store(output + i, kernels::exp<S>(S::load(x + i, w)), w);
    }
  };
  static void exp_row(const float* x, std::int64_t n, float* output) { for_lanes(n, Exp{x, output}); }

  struct Erf {
    const float* x;
    float* output;
    template <typename W>
    XINFER_INLINE void operator()(std::int64_t i, W w) const {
      S::store(output + i, kernels::erf<S>(S::load(x + i, w)), w);
    }
  };
  static void erf_row(const float* x, std::int64_t n, float* output) { for_lanes(n, Erf{x, output}); }

  static constexpr RowKernels kTable{.requantize = requantize,
                                     .quantize = quantize,
                                     .dequantize = dequantize,
                                     .rescale = rescale,
                                     .add = add,
                                     .multiply = multiply,
                                     .scale_sums = scale_sums,
                                     .sum_pixels = sum_pixels,
                                     .layer_norm = layer_norm,
                                     .softmax = softmax,
                                     .activate = activate,
                                     .exp = exp_row,
                                     .erf = erf_row};
};

}  // namespace xinfer::kernels
