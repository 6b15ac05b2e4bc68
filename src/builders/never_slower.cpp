#include "builders/never_slower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_map>

namespace xinfer::builders {
namespace {

constexpr std::size_t kLongestGroup = 16;

/// Neighbours that move together, and what that promises: a share of the network's time.
struct Group {
  std::vector<int> nodes;
  double promise = 0;
  std::string reason;
};

/// Predicts what a precision for each node costs, and improves it.
class Prediction {
 public:
  Prediction(const SpeedModel& model, const BatchTimes& totals)
      : model_(model), totals_(totals), tensors_of_(model.nodes.size()) {
    for (const SpeedNode& node : model.nodes) int8_.push_back(node.int8);
    for (std::size_t t = 0; t < model.tensors.size(); ++t) {
      const SpeedTensor& tensor = model.tensors[t];
      std::set<int> ends(tensor.readers.begin(), tensor.readers.end());
      if (tensor.producer >= 0) ends.insert(tensor.producer);
      for (const int node : ends) tensors_of_[at(node)].push_back(static_cast<int>(t));
    }
  }

  /// Moves nodes to float as long as that promises at least `least`, and gives those that moved as groups of
  /// neighbours, each as if it alone moved, the most promising first. Empty, with `all` set, when that would leave
  /// nothing in INT8.
  std::vector<Group> groups(double least, bool& all) {
    const std::vector<bool> start = int8_;
    for (Group best = best_group(); best.promise >= least && !best.nodes.empty(); best = best_group()) {
      for (const int node : best.nodes) int8_[at(node)] = false;
    }
    std::vector<bool> moved(start.size());
    for (std::size_t i = 0; i < start.size(); ++i) moved[i] = start[i] != int8_[i];
    all = std::ranges::find(int8_, true) == int8_.end() && std::ranges::find(moved, true) != moved.end();
    int8_ = start;
    std::vector<Group> result;
    for (std::size_t i = 0; i < moved.size() && !all; ++i) {
      if (!moved[i]) continue;
      Group group = component(static_cast<int>(i), moved);
      describe(group);
      if (group.promise >= least) result.push_back(std::move(group));
    }
    std::ranges::stable_sort(result, std::greater<>{}, &Group::promise);
    return result;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  Group best_group() {
    Group best;
    for (std::size_t seed = 0; seed < model_.nodes.size(); ++seed) {
      if (!may_move(static_cast<int>(seed))) continue;
      Group grown = grow(static_cast<int>(seed));
      if (grown.promise > best.promise) best = std::move(grown);
    }
    return best;
  }

  /// Takes out of `moved` the nodes that hang together with `first`.
  Group component(int first, std::vector<bool>& moved) const {
    Group group{{first}, 0, {}};
    moved[at(first)] = false;
    for (std::size_t i = 0; i < group.nodes.size(); ++i) {
      for (const int neighbour : movable_neighbours({group.nodes[i]})) {
        if (!moved[at(neighbour)]) continue;
        moved[at(neighbour)] = false;
        group.nodes.push_back(neighbour);
      }
    }
    return group;
  }

  /// What the group promises when it alone moves, and the reason to give.
  void describe(Group& group) {
    const BatchTimes before = times_of(group);
    for (const int node : group.nodes) int8_[at(node)] = false;
    const BatchTimes after = times_of(group);
    for (const int node : group.nodes) int8_[at(node)] = true;
    group.promise = share(before) - share(after);
    std::size_t telling = 0;  // the batch size with the largest gain
    for (std::size_t b = 1; b < before.size(); ++b) {
      if (before[b] * after[telling] > before[telling] * after[b]) telling = b;
    }
    group.reason = fmt::format("INT8 was slower than FP16 here ({:.1f} against {:.1f} us with conversions{}, batch {})",
                               before[telling], after[telling],
                               group.nodes.size() > 1 ? fmt::format(" for {} nodes", group.nodes.size()) : "",
                               model_.batches[telling]);
  }

  bool may_move(int node) const { return model_.nodes[at(node)].movable && int8_[at(node)]; }

  bool converts(const SpeedTensor& tensor) const {
    const auto in_int8 = [&](int node) { return static_cast<bool>(int8_[at(node)]); };
    const bool int8_reader = std::any_of(tensor.readers.begin(), tensor.readers.end(), in_int8);
    const bool float_reader = tensor.output || !std::all_of(tensor.readers.begin(), tensor.readers.end(), in_int8);
    if (tensor.producer < 0 || !in_int8(tensor.producer)) return int8_reader;
    return float_reader && (int8_reader || !model_.nodes[at(tensor.producer)].writes_float);
  }

  /// Mean over batch sizes of the share of the network's time.
  double share(const BatchTimes& times) const {
    double sum = 0;
    for (std::size_t b = 0; b < times.size(); ++b) sum += times[b] / totals_[b];
    return sum / static_cast<double>(times.size());
  }

  double conversions_at(int node) const {
    double sum = 0;
    for (const int t : tensors_of_[at(node)]) {
      if (converts(model_.tensors[at(t)])) sum += share(model_.tensors[at(t)].convert_us);
    }
    return sum;
  }

  /// What changes when this one node moves to float; negative when it is faster there.
  double change_of(int node) {
    const double before = conversions_at(node);
    int8_[at(node)] = false;
    const double after = conversions_at(node);
    int8_[at(node)] = true;
    return share(model_.nodes[at(node)].float_us) - share(model_.nodes[at(node)].int8_us) + after - before;
  }

  std::set<int> movable_neighbours(const std::vector<int>& nodes) const {
    std::set<int> found;
    for (const int node : nodes) {
      for (const int t : tensors_of_[at(node)]) {
        const SpeedTensor& tensor = model_.tensors[at(t)];
        for (const int reader : tensor.readers) found.insert(reader);
        if (tensor.producer >= 0) found.insert(tensor.producer);
      }
    }
    std::erase_if(found, [&](int node) { return !may_move(node); });
    return found;
  }

  /// Adds the best neighbour again and again, since conversions vanish between nodes that move together; keeps the
  /// prefix that promises most, without the nodes in it that only led to others.
  Group grow(int seed) {
    std::vector<int> nodes;
    double change = 0, best = 0;
    std::size_t length = 0;
    for (int next = seed; next >= 0 && nodes.size() < kLongestGroup;) {
      change += change_of(next);
      int8_[at(next)] = false;
      nodes.push_back(next);
      if (change < best) {
        best = change;
        length = nodes.size();
      }
      next = -1;
      double least = 0;
      for (const int neighbour : movable_neighbours(nodes)) {
        const double one = change_of(neighbour);
        if (next < 0 || one < least) {
          next = neighbour;
          least = one;
        }
      }
    }
    for (std::size_t i = length; i < nodes.size(); ++i) int8_[at(nodes[i])] = true;
    nodes.resize(length);
    for (std::size_t i = 0; i < nodes.size();) {
      int8_[at(nodes[i])] = true;
      const double one = change_of(nodes[i]);
      if (one > 0) {
        best -= one;
        nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(i));
        i = 0;  // its neighbours may lose by that
      } else {
        int8_[at(nodes[i])] = false;
        ++i;
      }
    }
    for (const int node : nodes) int8_[at(node)] = true;
    return {nodes, -best, {}};
  }

  /// Microseconds of the group's nodes and of the conversions at them, by batch size.
  BatchTimes times_of(const Group& group) const {
    BatchTimes sum(model_.batches.size(), 0.0);
    std::set<int> tensors;
    for (const int node : group.nodes) {
      const SpeedNode& n = model_.nodes[at(node)];
      for (std::size_t b = 0; b < sum.size(); ++b) sum[b] += int8_[at(node)] ? n.int8_us[b] : n.float_us[b];
      tensors.insert(tensors_of_[at(node)].begin(), tensors_of_[at(node)].end());
    }
    for (const int t : tensors) {
      const SpeedTensor& tensor = model_.tensors[at(t)];
      if (!converts(tensor)) continue;
      for (std::size_t b = 0; b < sum.size(); ++b) sum[b] += tensor.convert_us[b];
    }
    return sum;
  }

  const SpeedModel& model_;
  const BatchTimes& totals_;
  std::vector<std::vector<int>> tensors_of_;  // by node
  std::vector<bool> int8_;
};

void check_times(const SpeedModel& model) {
  const auto complete = [&](const BatchTimes& times) { return times.size() == model.batches.size(); };
  const bool nodes = std::ranges::all_of(model.nodes, [&](const SpeedNode& n) {
    return (!n.movable || n.int8) && complete(n.int8_us) && complete(n.float_us);
  });
  const bool tensors = std::ranges::all_of(model.tensors, [&](const SpeedTensor& t) { return complete(t.convert_us); });
  if (model.batches.empty() || !nodes || !tensors) throw std::logic_error("the speed model lacks times");
}

/// Whether `now` is a gain over `before`; false where a time is not a positive number.
bool is_gain(const BatchTimes& now, const BatchTimes& before, const NeverSlowerOptions& options) {
  double sum = 0;
  for (std::size_t b = 0; b < before.size(); ++b) {
    const double ratio = now[b] / before[b];
    if (!(ratio > 0 && ratio <= 1 + options.max_loss)) return false;
    sum += ratio;
  }
  return sum / static_cast<double>(before.size()) <= 1 - options.min_gain;
}

std::set<std::string> names_of(const SpeedModel& model, const std::vector<const Group*>& groups) {
  std::set<std::string> names;
  for (const Group* group : groups) {
    for (const int node : group->nodes) names.insert(model.nodes[static_cast<std::size_t>(node)].name);
  }
  return names;
}

}  // namespace

NeverSlowerResult search_never_slower(const SpeedModel& model, const MeasureFloatNodes& measure,
                                      const NeverSlowerOptions& options) {
  check_times(model);
  NeverSlowerResult result;
  const auto measured = [&](const std::vector<const Group*>& groups) {
    ++result.measurements;
    BatchTimes times = measure(names_of(model, groups));
    if (times.size() != model.batches.size()) throw std::logic_error("not one time for each batch size");
    return times;
  };
  result.before_us = result.after_us = measured({});
  const bool sound = std::ranges::all_of(result.before_us, [](double us) { return us > 0 && std::isfinite(us); });
  if (!sound) return result;
  const std::vector<Group> groups =
      Prediction(model, result.before_us).groups(options.min_promise, result.all_promised);
  std::vector<const Group*> kept;
  const auto try_with = [&](const std::vector<const Group*>& trial) {
    if (result.measurements >= options.max_measurements) return;
    BatchTimes times = measured(trial);
    if (!is_gain(times, result.after_us, options)) return;
    kept = trial;
    result.after_us = std::move(times);
  };
  if (!groups.empty()) {
    std::vector<const Group*> all;
    for (const Group& group : groups) all.push_back(&group);
    try_with(all);
  }
  if (kept.empty() && groups.size() > 1) {
    for (const Group& group : groups) {
      std::vector<const Group*> trial = kept;
      trial.push_back(&group);
      try_with(trial);
    }
  }
  std::unordered_map<int, const Group*> group_of;
  for (const Group* group : kept) {
    for (const int node : group->nodes) group_of.emplace(node, group);
  }
  for (std::size_t i = 0; i < model.nodes.size(); ++i) {
    const auto found = group_of.find(static_cast<int>(i));
    if (found != group_of.end()) result.moved.push_back({model.nodes[i].name, found->second->reason});
  }
  return result;
}

}  // namespace xinfer::builders
