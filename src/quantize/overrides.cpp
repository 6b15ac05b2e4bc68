#include "quantize/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row.back();
}

std::string nearest_names(const ir::Graph& graph, const std::string& wanted) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const ir::NodeId id : graph.order()) {
    const std::string& name = graph.node(id).name;
    const bool contains = !wanted.empty() && name.find(wanted) != std::string::npos;
    ranked.emplace_back(contains ? 0 : edit_distance(wanted, name), name);
  }
  std::stable_sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, ranked.size()); ++i) {
    names.push_back(fmt::format("'{}'", ranked[i].second));
  }
  return names.empty() ? "the graph has no nodes" : fmt::format("the nearest names are {}", fmt::join(names, ", "));
}

std::string op_names(const ir::Graph& graph) {
  std::vector<std::string_view> names;
  for (const ir::NodeId id : graph.order()) {
    const std::string_view name = ir::name_of(graph.node(id).op);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return fmt::format("the graph has the operators {}", fmt::join(names, ", "));
}

std::string describe(const PrecisionOverride& o) {
  switch (o.match) {
    case PrecisionOverride::Match::kNode:
      return fmt::format("override of node '{}'", o.pattern);
    case PrecisionOverride::Match::kGlob:
      return fmt::format("override '{}'", o.pattern);
    case PrecisionOverride::Match::kOpType:
      return fmt::format("override of every {}", ir::name_of(o.op));
  }
  return "override";
}

std::vector<PrecisionOverride> all_overrides(const PlanOptions& options) {
  std::vector<PrecisionOverride> all;
  for (const std::string& pattern : options.keep_float) {
    all.push_back({PrecisionOverride::Match::kGlob, pattern});
  }
  all.insert(all.end(), options.overrides.begin(), options.overrides.end());
  return all;
}

bool matches(const PrecisionOverride& o, const ir::Node& node) {
  switch (o.match) {
    case PrecisionOverride::Match::kNode:
      return node.name == o.pattern;
    case PrecisionOverride::Match::kGlob:
      return glob_matches(o.pattern, node.name);
    case PrecisionOverride::Match::kOpType:
      return node.op == o.op;
  }
  return false;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // the last * seen, and where its text ends so far
  std::size_t star_end = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::string> resolve_overrides(const ir::Graph& graph, const PlanOptions& options) {
  const std::vector<PrecisionOverride> all = all_overrides(options);
  std::vector<std::string> reasons(graph.node_slots());
  for (const PrecisionOverride& o : all) {
    if (o.precision == Precision::kIndex) {
      throw CalibrationError(describe(o) + " asks for the precision 'index'", "ask for int8 or float");
    }
    bool used = false;
    for (const ir::NodeId id : graph.order()) {
      if (!matches(o, graph.node(id))) continue;
      used = true;
      std::string& reason = reasons[static_cast<std::size_t>(id)];
      reason = o.precision != Precision::kFloat ? "" : o.why.empty() ? describe(o) : o.why;
    }
    if (!used) {
      throw CalibrationError(
          fmt::format("{} matches nothing in graph '{}'", describe(o), graph.name),
          o.match == PrecisionOverride::Match::kOpType ? op_names(graph) : nearest_names(graph, o.pattern));
    }
  }
  return reasons;
}

bool is_overridden(const ir::Node& node, const PlanOptions& options) {
  const std::vector<PrecisionOverride> all = all_overrides(options);
  return std::any_of(all.begin(), all.end(), [&](const PrecisionOverride& o) { return matches(o, node); });
}

}  // namespace xinfer::quantize
