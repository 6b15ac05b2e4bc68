#include "quantize/round_weights.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "quantize/parallel.h"

namespace xinfer::quantize {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using Columns = Eigen::Map<const FloatMatrix, 0, Eigen::OuterStride<>>;

constexpr double kLargest = 127;
constexpr Eigen::Index kTile = 128;       // pieces of work: fixed, so that results don't depend on the threads
constexpr Eigen::Index kSolved = 32;      // columns that are solved for together
constexpr Eigen::Index kShortSum = 64;    // up to here every scale is tried in full
constexpr std::int64_t kFewestRows = 16;  // fewer rows than this say nothing

double scale_of(double largest) {
  const auto scale = static_cast<float>(largest / kLargest);
  return scale < std::numeric_limits<float>::min() ? 1.0 : scale;
}

double nearest(double value, double scale) { return std::clamp(std::nearbyint(value / scale), -kLargest, kLargest); }

// What the rows say about the weights of one group.
struct Normal {
  Matrix squares;                   // H + d, in the order of `order`
  Matrix lower;                     // L of squares = L L^T
  std::vector<Eigen::Index> order;  // column i of the above is column order[i] of the weights
  Matrix weights;                   // v, (m, k), columns in that order
};

void accumulate_squares(const FloatMatrix& rows, Matrix& squares, int threads) {
  const Eigen::Index k = rows.cols();
  const auto tiles = static_cast<std::size_t>((k + kTile - 1) / kTile);
  parallel_for(tiles, threads, [&](std::size_t t) {
    const Eigen::Index begin = static_cast<Eigen::Index>(t) * kTile;
    const Eigen::Index size = std::min(kTile, k - begin);
    const FloatMatrix part = rows.middleCols(begin, size).transpose() * rows.leftCols(begin + size);
    squares.block(begin, 0, size, begin + size) = part.cast<double>();
  });
  squares.triangularView<Eigen::StrictlyUpper>() = squares.transpose();
}

// (k, m): how the error of the inputs, seen through the weights, goes with the inputs.
Matrix cross_terms(const FloatMatrix& rows, const FloatMatrix& missing, const Columns& weights, int threads) {
  FloatMatrix errors(rows.rows(), weights.rows());
  const auto row_tiles = static_cast<std::size_t>((rows.rows() + kTile - 1) / kTile);
  parallel_for(row_tiles, threads, [&](std::size_t t) {
    const Eigen::Index begin = static_cast<Eigen::Index>(t) * kTile;
    const Eigen::Index size = std::min(kTile, rows.rows() - begin);
    errors.middleRows(begin, size).noalias() = missing.middleRows(begin, size) * weights.transpose();
  });
  Matrix result(rows.cols(), weights.rows());
  const auto tiles = static_cast<std::size_t>((rows.cols() + kTile - 1) / kTile);
  parallel_for(tiles, threads, [&](std::size_t t) {
    const Eigen::Index begin = static_cast<Eigen::Index>(t) * kTile;
    const Eigen::Index size = std::min(kTile, rows.cols() - begin);
    const FloatMatrix part = rows.middleCols(begin, size).transpose() * errors;
    result.middleRows(begin, size) = part.cast<double>();
  });
  return result;
}

// Cholesky's factor by tiles: of the diagonal, the panel below it, then what is left. False where `a` is not positive
// definite.
bool factorize(Matrix& a, int threads) {
  const Eigen::Index k = a.rows();
  for (Eigen::Index begin = 0; begin < k; begin += kTile) {
    const Eigen::Index size = std::min(kTile, k - begin);
    const Eigen::LLT<Matrix> diagonal(a.block(begin, begin, size, size));
    if (diagonal.info() != Eigen::Success) return false;
    const Matrix upper = diagonal.matrixU();
    a.block(begin, begin, size, size) = upper.transpose();
    const Eigen::Index below = begin + size;
    const auto tiles = static_cast<std::size_t>((k - below + kTile - 1) / kTile);
    parallel_for(tiles, threads, [&](std::size_t t) {
      const Eigen::Index row = below + static_cast<Eigen::Index>(t) * kTile;
      auto panel = a.block(row, begin, std::min(kTile, k - row), size);
      upper.triangularView<Eigen::Upper>().solveInPlace<Eigen::OnTheRight>(panel);
    });
    parallel_for(tiles, threads, [&](std::size_t t) {
      const Eigen::Index row = below + static_cast<Eigen::Index>(t) * kTile;
      const Eigen::Index rows = std::min(kTile, k - row), columns = row + rows - below;
      a.block(row, below, rows, columns).noalias() -=
          a.block(row, begin, rows, size) * a.block(below, begin, columns, size).transpose();
    });
  }
  return true;
}

// False when the rows say nothing.
bool make_normal(const Columns& exact, const Columns& given, const Columns& weights, const RoundingOptions& options,
                 Normal& normal) {
  const Eigen::Index n = given.rows();
  const Eigen::Index k = given.cols();
  const Eigen::RowVectorXf given_mean = given.colwise().mean();
  const FloatMatrix rows = given.rowwise() - given_mean;
  FloatMatrix missing = exact - given;
  missing.rowwise() -= Eigen::RowVectorXf(missing.colwise().mean());
  Matrix squares(k, k);
  accumulate_squares(rows, squares, options.threads);
  squares /= static_cast<double>(n);
  const double mean_square = squares.diagonal().mean();
  if (!(mean_square > 0) || !std::isfinite(mean_square)) return false;
  const double share = options.damping + 0.1 * static_cast<double>(k) / static_cast<double>(n) * options.damping * 10;
  squares.diagonal().array() += share * mean_square;
  const Matrix cross = cross_terms(rows, missing, weights, options.threads) / static_cast<double>(n);

  normal.order.resize(static_cast<std::size_t>(k));
  std::iota(normal.order.begin(), normal.order.end(), Eigen::Index{0});
  std::stable_sort(normal.order.begin(), normal.order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return squares(a, a) < squares(b, b); });
  normal.squares.resize(k, k);
  Matrix ordered_cross(k, weights.rows());
  normal.weights.resize(weights.rows(), k);
  for (Eigen::Index i = 0; i < k; ++i) {
    const Eigen::Index from = normal.order[static_cast<std::size_t>(i)];
    for (Eigen::Index j = 0; j < k; ++j) {
      normal.squares(i, j) = squares(from, normal.order[static_cast<std::size_t>(j)]);
    }
    ordered_cross.row(i) = cross.row(from);
    normal.weights.col(i) = weights.col(from).cast<double>();
  }
  normal.lower = normal.squares;
  if (!factorize(normal.lower, options.threads)) return false;
  const auto tiles = static_cast<std::size_t>((weights.rows() + kSolved - 1) / kSolved);
  parallel_for(tiles, options.threads, [&](std::size_t t) {
    const Eigen::Index begin = static_cast<Eigen::Index>(t) * kSolved;
    const Eigen::Index size = std::min(kSolved, weights.rows() - begin);
    Matrix change = ordered_cross.middleCols(begin, size);
    normal.lower.triangularView<Eigen::Lower>().solveInPlace(change);
    normal.lower.transpose().triangularView<Eigen::Upper>().solveInPlace(change);
    normal.weights.middleRows(begin, size) += change.transpose();
  });
  return true;
}

// Rounds from the last coordinate to the first, each time around what the errors made so far ask for.
Vector nearest_plane(const Normal& normal, const Vector& wanted, double scale) {
  const Matrix& lower = normal.lower;
  const Eigen::Index k = wanted.size();
  Vector integers(k);
  Vector pull = Vector::Zero(k);  // sum over j > i of L(j, i) (v_j - q_j s)
  for (Eigen::Index i = k - 1; i >= 0; --i) {
    const double centre = wanted[i] + pull[i] / lower(i, i);
    integers[i] = nearest(centre, scale);
    const double error = wanted[i] - integers[i] * scale;
    if (i > 0) pull.head(i) += error * lower.row(i).head(i).transpose();
  }
  return integers;
}

// Moves single integers while that lowers the error; returns what is left of it.
double descend(const Normal& normal, const Vector& wanted, double scale, int sweeps, Vector& integers) {
  Vector error = integers * scale - wanted;
  Vector slope = normal.squares * error;
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    bool moved = false;
    for (Eigen::Index i = 0; i < integers.size(); ++i) {
      const double ideal = integers[i] - slope[i] / (normal.squares(i, i) * scale);
      const double better = std::clamp(std::nearbyint(ideal), -kLargest, kLargest);
      const double step = (better - integers[i]) * scale;
      if (step == 0 || step * (2 * slope[i] + step * normal.squares(i, i)) >= 0) continue;
      integers[i] = better;
      error[i] += step;
      slope += step * normal.squares.row(i).transpose();
      moved = true;
    }
    if (!moved) break;
  }
  return error.dot(normal.squares * error);
}

struct Choice {
  double scale = 1;
  Vector integers;
};

std::vector<double> scales_to_try(double largest) {
  std::vector<double> scales;
  for (int i = 0; i <= 20; ++i) scales.push_back(scale_of(largest * (1 - 0.02 * i)));
  return scales;
}

Choice choose(const Normal& normal, const Vector& wanted, int sweeps) {
  const std::vector<double> scales = scales_to_try(wanted.cwiseAbs().maxCoeff());
  Choice best;
  double least = std::numeric_limits<double>::infinity();
  if (wanted.size() <= kShortSum) {
    for (const double scale : scales) {
      Vector integers = nearest_plane(normal, wanted, scale);
      const double error = descend(normal, wanted, scale, sweeps, integers);
      if (error < least) {
        least = error;
        best = {scale, std::move(integers)};
      }
    }
    return best;
  }
  for (const double scale : scales) {  // as if errors of different inputs didn't touch each other
    double error = 0;
    for (Eigen::Index i = 0; i < wanted.size(); ++i) {
      const double e = nearest(wanted[i], scale) * scale - wanted[i];
      error += normal.squares(i, i) * e * e;
    }
    if (error < least) {
      least = error;
      best.scale = scale;
    }
  }
  best.integers = nearest_plane(normal, wanted, best.scale);
  descend(normal, wanted, best.scale, sweeps, best.integers);
  return best;
}

// One output channel on the rows: mean error, and the sums of squares behind it over the rows held out.
struct Trial {
  double shift = 0;
  double signal = 0;
  double noise = 0;
};

Trial try_out(const Columns& exact, const Columns& given, const Eigen::VectorXf& weights,
              const Eigen::VectorXf& quantized, Eigen::Index fitted) {
  const Eigen::VectorXd wanted = (exact * weights).cast<double>();
  const Eigen::VectorXd error = wanted - (given * quantized).cast<double>();
  Trial trial;
  trial.shift = error.head(fitted).mean();
  trial.signal = wanted.tail(wanted.size() - fitted).squaredNorm();
  trial.noise = (error.tail(error.size() - fitted).array() - trial.shift).square().sum();
  trial.shift = error.mean();  // the best guess for other data rests on all rows
  return trial;
}

}  // namespace

RoundedWeights round_weights(const RoundingProblem& problem, const RoundingOptions& options) {
  const auto map = [&](std::span<const float> all) {
    return Columns(all.data() + problem.offset, problem.rows, problem.k, Eigen::OuterStride<>(problem.stride));
  };
  const Columns exact = map(problem.exact);
  const Columns given = map(problem.given);
  const Columns weights(problem.weights.data(), problem.m, problem.k, Eigen::OuterStride<>(problem.k));
  const Eigen::Index fitted = problem.rows - problem.rows / 5;
  const auto m = static_cast<std::size_t>(problem.m);
  const auto k = static_cast<std::size_t>(problem.k);

  Normal normal;
  const bool adjust = options.adjust && problem.rows >= kFewestRows &&
                      make_normal(Columns(exact.data(), fitted, problem.k, Eigen::OuterStride<>(problem.stride)),
                                  Columns(given.data(), fitted, problem.k, Eigen::OuterStride<>(problem.stride)),
                                  weights, options, normal);
  RoundedWeights result;
  result.values.resize(m * k);
  result.scales.resize(m);
  result.shift.resize(m);
  std::vector<Trial> plain(m);
  std::vector<Trial> chosen(m);
  parallel_for(m, options.threads, [&](std::size_t c) {
    const Eigen::VectorXf wanted = weights.row(static_cast<Eigen::Index>(c));
    double scale = scale_of(wanted.cwiseAbs().maxCoeff());
    Eigen::VectorXf integers =
        wanted.unaryExpr([scale](float w) { return static_cast<float>(nearest(static_cast<double>(w), scale)); });
    plain[c] = try_out(exact, given, wanted, integers * static_cast<float>(scale), fitted);
    chosen[c] = plain[c];
    if (adjust) {
      const Choice choice = choose(normal, normal.weights.row(static_cast<Eigen::Index>(c)), options.sweeps);
      Eigen::VectorXf better(problem.k);
      for (std::size_t i = 0; i < k; ++i) {
        better[normal.order[i]] = static_cast<float>(choice.integers[static_cast<Eigen::Index>(i)]);
      }
      const Trial trial = try_out(exact, given, wanted, better * static_cast<float>(choice.scale), fitted);
      if (trial.noise < plain[c].noise) {
        chosen[c] = trial;
        scale = choice.scale;
        integers = better;
      }
    }
    result.scales[c] = static_cast<float>(scale);
    result.shift[c] = static_cast<float>(chosen[c].shift);
    for (std::size_t i = 0; i < k; ++i) {
      result.values[c * k + i] = static_cast<std::int8_t>(integers[static_cast<Eigen::Index>(i)]);
    }
  });
  for (std::size_t c = 0; c < m; ++c) {
    result.signal += chosen[c].signal;
    result.nearest_noise += plain[c].noise;
    result.noise += chosen[c].noise;
  }
  return result;
}

}  // namespace xinfer::quantize
