#pragma once
// The depthwise kernel's plan and one thread's work: what qdwconv.cpp and the instruction sets share.
//
// Method. Vector dot products (vpdpbusd: 4 x u8*s8, vpmaddwd: 2 x s16*s16) need the taps of one channel side by side.
// So each input row is interleaved once into groups of kGroup horizontally adjacent pixels, channel by channel, and
// kept in a ring of rows until the last output row that reads it. With stride 1 groups start at every second pixel: an
// even and an odd output share them, the odd one through weights shifted by one tap. Channels are walked in blocks of
// one vector.

#include <cstdint>
#include <vector>

#include "kernels/qdwconv.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {

/// Shape of a kernel for one vector type.
struct DwVector {
  int channels;  ///< a block's channels, one byte each in the input
  int group;     ///< taps in a dot product
  int bytes;     ///< of an interleaved group of a whole block
};

constexpr DwVector kDwVnni512{64, 4, 256};
constexpr DwVector kDwVnni256{32, 4, 128};
constexpr DwVector kDwVnni128{16, 4, 64};
constexpr DwVector kDwWords512{32, 2, 128};
constexpr DwVector kDwWords256{16, 2, 64};

/// Channels [first, first + count) go through `vector`; their weights start at byte `weights`.
struct DwBlock {
  std::int64_t first = 0;
  std::int64_t count = 0;
  DwVector vector{};
  std::int64_t weights = 0;
};

/// How a kernel geometry maps to groups. See the method above.
struct DwGroups {
  bool shifted = false;         ///< even and odd outputs share groups (stride 1 without dilation)
  std::int64_t pixels = 1;      ///< pixels from one group to the next
  std::int64_t per_row = 1;     ///< groups that an output reads in one row
  std::int64_t next = 1;        ///< groups from one of these to the next
  std::int64_t per_output = 1;  ///< groups from one output to the next (when not shifted)
};

/// Geometry of `shape` for dot products of `group` taps.
DwGroups dw_groups(const ConvShape& shape, int group);

/// Blocks of all channels for one instruction set (not kBaseline); weights are laid out in their order.
std::vector<DwBlock> dw_blocks(const ConvShape& shape, Isa isa);

/// Output rows [row_begin, row_end) of one image and one block of channels.
struct DwTask {
  const ConvShape& shape;
  const DwBlock& block;
  const DwGroups& groups;
  const void* input;  ///< of this image
  bool input_signed;
  const std::int8_t* weights;   ///< of this block
  const std::int32_t* initial;  ///< of this block
  const RequantParams& params;
  const RowKernels& rows;
  const void* residual;  ///< of this image
  void* output;          ///< of this image
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t groups_read;  ///< dw_groups_read()
  std::int64_t row_groups;   ///< dw_row_groups()
  std::uint8_t* ring;        ///< dw_ring_bytes() of scratch, 64-byte aligned
};

/// Scratch that a task needs: the ring of rows, then a pointer for each row of the window.
std::int64_t dw_ring_bytes(const ConvShape& shape, const DwGroups& groups, const DwVector& vector);

/// Groups of one row that outputs depend on.
std::int64_t dw_groups_read(const ConvShape& shape, const DwGroups& groups);

/// Groups that a row has room for: also those that the last, partial step reads in vain.
std::int64_t dw_row_groups(const ConvShape& shape, const DwGroups& groups);

void dw_run_avx2(const DwTask& task);
void dw_run_avx512(const DwTask& task);
void dw_run_vnni(const DwTask& task);

}  // namespace xinfer::kernels
