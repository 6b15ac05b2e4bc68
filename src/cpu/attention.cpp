// Attention in float: one head at a time on each thread, so that a head's scores stay in that core's cache.

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "cpu/implementations.h"
#include "cpu/quant.h"
#include "cpu/small_gemm.h"
#include "kernels/qelementwise.h"

namespace xinfer::cpu {
namespace {

/// Queries worked on at once: with 384 keys their scores take 96 KiB.
constexpr std::int64_t kQueryTile = 64;

/// Where the rows of one head of an operand lie: plain (N, H, S, D) or swapped (N, S, H, D).
struct HeadRows {
  std::int64_t batch_step, head_step, row_step;

  HeadRows(const Dims& dims, const Layout& layout)
      : batch_step(dims[1] * dims[2] * dims[3]),
        head_step(layout.is_plain() ? dims[2] * dims[3] : dims[3]),
        row_step(layout.is_plain() ? dims[3] : dims[1] * dims[3]) {}
  std::int64_t at(std::int64_t batch, std::int64_t head, std::int64_t row) const {
    return batch * batch_step + head * head_step + row * row_step;
  }
};

Layout head_layout(const Request& request, std::size_t i) {
  return request.layouts[i].kind == Layout::Kind::kSwapped ? Layout::swapped() : Layout::plain();
}

/// Swapped where every reader is the transpose that puts heads beside each other again.
Layout output_layout(const Request& request) {
  const ir::ValueId id = request.output_id(0);
  const auto& consumers = request.graph.value(id).consumers;
  const bool swapped =
      !consumers.empty() && !request.graph.is_output(id) &&
      std::all_of(consumers.begin(), consumers.end(), [&](ir::NodeId consumer) {
        const ir::Node& node = request.graph.node(consumer);
        return node.op == ir::OpType::kTranspose && node.as<ir::TransposeAttrs>().perm == Dims{0, 2, 1, 3};
      });
  return swapped ? Layout::swapped() : Layout::plain();
}

class AttentionStep final : public Step {
 public:
  AttentionStep(const Request& request, kernels::RowOutput output)
      : attrs_(request.node.as<ir::AttentionAttrs>()),
        output_(output),
        threads_(request.threads),
        isa_(request.isa),
        q_rows_(request.input_dims(0), head_layout(request, 0)),
        k_rows_(request.input_dims(1), head_layout(request, 1)),
        v_rows_(request.input_dims(2), head_layout(request, 2)),
        y_rows_(request.output_dims(), output_layout(request)) {
    const Dims q = request.input_dims(0), v = request.input_dims(2);
    batch_ = q[0], heads_ = q[1], queries_ = q[2], depth_ = q[3], keys_ = v[2], width_ = v[3];
    implementation = "own_attention";
    inputs = {head_layout(request, 0), head_layout(request, 1), head_layout(request, 2)};
    inputs.resize(request.node.inputs.size());
    outputs = {output_layout(request)};
    if (request.has(3)) {
      inputs[3] = Layout::plain();
      Dims mask = request.input_dims(3);
      mask.insert(mask.begin(), 4 - mask.size(), 1);
      std::int64_t stride = 1;
      for (std::size_t i = 4; i-- > 0;) {
        mask_strides_[i] = mask[i] == 1 ? 0 : stride;
        stride *= mask[i];
      }
    }
    // Scores (whose place later takes the results as bytes), results, and transposed keys.
    const auto aligned = [](std::int64_t count) { return (count + 15) / 16 * 16; };
    scores_size_ = aligned(kQueryTile * std::max(keys_, (width_ + 3) / 4));
    results_size_ = output_.type == DataType::kFloat32 ? 0 : aligned(kQueryTile * width_);
    per_thread_ = static_cast<std::size_t>(scores_size_ + results_size_ + aligned(keys_ * depth_));
    scratch_bytes = per_thread_ * sizeof(float) * static_cast<std::size_t>(threads_);
  }

  void run(const Frame& frame, State*) const override {
    // A head is one task, so that its keys are transposed once; with few heads its tiles are shared out too.
    const std::int64_t tiles = (queries_ + kQueryTile - 1) / kQueryTile;
    const std::int64_t heads = batch_ * heads_;
    const std::int64_t parts = heads >= 4 * threads_ ? 1 : tiles;
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t task = 0; task < heads * parts; ++task) {
      float* scratch =
          static_cast<float*>(frame.scratch) + per_thread_ * static_cast<std::size_t>(omp_get_thread_num());
      const std::int64_t batch = task / parts / heads_, head = task / parts % heads_;
      const auto* k = static_cast<const float*>(frame.inputs[1]) + k_rows_.at(batch, head, 0);
      float* keys = scratch + scores_size_ + results_size_;
      small_transpose(keys_, depth_, k, k_rows_.row_step, keys);
      const std::int64_t begin = parts == 1 ? 0 : task % parts;
      const std::int64_t end = parts == 1 ? tiles : begin + 1;
      for (std::int64_t tile = begin; tile < end; ++tile) {
        run_tile(frame, batch, head, tile * kQueryTile, keys, scratch);
      }
    }
  }

 private:
  void run_tile(const Frame& frame, std::int64_t batch, std::int64_t head, std::int64_t first, const float* keys,
                float* scores) const {
    const std::int64_t rows = std::min(kQueryTile, queries_ - first);
    const auto* q = static_cast<const float*>(frame.inputs[0]) + q_rows_.at(batch, head, first);
    const auto* v = static_cast<const float*>(frame.inputs[2]) + v_rows_.at(batch, head, 0);
    small_gemm(rows, keys_, depth_, attrs_.scale, q, q_rows_.row_step, keys, keys_, scores, keys_, isa_);
    if (frame.inputs.size() > 3 && frame.inputs[3] != nullptr) {
      add_mask(static_cast<const float*>(frame.inputs[3]), batch, head, first, rows, scores);
    }
    if (attrs_.causal) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t t = first + r + 1; t < keys_; ++t) {
          scores[r * keys_ + t] = -std::numeric_limits<float>::infinity();
        }
      }
    }
    kernels::softmax(scores, rows, keys_, scores);
    const std::int64_t offset = y_rows_.at(batch, head, first);
    if (output_.type == DataType::kFloat32) {
      small_gemm(rows, width_, keys_, 1.0F, scores, keys_, v, v_rows_.row_step,
                 static_cast<float*>(frame.outputs[0]) + offset, y_rows_.row_step, isa_);
      return;
    }
    float* y = scores + scores_size_;
    small_gemm(rows, width_, keys_, 1.0F, scores, keys_, v, v_rows_.row_step, y, width_, isa_);
    // One call for the tile, into the scores' place: a call for each row would cost more than its work.
    auto* steps = reinterpret_cast<std::uint8_t*>(scores);
    kernels::quantize_f32(y, rows * width_, output_.scale, output_.type, steps);
    auto* to = static_cast<std::uint8_t*>(frame.outputs[0]) + offset;
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(to + r * y_rows_.row_step, steps + r * width_, static_cast<std::size_t>(width_));
    }
  }

  void add_mask(const float* mask, std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t rows,
                float* scores) const {
    mask += batch * mask_strides_[0] + head * mask_strides_[1];
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* row = mask + (first + r) * mask_strides_[2];
      float* to = scores + r * keys_;
      if (mask_strides_[3] == 0) {
        for (std::int64_t t = 0; t < keys_; ++t) to[t] += row[0];
      } else {
        for (std::int64_t t = 0; t < keys_; ++t) to[t] += row[t];
      }
    }
  }

  ir::AttentionAttrs attrs_;
  kernels::RowOutput output_;
  int threads_;
  kernels::Isa isa_;
  HeadRows q_rows_, k_rows_, v_rows_, y_rows_;
  std::int64_t batch_, heads_, queries_, depth_, keys_, width_;
  std::int64_t mask_strides_[4] = {0, 0, 0, 0};
  std::int64_t scores_size_, results_size_;
  std::size_t per_thread_;
};

}  // namespace

Creation create_attention_f32(const Request& request) {
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    if (request.has(i) && !is_float(request.input(i))) return Refusal{"an input is not f32"};
  }
  const auto output = row_output(request.output());
  if (!output) return Refusal{"the output has no plain scale"};
  const Dims k = request.input_dims(1);
  if (k[2] == 0 || k[3] == 0) return Refusal{"there are no keys"};
  return std::make_unique<AttentionStep>(request, *output);
}

}  // namespace xinfer::cpu
