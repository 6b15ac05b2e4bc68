// Every output element from one element of each operand. Macros beside those of index_map.cuh:
//
//   XI_OUT_T, XI_A_T, XI_B_T, XI_C_T  element types in memory
//   XI_OUT_C, XI_A_C, XI_B_C, XI_C_C  types that are computed with: float for reals, else the same
//   XI_FUNCTION                       a function below
//   XI_UNARY, XI_BINARY               what unary_* and binary_* compute
//   XI_ACTIVATION                     what follows binary_real and binary_integers
//   XI_STEP                           1: real results are divided by the output's scale
#include "index_map.cuh"
#include "unary.cuh"

#ifndef XI_UNARY
#define XI_UNARY kIdentity
#endif
#ifndef XI_BINARY
#define XI_BINARY kAdd
#endif
#ifndef XI_ACTIVATION
#define XI_ACTIVATION kIdentity
#endif
#ifndef XI_STEP
#define XI_STEP 0
#endif

/// Enumerators have the names of ir::BinaryKind.
enum class Binary {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMax,
  kMin,
  kMod,
  kFmod,
  kPrelu,
  kEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kXor,
};

/// MapFunction of cuda/map_step.h, member for member.
struct MapFunction {
  u64 table;                                ///< look_up: 256 bytes
  s64 low, high;                            ///< unary_integer: bounds of a clip
  float a_scale, b_scale;                   ///< reals are element * scale
  float alpha, beta;                        ///< of XI_UNARY
  float activation_alpha, activation_beta;  ///< of XI_ACTIVATION
  float out_scale;
};

using Out = XI_OUT_C;
constexpr Unary kUnary = Unary::XI_UNARY;
constexpr Binary kBinary = Binary::XI_BINARY;

__shared__ u8 lookup_table[256];

__device__ __forceinline__ float in_steps(const MapFunction& f, float y) {
#if XI_STEP
  return __fdiv_rn(y, f.out_scale);
#else
  return y;
#endif
}

// -- One operand --------------------------------------------------------------------------------------------------

template <class T>
__device__ __forceinline__ T keep(const MapFunction&, T a) {
  return a;
}

__device__ __forceinline__ u8 look_up(const MapFunction&, u8 a) { return lookup_table[a]; }

__device__ __forceinline__ float unary_real(const MapFunction& f, float a) {
  return in_steps(f, apply_unary<kUnary>(__fmul_rn(a, f.a_scale), f.alpha, f.beta));
}

template <class T>
__device__ __forceinline__ T unary_integer(const MapFunction& f, T a) {
  if constexpr (kUnary == Unary::kRelu)
    return a < T{0} ? T{0} : a;
  else if constexpr (kUnary == Unary::kClip) {
    const T low = static_cast<T>(f.low), high = static_cast<T>(f.high);
    const T above = a < low ? low : a;
    return above > high ? high : above;
  } else if constexpr (kUnary == Unary::kNegate)
    return static_cast<T>(u64{0} - static_cast<u64>(a));
  else if constexpr (kUnary == Unary::kAbs)
    return a < T{0} ? static_cast<T>(u64{0} - static_cast<u64>(a)) : a;
  else if constexpr (kUnary == Unary::kSign)
    return static_cast<T>(a > T{0} ? 1 : a < T{0} ? -1 : 0);
  else
    return a;
}

__device__ __forceinline__ bool logical_not(const MapFunction&, bool a) { return !a; }
__device__ __forceinline__ bool is_nan(const MapFunction&, float a) { return a != a; }

/// Floats truncate towards zero and saturate, NaN gives 0; integers wrap; anything but zero is true.
template <class From>
__device__ __forceinline__ Out cast(const MapFunction&, From a) {
  if constexpr (kSame<Out, bool>) {
    return a != From{};
  } else if constexpr (kSame<From, float> && !kSame<Out, float>) {
    constexpr bool kUnsigned = static_cast<Out>(-1) > Out{0};
    constexpr int kBits = 8 * sizeof(Out) - (kUnsigned ? 0 : 1);
    constexpr Out kHigh = static_cast<Out>(~u64{0} >> (64 - kBits));
    constexpr Out kLow = kUnsigned ? Out{0} : static_cast<Out>(-static_cast<s64>(kHigh) - 1);
    constexpr float kBeyond = static_cast<float>(u64{1} << kBits);
    if (a != a) return Out{0};
    if (a >= kBeyond) return kHigh;
    if (a <= static_cast<float>(kLow)) return kLow;
    return static_cast<Out>(a);
  } else {
    return static_cast<Out>(a);
  }
}

// -- Two operands -------------------------------------------------------------------------------------------------

__device__ __forceinline__ float activated(const MapFunction& f, float y) {
  return in_steps(f, apply_unary<Unary::XI_ACTIVATION>(y, f.activation_alpha, f.activation_beta));
}

__device__ __forceinline__ float binary_real(const MapFunction& f, float a, float b) {
  a = __fmul_rn(a, f.a_scale), b = __fmul_rn(b, f.b_scale);
  float y;
  if constexpr (kBinary == Binary::kAdd)
    y = __fadd_rn(a, b);
  else if constexpr (kBinary == Binary::kSub)
    y = __fadd_rn(a, -b);
  else if constexpr (kBinary == Binary::kMul)
    y = __fmul_rn(a, b);
  else if constexpr (kBinary == Binary::kDiv)
    y = __fdiv_rn(a, b);
  else if constexpr (kBinary == Binary::kPow)
    y = powf(a, b);
  else if constexpr (kBinary == Binary::kMax)
    y = a != a || a > b ? a : b;
  else if constexpr (kBinary == Binary::kMin)
    y = a != a || a < b ? a : b;
  else if constexpr (kBinary == Binary::kMod) {
    y = fmodf(a, b);
    if (y != 0.0f && (y < 0.0f) != (b < 0.0f)) y += b;
  } else if constexpr (kBinary == Binary::kFmod)
    y = fmodf(a, b);
  else
    y = a < 0.0f ? __fmul_rn(a, b) : a;  // kPrelu
  return activated(f, y);
}

/// Add, Sub and Mul of 8-bit operands, as the integer contract says it (src/reference/binary.cpp).
__device__ __forceinline__ float binary_integers(const MapFunction& f, float a, float b) {
  if constexpr (kBinary == Binary::kMul)
    return activated(f, __fmul_rn(__fmul_rn(a, b), f.a_scale));
  else
    return activated(f, fmaf(b, f.b_scale, __fmul_rn(a, f.a_scale)));
}

template <class T>
__device__ __forceinline__ bool compared(T a, T b) {
  if constexpr (kBinary == Binary::kEqual)
    return a == b;
  else if constexpr (kBinary == Binary::kLess)
    return a < b;
  else if constexpr (kBinary == Binary::kLessEqual)
    return a <= b;
  else if constexpr (kBinary == Binary::kGreater)
    return a > b;
  else
    return a >= b;
}
__device__ __forceinline__ bool compare_reals(const MapFunction& f, float a, float b) {
  return compared(__fmul_rn(a, f.a_scale), __fmul_rn(b, f.b_scale));
}
template <class T>
__device__ __forceinline__ bool compare(const MapFunction&, T a, T b) {
  return compared(a, b);
}

__device__ __forceinline__ bool logical(const MapFunction&, bool a, bool b) {
  return kBinary == Binary::kAnd ? a && b : kBinary == Binary::kOr ? a || b : a != b;
}

/// 0 to a negative power gives 0 here; the reference refuses it.
template <class T>
__device__ T integer_power(T base, T exponent) {
  if (exponent < T{0}) {
    if (base == T{1}) return T{1};
    if (base == static_cast<T>(-1)) return exponent % 2 == 0 ? T{1} : static_cast<T>(-1);
    return T{0};
  }
  u64 result = 1, factor = static_cast<u64>(base);
  for (u64 rest = static_cast<u64>(exponent); rest != 0; rest >>= 1) {
    if (rest & 1) result *= factor;
    factor *= factor;
  }
  return static_cast<T>(result);
}

/// Wraps around; division truncates towards zero. A division by zero gives 0 here; the reference refuses it.
template <class T>
__device__ __forceinline__ T binary_plain(const MapFunction&, T a, T b) {
  const u64 ua = static_cast<u64>(a), ub = static_cast<u64>(b);
  if constexpr (kBinary == Binary::kAdd)
    return static_cast<T>(ua + ub);
  else if constexpr (kBinary == Binary::kSub)
    return static_cast<T>(ua - ub);
  else if constexpr (kBinary == Binary::kMul)
    return static_cast<T>(ua * ub);
  else if constexpr (kBinary == Binary::kMax)
    return a > b ? a : b;
  else if constexpr (kBinary == Binary::kMin)
    return a < b ? a : b;
  else if constexpr (kBinary == Binary::kPow)
    return integer_power(a, b);
  else if constexpr (kBinary == Binary::kPrelu)
    return a < T{0} ? static_cast<T>(ua * ub) : a;
  else {
    constexpr bool kSigned = static_cast<T>(-1) < T{0};
    if (b == T{0}) return T{0};
    if (kSigned && b == static_cast<T>(-1)) return kBinary == Binary::kDiv ? static_cast<T>(u64{0} - ua) : T{0};
    if constexpr (kBinary == Binary::kDiv) return static_cast<T>(a / b);
    const T rest = static_cast<T>(a % b);
    const bool turns = kBinary == Binary::kMod && rest != T{0} && (rest < T{0}) != (b < T{0});
    return turns ? static_cast<T>(rest + b) : rest;
  }
}

/// A power whose exponent has another type than its base.
template <class A, class B>
__device__ __forceinline__ A mixed_power(const MapFunction&, A a, B b) {
  return static_cast<A>(pow(static_cast<double>(a), static_cast<double>(b)));
}

// -- Three operands -----------------------------------------------------------------------------------------------

__device__ __forceinline__ float choose_real(const MapFunction& f, bool a, float b, float c) {
  return in_steps(f, a ? __fmul_rn(b, f.a_scale) : __fmul_rn(c, f.b_scale));
}
template <class T>
__device__ __forceinline__ T choose(const MapFunction&, bool a, T b, T c) {
  return a ? b : c;
}

/// With a scale and a zero point for each channel. The float that comes back is a whole number of steps.
__device__ __forceinline__ float quantize_by(const MapFunction&, float a, float scale, s32 zero) {
  const float steps = __fdiv_rn(a, scale);
  const float bounded = steps != steps ? 0.0f : fminf(fmaxf(rintf(steps), -1048576.0f), 1048576.0f);
  return __fadd_rn(bounded, static_cast<float>(zero));
}
template <class T>
__device__ __forceinline__ float dequantize_by(const MapFunction&, T a, float scale, s32 zero) {
  return __fmul_rn(static_cast<float>(static_cast<s64>(a) - zero), scale);
}

extern "C" __global__ void __launch_bounds__(kMapThreads)
    map_elements(const __grid_constant__ MapSpace space, const __grid_constant__ MapOperand out,
                 const __grid_constant__ MapOperand operand_a, const __grid_constant__ MapOperand operand_b,
                 const __grid_constant__ MapOperand operand_c, const __grid_constant__ MapFunction f) {
#if XI_TABLE
  lookup_table[threadIdx.x] = reinterpret_cast<const u8*>(f.table)[threadIdx.x];
  __syncthreads();
#endif
  const u32 thread = blockIdx.x * kMapThreads + threadIdx.x;
  wait_for_previous();
  launch_next();
  if (thread >= space.count) return;
  const MapPoint point = point_of(space, thread);
  if (point.column >= space.stored) return;
  Out y[XI_V];
  XI_A_C a[XI_V];
  load_operand<XI_A_T>(operand_a, point, 1, a);
#if XI_OPERANDS >= 2
  XI_B_C b[XI_V];
  load_operand<XI_B_T>(operand_b, point, 2, b);
#endif
#if XI_OPERANDS >= 3
  XI_C_C c[XI_V];
  load_operand<XI_C_T>(operand_c, point, 3, c);
#endif
#pragma unroll
  for (int v = 0; v < XI_V; ++v) {
#if XI_OPERANDS == 1
    y[v] = XI_FUNCTION(f, a[v]);
#elif XI_OPERANDS == 2
    y[v] = XI_FUNCTION(f, a[v], b[v]);
#else
    y[v] = XI_FUNCTION(f, a[v], b[v], c[v]);
#endif
  }
  store_result<XI_OUT_T>(out, space, point, y);
}
