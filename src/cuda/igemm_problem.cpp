// From nodes to matrix products.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cuda/igemm.h"
#include "ir/ops.h"

namespace xinfer::cuda {
namespace {

constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxTileRows = 256;
constexpr std::int64_t kMaxKernel = 16;      // bits in LoaderA::inside
constexpr std::int64_t kMaxBatches = 65535;  // of gridDim.z

using Result = std::variant<IgemmProblem, std::string>;

bool is_8bit(Element element) { return element == Element::kS8 || element == Element::kU8; }

/// What all nodes share. Empty when the types are ours.
std::string set_types(const Request& request, Element b_element, IgemmProblem& p) {
  p.a_element = request.input_element(0);
  p.b_element = b_element;
  const bool integers = is_8bit(p.a_element) && is_8bit(p.b_element);
  const bool halves = p.a_element == Element::kF16 && p.b_element == Element::kF16;
  if (!integers && !halves) {
    return fmt::format("multiplies {} by {}, not 8-bit integers or halves", name_of(p.a_element), name_of(p.b_element));
  }
  p.out_size = size_of(request.output_element());
  if (request.has(3)) p.residual_size = size_of(request.input_element(3));
  return {};
}

/// Weights are packed on the host: s8, or f32 that becomes f16.
std::string set_weight_types(const Request& request, IgemmProblem& p) {
  const ir::Value& weights = request.input(1);
  if (!weights.is_constant()) return "the weights are no constant";
  if (weights.dtype == DataType::kUInt8) return "the weights are u8";
  return set_types(request, request.input_element(1), p);
}

/// The kernel's offsets within a tile have 32 bits.
Result checked(IgemmProblem p) {
  if (p.rows <= 0 || p.channels <= 0 || p.k_bytes <= 0) return "an operand is empty";
  const std::int64_t largest = std::max({p.rows, p.k_bytes, p.a_pitch * kMaxTileRows, p.b_pitch * kMaxTileRows});
  if (largest >= kMaxOffset / 2) return "an operand is too large for 32-bit offsets";
  if (p.batches > kMaxBatches) return fmt::format("{} batches of matrices", p.batches);
  return p;
}

Result conv_problem(const Request& request) {
  IgemmProblem p;
  p.geometry = conv_geometry(request);
  const ConvGeometry& g = p.geometry;
  if (g.transposed) return "a transposed convolution";
  if (auto reason = set_weight_types(request, p); !reason.empty()) return reason;
  if (g.groups > 1 && (g.channels_per_group() % kPadding != 0 || g.outputs_per_group() % kPadding != 0)) {
    return "channels of a group are no multiple of 16";
  }
  p.gathers = !g.is_pointwise();
  if (p.gathers && (g.depth.in != 1 || g.depth.out != 1 || g.depth.kernel != 1)) return "three spatial axes";
  if (std::max(g.height.kernel, g.width.kernel) > kMaxKernel) return "a filter larger than 16";
  const auto size = static_cast<std::int64_t>(size_of(p.a_element));
  p.rows = g.rows();
  p.channels = g.outputs_per_group();
  p.columns = padded(p.channels);
  p.tap_bytes = padded(g.channels_per_group()) * size;
  p.k_bytes = g.taps() * p.tap_bytes;
  p.a_pitch = padded(g.channels) * size;
  p.b_pitch = p.k_bytes;
  p.a_bytes = p.k_bytes;
  p.b_bytes = p.k_bytes;
  p.out_pitch = padded(g.outputs);
  p.batches = g.groups;
  p.axes = {{static_cast<std::uint32_t>(g.groups), 0, p.tap_bytes, p.columns * p.b_pitch}};
  p.out_batch = p.channels;
  p.table_batch = p.channels;
  const std::int64_t images = kMaxTileRows / g.out_positions() + 2;  // that a tile's rows may span
  if (p.gathers && images * g.in_positions() * p.a_pitch >= kMaxOffset) return "an image is too large";
  return checked(std::move(p));
}

Result linear_problem(const Request& request) {
  IgemmProblem p;
  p.geometry = linear_geometry(request);
  if (auto reason = set_weight_types(request, p); !reason.empty()) return reason;
  p.rows = p.geometry.batch;
  p.channels = p.geometry.outputs;
  p.columns = padded(p.channels);
  p.k_bytes = padded(p.geometry.channels) * static_cast<std::int64_t>(size_of(p.a_element));
  p.a_pitch = p.b_pitch = p.a_bytes = p.b_bytes = p.tap_bytes = p.k_bytes;
  p.out_pitch = p.columns;
  return checked(std::move(p));
}

Result matmul_problem(const Request& request) {
  IgemmProblem p;
  const auto& attrs = request.node.as<ir::MatMulAttrs>();
  if (auto reason = set_types(request, request.input_element(1), p); !reason.empty()) return reason;
  const Dims a = request.input_dims(0);
  const Dims b = request.input_dims(1);
  const Dims out = request.output_dims();
  if (a.size() < 2 || b.size() < 2) return "an operand is a vector";
  if (attrs.transpose_a) return "the first operand is transposed";
  if (!attrs.transpose_b && p.b_element != Element::kF16)
    return "8-bit columns of the second operand aren't contiguous";
  const auto size = static_cast<std::int64_t>(size_of(p.a_element));
  const std::int64_t inner = a.back();
  p.b_kind = attrs.transpose_b ? IgemmProblem::B::kInnermostK : IgemmProblem::B::kInnermostColumns;
  p.rows = a[a.size() - 2];
  p.channels = out.back();
  p.columns = padded(p.channels);
  p.k_bytes = padded(inner) * size;
  p.a_pitch = p.k_bytes;
  p.b_pitch = padded(b.back()) * size;
  p.a_bytes = inner * size;  // the padding of both operands may hold anything
  p.b_bytes = attrs.transpose_b ? p.k_bytes : inner;
  p.out_pitch = p.columns;
  const std::int64_t a_matrix = p.rows * p.a_pitch;
  const std::int64_t b_matrix = b[b.size() - 2] * p.b_pitch;
  p.axes = batch_axes(a, b, out, a_matrix, b_matrix);
  if (p.axes.size() == 1 && p.axes[0].a == a_matrix && p.axes[0].b == 0) {
    p.rows *= p.axes[0].size;  // one second operand for all: the first's rows simply follow each other
    p.axes.clear();
  }
  if (p.axes.size() > 3) return "more than three leading axes are broadcast in turns";
  for (const BatchAxis& axis : p.axes) p.batches *= axis.size;
  p.out_batch = p.rows * p.out_pitch;
  if (b_matrix >= kMaxOffset) return "the second operand is too large for 32-bit offsets";
  return checked(std::move(p));
}

}  // namespace

std::variant<IgemmProblem, std::string> igemm_problem(const Request& request) {
  switch (request.node.op) {
    case ir::OpType::kConv:
    case ir::OpType::kConvTranspose:
      return conv_problem(request);
    case ir::OpType::kLinear:
      return linear_problem(request);
    case ir::OpType::kMatMul:
      return matmul_problem(request);
    default:
      return "no convolution, Linear or MatMul";
  }
}

}  // namespace xinfer::cuda
