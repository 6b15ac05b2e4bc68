#include "quantize/choose_ranges.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "quantize/layer_rows.h"
#include "quantize/parallel.h"
#include "quantize/placement.h"
#include "quantize/sample_runner.h"
#include "quantize/scales.h"
#include "quantize/visible_rows.h"

namespace xinfer::quantize {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Eigen::Index kProjections = 32;
constexpr std::int64_t kMostRows = 4096;
constexpr std::int64_t kFewestRows = 64;
constexpr double kClearGain = 0.97, kClearGainOfTokens = 0.25;  // of what the first candidate costs
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 21;    // of one reader's rows

// One layer that reads the tensor.
struct Reader {
  NodeId node = ir::kNone;
  LayerShape shape;
  bool by_row = false;
  std::int64_t rows_each = 0;  // for each sample
  FloatMatrix rows;            // (samples * rows_each, columns)
  FloatMatrix weights;         // (columns, kProjections)
  std::vector<double> signal;  // of the sums, through the projections: of each row, or of all together
};

// splitmix64 (S. Vigna).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// Each output channel's weights with random signs, added up.
FloatMatrix project(const Tensor& weights, const LayerShape& shape) {
  FloatMatrix result = FloatMatrix::Zero(shape.columns(), kProjections);
  const std::span<const float> w = weights.data<float>();
  for (std::int64_t o = 0; o < shape.channels(); ++o) {
    const std::uint64_t bits = mix(static_cast<std::uint64_t>(o));
    const std::int64_t first = o / shape.m * shape.k;
    for (std::int64_t i = 0; i < shape.k; ++i) {
      const float weight = w[static_cast<std::size_t>(o * shape.k + i)];
      for (Eigen::Index p = 0; p < kProjections; ++p) {
        result(first + i, p) += ((bits >> p) & 1) != 0 ? weight : -weight;
      }
    }
  }
  return result;
}

// Sums of squares around the columns' means (a constant error goes into the bias): of each row, or of all together.
//
// Rows of a linear layer are tokens or samples, which normalisations behind it bring to one size: each counts by its
// own signal. Rows of a convolution are pixels of one picture, and count together.
std::vector<double> spread(const Reader& reader, const FloatMatrix& sums) {
  const FloatMatrix centred = sums.rowwise() - Eigen::RowVectorXf(sums.colwise().mean());
  if (!reader.by_row) return {centred.cast<double>().squaredNorm()};
  const Eigen::VectorXd rows = centred.cast<double>().rowwise().squaredNorm();
  return {rows.begin(), rows.end()};
}

// Noise for signal.
double error_of(const Reader& reader, float threshold, Grid grid) {
  const auto levels = static_cast<float>(levels_of(grid));
  const float scale = threshold / levels;
  const float inverse = levels / threshold;
  const float lowest = grid == Grid::kSigned ? -levels - 1 : 0.0F;
  const FloatMatrix error = reader.rows.unaryExpr(
      [=](float x) { return std::clamp(std::nearbyint(x * inverse), lowest, levels) * scale - x; });
  const std::vector<double> noise = spread(reader, error * reader.weights);
  double sum = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    const double ratio = reader.signal[i] > 0 ? noise[i] / reader.signal[i] : 0;
    sum += ratio * ratio;
  }
  return std::sqrt(sum / static_cast<double>(noise.size()));
}

class Chooser {
 public:
  Chooser(const std::shared_ptr<const Graph>& graph, const CalibrationTable& table, const PlanOptions& plan,
          std::span<const Sample> samples, int threads)
      : shared_(graph),
        graph_(*graph),
        table_(table),
        plan_(plan),
        samples_(samples),
        threads_(threads),
        visible_(SampleRunner(graph, threads), samples),
        never_negative_(never_negative(*graph)) {}

  ChosenRanges run() {
    ChosenRanges result;
    result.ranges = table_.pick(plan_.method);
    const RangeMethod rule = plan_.method == RangeMethod::kAuto ? RangeMethod::kMse : plan_.method;
    for (const auto& [name, range] : result.ranges) result.methods[name] = name_of(rule);
    if (plan_.method != RangeMethod::kAuto || samples_.empty()) return result;
    find_readers(result.ranges);
    gather();
    std::vector<std::string> names;
    for (const auto& [name, readers] : readers_) names.push_back(name);
    std::vector<std::pair<Range, std::string_view>> chosen(names.size());
    parallel_for(names.size(), threads_, [&](std::size_t i) { chosen[i] = choose(names[i]); });
    for (std::size_t i = 0; i < names.size(); ++i) {
      result.ranges[names[i]] = chosen[i].first;
      result.methods[names[i]] = chosen[i].second;
    }
    return result;
  }

 private:
  void find_readers(const Ranges& ranges) {
    const Placement placement = place(graph_, &ranges, plan_);
    const auto in_int8 = [&](NodeId id) {
      return placement[static_cast<std::size_t>(id)].precision == Precision::kInt8;
    };
    for (const NodeId id : graph_.order()) {
      if (!in_int8(id)) continue;
      const std::optional<LayerShape> shape = layer_shape(graph_, graph_.node(id));
      if (!shape) continue;
      ValueId value = graph_.node(id).inputs[0];
      while (true) {  // what movers hand on has the range of what they read
        const NodeId producer = graph_.value(value).producer;
        if (producer == ir::kNone || !in_int8(producer)) break;
        if (placement[static_cast<std::size_t>(producer)].kind != NodeKind::kMover) break;
        value = graph_.node(producer).inputs[0];
      }
      const std::string& name = graph_.value(value).name;
      const auto found = table_.tensors.find(name);
      if (found == table_.tensors.end() || ranges.at(name).dead()) continue;
      Reader reader;
      reader.node = id;
      reader.shape = *shape;
      reader.by_row = graph_.node(id).op == ir::OpType::kLinear;
      const std::int64_t most = std::clamp(kMostNumbers / shape->columns(), kFewestRows, kMostRows);
      const auto count = static_cast<std::int64_t>(samples_.size());
      reader.rows_each = std::min(shape->positions, std::max<std::int64_t>(1, most / count));
      reader.rows.resize(reader.rows_each * count, shape->columns());
      readers_[name].push_back(std::move(reader));
    }
  }

  void gather() {
    std::map<ValueId, std::vector<Reader*>> by_input;
    std::vector<Reader*> all;
    for (auto& [name, readers] : readers_) {
      for (Reader& reader : readers) {
        by_input[graph_.node(reader.node).inputs[0]].push_back(&reader);
        all.push_back(&reader);
      }
    }
    SampleRunner(shared_, threads_).run(samples_, [&](std::size_t s, ValueId id, const Tensor& tensor) {
      const auto found = by_input.find(id);
      if (found == by_input.end()) return;
      for (Reader* reader : found->second) {
        const auto block = static_cast<std::size_t>(reader->rows_each * reader->shape.columns());
        gather_rows(graph_, graph_.node(reader->node), tensor, 1.0F, rows_of(s, *reader),
                    std::span(reader->rows.data() + s * block, block));
      }
    });
    parallel_for(all.size(), threads_, [&](std::size_t i) {
      Reader& reader = *all[i];
      reader.weights = project(*graph_.value(graph_.node(reader.node).inputs[1]).constant, reader.shape);
      reader.signal = spread(reader, reader.rows * reader.weights);
    });
  }

  // As many as there is room for, over again where fewer are visible.
  std::vector<std::int64_t> rows_of(std::size_t sample, const Reader& reader) const {
    std::vector<std::int64_t> rows = visible_.pick(sample, reader.shape.positions, reader.rows_each);
    const std::size_t seen = rows.size();
    rows.resize(static_cast<std::size_t>(reader.rows_each));
    for (std::size_t i = seen; i < rows.size(); ++i) rows[i] = rows[i - seen];
    return rows;
  }

  std::pair<Range, std::string_view> choose(const std::string& name) const {
    const TensorRanges& known = table_.tensors.at(name);
    const bool is_unsigned = known.non_negative() && !plan_.symmetric_s8_only &&
                             never_negative_[static_cast<std::size_t>(graph_.find_value(name))];
    const Grid grid = is_unsigned ? Grid::kUnsigned : Grid::kSigned;
    const auto& proposed = is_unsigned ? known.unsigned_thresholds : known.signed_thresholds;
    struct Candidate {
      float threshold;
      std::string_view method;
    };
    // The first is what a tensor gets unless another gains clearly, since the rows are a sample: pixels are many, so
    // the tensor's own least error; tokens with the largest values are rare, and ruin their sentence when clipped.
    const bool by_row = std::ranges::any_of(readers_.at(name), &Reader::by_row);
    const double clear = by_row ? kClearGainOfTokens : kClearGain;
    std::vector<RangeMethod> order{RangeMethod::kMse, RangeMethod::kMinMax, RangeMethod::kPercentile,
                                   RangeMethod::kEntropy};
    if (by_row) std::swap(order[0], order[1]);
    std::vector<Candidate> candidates;
    for (const RangeMethod rule : order) {
      candidates.push_back({proposed[static_cast<std::size_t>(rule) - 1], name_of(rule)});
    }
    const float largest = proposed[static_cast<std::size_t>(RangeMethod::kMinMax) - 1];
    for (int i = 1; i <= 16; ++i) candidates.push_back({largest * std::exp2(-static_cast<float>(i) / 4), "tuned"});
    const auto cost = [&](float threshold) {
      double sum = 0;
      for (const Reader& reader : readers_.at(name)) sum += error_of(reader, threshold, grid);
      return sum;
    };
    Candidate best = candidates.front();
    double least = cost(best.threshold) * clear;
    for (const Candidate& candidate : candidates) {
      if (!(candidate.threshold > 0)) continue;
      const double here = cost(candidate.threshold);
      if (here < least) {
        least = here;
        best = candidate;
      }
    }
    Range range = known.pick(order[0]);
    range.threshold = is_unsigned ? std::max(range.threshold, best.threshold) : best.threshold;
    if (is_unsigned) range.unsigned_threshold = best.threshold;
    return {range, best.method};
  }

  std::shared_ptr<const Graph> shared_;
  const Graph& graph_;
  const CalibrationTable& table_;
  const PlanOptions& plan_;
  std::span<const Sample> samples_;
  int threads_;
  const VisibleRows visible_;
  const std::vector<bool> never_negative_;
  std::map<std::string, std::vector<Reader>> readers_;  // by the tensor that owns the range
};

}  // namespace

ChosenRanges choose_ranges(const std::shared_ptr<const ir::Graph>& graph, const CalibrationTable& table,
                           const PlanOptions& plan, std::span<const Sample> samples, int threads) {
  return Chooser(graph, table, plan, samples, threads).run();
}

}  // namespace xinfer::quantize
