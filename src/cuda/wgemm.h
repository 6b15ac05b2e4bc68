#pragma once
// The host side of the Hopper GEMM (kernels/wgemm_*.cu): which layers it takes, its tiles, and packed weights.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cuda/conv_geometry.h"
#include "cuda/step.h"

namespace xinfer::cuda {

/// A layer as rows x outputs = activations x weights, K running over (tap, channel).
struct WgemmProblem {
  ConvGeometry geometry;
  bool im2col = false;           ///< gathered by TMA tap by tap; else a plain matrix
  Element input = Element::kS8;  ///< s8, u8 (with s8 weights) or f16 (with f16 weights)
  Element output = Element::kS8;
  std::size_t residual_bytes = 0;  ///< of one element; 0: no residual
  bool costly_epilogue = false;    ///< an activation that takes many instructions
  std::int64_t parts = 1;          ///< values that the columns make up, see Request

  std::int64_t rows() const { return geometry.rows(); }
  std::int64_t part_columns() const { return geometry.outputs / parts; }
  std::int64_t pitch() const { return padded(part_columns()); }  ///< stored channels of an output row
  /// Stored bytes of one input pixel.
  std::int64_t tap_bytes() const { return padded(geometry.channels) * static_cast<std::int64_t>(size_of(input)); }
};

/// The problem that a Conv or Linear node poses, or why TMA and wgmma can't take it.
std::variant<WgemmProblem, std::string> wgemm_problem(const Request& request);

/// A variant. Resident: weights of a channel tile stay in shared memory, `warpgroups` independent workers with tiles of
/// 64 rows and rings of `stages` tiles. Streamed: a producer and two workers with tiles of bm rows, `stages` panels; a
/// cluster of `cluster` blocks fetches activations together. Split: `cluster` blocks share the K of a tile of 64 x 64.
/// Patch: `warpgroups` workers with tiles of 128 pixels
/// (margins included) and rings of `stages` patches, for convolutions with stride 1 and at most 128 bytes a pixel.
struct WgemmTile {
  enum class Form : std::uint8_t { kResident, kStreamed, kSplit, kPatch };
  Form form = Form::kStreamed;
  int bm = 128, bn = 128;
  int bk = 128;  ///< bytes of K in a panel
  int stages = 4;
  int warpgroups = 2;
  int cluster = 1;

  static std::variant<WgemmTile, std::string> from(const Tactic& tactic);
  Tactic tactic() const;

  int tap_panels(const WgemmProblem& problem) const;
  int panels(const WgemmProblem& problem) const;  ///< of all of K
  std::int64_t row_tiles(const WgemmProblem& problem) const;
  std::int64_t channel_tiles(const WgemmProblem& problem) const;
  std::size_t shared_bytes(const WgemmProblem& problem) const;
  /// Empty, or why this variant can't compute the problem.
  std::string mismatch(const WgemmProblem& problem) const;
};

/// The patch form's tiles: lines of output, and the input that they see.
struct WgemmPatch {
  std::int64_t tile_lines = 0, lines = 0, width = 0;  ///< tile_lines is 0 where a line doesn't fit a tile
  std::int64_t reach = 0;                             ///< pixels from the first tap's to the last tap's
};
WgemmPatch patch_of(const ConvGeometry& geometry, int bm);

/// Channels of one 16-byte store, which one thread owns.
int store_channels(Element output);
/// The output channel, within a tile, whose weights are row `row` of the packed tile: wgmma gives a thread the columns
/// 8j + 2t + e, which shall be consecutive channels.
int channel_of_packed_row(int row, int store_channels);
/// The order in which kernels read per-channel tables: entry i is that of channel order[i], -1 for none.
std::vector<std::int64_t> table_order(const WgemmTile& tile, const WgemmProblem& problem);
/// Weights (O, C, taps...) as the kernels want them: [channel tile][panel][bn][bk bytes], rows swizzled as TMA would
/// write them.
std::vector<std::byte> pack_weights(const Tensor& weights, const WgemmTile& tile, const WgemmProblem& problem);

/// Estimated microseconds, for the order of tactics.
double estimate_us(const WgemmProblem& problem, const WgemmTile& tile, int sm_count);

}  // namespace xinfer::cuda
