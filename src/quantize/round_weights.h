#pragma once
// Weights rounded so that a layer's outputs, not its weights, come out close.

#include <cstdint>
#include <span>
#include <vector>

namespace xinfer::quantize {

/// One group of a layer on sampled rows; all matrices row-major.
struct RoundingProblem {
  std::span<const float> exact;  ///< (rows, stride): what the float network reads; this group's k columns at `offset`
  std::span<const float> given;  ///< the same rows as the quantized network reads them (its integers times the scale)
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  std::int64_t offset = 0;
  std::int64_t k = 0;              ///< products in a sum
  std::int64_t m = 0;              ///< output channels
  std::span<const float> weights;  ///< (m, k)
};

struct RoundingOptions {
  bool adjust = true;     ///< choose integers by least squares; else round to nearest and only correct the mean
  double damping = 0.01;  ///< of the squares' diagonal, relative to its mean: how much to trust the rows
  int sweeps = 8;         ///< of coordinate descent
  int threads = 0;
};

struct RoundedWeights {
  std::vector<std::int8_t> values;  ///< (m, k), in [-127, 127]
  std::vector<float> scales;        ///< (m)
  std::vector<float> shift;         ///< (m): mean of exact minus quantized sums, to be added to the bias
  double signal = 0;                ///< sum of squares of the exact sums over the rows held out
  double nearest_noise = 0;         ///< ... of the error with weights rounded to nearest
  double noise = 0;                 ///< ... of the error with these values and this shift
};

/// Finds integers q, a scale s and a shift b for each output channel that make s q x' + b come close to w x, where x
/// are the exact rows and x' the given ones.
///
/// With the rows centred (which leaves the mean to the shift), the real weights that do best are
/// v = w + (H + d)^-1 X'^T (X - X') w, H = X'^T X' and d the damping; then integers near v are sought that make
/// (q s - v)^T (H + d) (q s - v) small: nearest plane (Babai) in the order of ascending diagonal, which is what OBQ and
/// GPTQ do (Frantar et al. 2022, arXiv:2210.17323; Chen et al. 2025, arXiv:2507.18553), then coordinate descent, for
/// several scales. A fifth of the rows is held out: a channel keeps weights rounded to nearest unless the new ones do
/// better there. The result depends neither on threads nor on anything but the problem.
RoundedWeights round_weights(const RoundingProblem& problem, const RoundingOptions& options);

}  // namespace xinfer::quantize
