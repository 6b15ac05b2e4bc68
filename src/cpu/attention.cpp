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

class AttentionStep final : public Step {
 public:
  AttentionStep(const Request& request, kernels::RowOutput output)
      : attrs_(request.node.as<ir::AttentionAttrs>()), output_(output), threads_(request.threads) {
    const Dims q = request.input_dims(0), v = request.input_dims(2);
    batch_ = q[0], heads_ = q[1], queries_ = q[2], depth_ = q[3], keys_ = v[2], width_ = v[3];
    if (request.has(3)) {
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
    implementation = "own_attention";
    set_layouts(*this, request, Layout::plain());
  }

  void run(const Frame& frame, State*) const override {
    const std::int64_t tiles = (queries_ + kQueryTile - 1) / kQueryTile;
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t task = 0; task < batch_ * heads_ * tiles; ++task) {
      float* scores = static_cast<float*>(frame.scratch) + per_thread_ * static_cast<std::size_t>(omp_get_thread_num());
      run_tile(frame, task / tiles, task % tiles * kQueryTile, scores);
    }
  }

 private:
  void run_tile(const Frame& frame, std::int64_t head, std::int64_t first, float* scores) const {
    const std::int64_t rows = std::min(kQueryTile, queries_ - first);
    const auto* q = static_cast<const float*>(frame.inputs[0]) + (head * queries_ + first) * depth_;
    const auto* k = static_cast<const float*>(frame.inputs[1]) + head * keys_ * depth_;
    const auto* v = static_cast<const float*>(frame.inputs[2]) + head * keys_ * width_;
    dnnl::sgemm('N', 'T', rows, keys_, depth_, attrs_.scale, q, depth_, k, depth_, 0.0F, scores, keys_);
    if (frame.inputs.size() > 3 && frame.inputs[3] != nullptr) {
      add_mask(static_cast<const float*>(frame.inputs[3]), head, first, rows, scores);
    }
    if (attrs_.causal) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t t = first + r + 1; t < keys_; ++t) {
          scores[r * keys_ + t] = -std::numeric_limits<float>::infinity();
        }
      }
    }
    kernels::softmax(scores, rows, keys_, scores);
    const std::int64_t offset = (head * queries_ + first) * width_;
    float* y = output_.type == DataType::kFloat32 ? static_cast<float*>(frame.outputs[0]) + offset
                                                  : scores + kQueryTile * keys_;
    dnnl::sgemm('N', 'N', rows, width_, keys_, 1.0F, scores, keys_, v, width_, 0.0F, y, width_);
    if (output_.type != DataType::kFloat32) {
      kernels::quantize_f32(y, rows * width_, output_.scale, output_.type,
                            static_cast<std::uint8_t*>(frame.outputs[0]) + offset);
    }
  }

  void add_mask(const float* mask, std::int64_t head, std::int64_t first, std::int64_t rows, float* scores) const {
    mask += head / heads_ * mask_strides_[0] + head % heads_ * mask_strides_[1];
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
