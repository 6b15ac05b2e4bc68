#pragma once
// The portable implicit GEMM (kernels/igemm.cu): what it computes for a node, and which tiles suit it.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cuda/batch_axes.h"
#include "cuda/conv_geometry.h"
#include "cuda/step.h"

namespace xinfer::cuda {

/// A Conv, Linear or MatMul as a (batched) product of matrices: rows x K times K x columns.
struct IgemmProblem {
  enum class B : std::uint8_t {
    kPacked,            ///< weights, packed at build time: one row of K for each stored column
    kInnermostK,        ///< an activation: one row of K for each column
    kInnermostColumns,  ///< an activation: one row of columns for each position of K
  };
  ConvGeometry geometry;  ///< of a Conv; of a Linear too (pointwise)
  bool gathers = false;   ///< A's rows are gathered at filter taps
  B b_kind = B::kPacked;
  Element a_element = Element::kS8, b_element = Element::kS8;
  std::int64_t rows = 0;
  std::int64_t channels = 0;                             ///< columns with a meaning, of one group
  std::int64_t columns = 0;                              ///< stored columns of one group: a multiple of 16
  std::int64_t k_bytes = 0;                              ///< bytes of K that are stepped through
  std::int64_t a_pitch = 0, b_pitch = 0, out_pitch = 0;  ///< of rows: bytes, bytes, elements
  std::int64_t a_bytes = 0, b_bytes = 0;                 ///< as in IgemmArgs
  std::int64_t tap_bytes = 0;
  std::int64_t batches = 1;  ///< groups, or pairs of matrices
  std::vector<BatchAxis> axes;
  std::int64_t out_batch = 0, table_batch = 0;  ///< elements of the output, and channels, from batch to batch
  std::size_t out_size = 1;                     ///< bytes of an output element
  std::size_t residual_size = 0;                ///< of a residual element; 0: none
};

/// Reads a Conv, Linear or MatMul node; or says why this kernel can't compute it.
std::variant<IgemmProblem, std::string> igemm_problem(const Request& request);

/// Whether the target has asynchronous copies and the larger shapes of mma (sm_80 and newer).
inline bool has_async_copies(const Target& target) { return target.arch.at_least(80); }

/// How the kernel is cut: Tactic::values in this order.
struct IgemmTile {
  int m = 0, n = 0;  ///< rows and columns of a block
  int k_bytes = 64;  ///< of a pipeline stage
  int stages = 2;
  int splits = 1;                ///< blocks that share one tile's K
  int warps_m = 1, warps_n = 1;  ///< follow from m, n and the architecture

  int threads() const { return 32 * warps_m * warps_n; }
  std::int64_t tiles_m(const IgemmProblem& p) const { return (p.rows + m - 1) / m; }
  std::int64_t tiles_n(const IgemmProblem& p) const { return (p.columns + n - 1) / n; }
  std::int64_t tiles(const IgemmProblem& p) const { return tiles_m(p) * tiles_n(p) * p.batches; }
  std::int64_t steps(const IgemmProblem& p) const { return (p.k_bytes + k_bytes - 1) / k_bytes; }
  /// Dynamic shared memory of a block.
  std::size_t shared_bytes(const IgemmProblem& p) const;
};

/// The tile that a tactic describes, or why the problem or the target can't have it. An empty tactic takes the first of
/// igemm_tactics.
std::variant<IgemmTile, std::string> igemm_tile(const IgemmProblem& problem, const Target& target,
                                                const Tactic& tactic);
/// Best first by an estimate of the time.
std::vector<Tactic> igemm_tactics(const IgemmProblem& problem, const Target& target);

/// Weights (O, C/groups, kernel...) or (O, K), s8 or f32, as [group][output channel, padded to 16][tap][channel]: s8,
/// or f32 rounded to f16. Channels are padded to 16 where there is one group. Equal tensors and geometries share a key.
Resident igemm_weights(const Tensor& weights, const ConvGeometry& geometry, Element element);

}  // namespace xinfer::cuda
