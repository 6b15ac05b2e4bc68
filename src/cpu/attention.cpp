// Attention in float: one head at a time on each thread, so that a head's scores stay in that core's cache.

#include <omp.h>

#include <algorithm>
#include <limits>

#include "cpu/dnnl_api.h"
#include "cpu/implementations.h"
#include "cpu/quant.h"
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
    const std::int64_t result = output_.type == DataType::kFloat32 ? 0 : kQueryTile * width_;
    per_thread_ = static_cast<std::size_t>((kQueryTile * keys_ + result + 15) / 16 * 16);
    scratch_bytes = per_thread_ * sizeof(float) * static_cast<std::size_t>(threads_);
  }

  void run(const Frame& frame, State*) const override {
    const std::int64_t tiles = (queries_ + kQueryTile - 1) / kQueryTile;
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t task = 0; task < batch_ * heads_ * tiles; ++task) {
      float* scores = static_cast<float*>(frame.scratch) + per_thread_ * static_cast<std::size_t>(omp_get_thread_num());
      run_tile(frame, task / tiles / heads_, task / tiles % heads_, task % tiles * kQueryTile, scores);
    }
  }

 private:
  void run_tile(const Frame& frame, std::int64_t batch, std::int64_t head, std::int64_t first, float* scores) const {
    const std::int64_t rows = std::min(kQueryTile, queries_ - first);
    const auto* q = static_cast<const float*>(frame.inputs[0]) + q_rows_.at(batch, head, first);
    const auto* k = static_cast<const float*>(frame.inputs[1]) + k_rows_.at(batch, head, 0);
    const auto* v = static_cast<const float*>(frame.inputs[2]) + v_rows_.at(batch, head, 0);
    dnnl::sgemm('N', 'T', rows, keys_, depth_, attrs_.scale, q, q_rows_.row_step, k, k_rows_.row_step, 0.0F, scores,
                keys_);
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
      dnnl::sgemm('N', 'N', rows, width_, keys_, 1.0F, scores, keys_, v, v_rows_.row_step, 0.0F,
                  static_cast<float*>(frame.outputs[0]) + offset, y_rows_.row_step);
      return;
    }
    float* y = scores + kQueryTile * keys_;
    dnnl::sgemm('N', 'N', rows, width_, keys_, 1.0F, scores, keys_, v, v_rows_.row_step, 0.0F, y, width_);
    auto* to = static_cast<std::uint8_t*>(frame.outputs[0]) + offset;
    for (std::int64_t r = 0; r < rows; ++r) {
      kernels::quantize_f32(y + r * width_, width_, output_.scale, output_.type, to + r * y_rows_.row_step);
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
  HeadRows q_rows_, k_rows_, v_rows_, y_rows_;
  std::int64_t batch_, heads_, queries_, depth_, keys_, width_;
  std::int64_t mask_strides_[4] = {0, 0, 0, 0};
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
