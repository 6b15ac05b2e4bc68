// ONNX's operator tests: what can be read must compute what ONNX says; what can't must stand in unsupported.txt.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "allow_list.h"
#include "node_case.h"
#include "passes/pipeline.h"
#include "reference/reference.h"
#include "xinfer/core/errors.h"

namespace xinfer::conformance {
namespace {

const std::vector<AllowEntry>& allow_list() {
  static const auto entries = read_allow_list(XINFER_SOURCE_DIR "/tests/conformance/unsupported.txt");
  return entries;
}

/// Counts for the report at the end.
struct Tally : testing::Environment {
  int passed[4] = {0, 0, 0, 0};  ///< by presentation
  int differing = 0;
  std::map<std::string, int> unsupported;  ///< by operators

  void TearDown() override {
    int total = 0;
    for (const auto& [operators, count] : unsupported) {
      fmt::print("unsupported: {:3}  {}\n", count, operators);
      total += count;
    }
    fmt::print(
        "conformance: {} pass ({} as they are, {} with constant parameters, {} folded, {} by their first output), {} "
        "differ, {} unsupported\n",
        passed[0] + passed[1] + passed[2] + passed[3], passed[0], passed[1], passed[2], passed[3], differing, total);
  }
};
Tally& tally() {
  static auto* const instance = static_cast<Tally*>(testing::AddGlobalTestEnvironment(new Tally));  // gtest owns it
  return *instance;
}
const Tally& registered_tally = tally();

/// Empty when the graph computes what every example says.
std::string first_difference(const ir::Graph& graph, const std::vector<Example>& examples) {
  for (const Example& example : examples) {
    std::vector<Tensor> outputs;
    try {
      outputs = reference::run(graph, example.inputs);
    } catch (const Error& error) {
      return error.what();
    }
    if (outputs.size() != example.outputs.size()) return fmt::format("{} outputs", outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::string what = difference(outputs[i], example.outputs[i]);
      if (!what.empty()) return fmt::format("output {}: {}", i, what);
    }
  }
  return "";
}

/// The same for the graph as it was read, then for the rewritten one.
std::string first_difference(ReadCase& read) {
  std::string what = first_difference(read.graph, read.examples);
  if (!what.empty()) return what;
  passes::run_default(read.graph);
  what = first_difference(read.graph, read.examples);
  return what.empty() ? "" : "after the graph rewrites: " + what;
}

bool is_listed(const NodeCase& node_case, bool as_differing) {
  return std::any_of(allow_list().begin(), allow_list().end(), [&](const AllowEntry& entry) {
    return (entry.kind == AllowEntry::Kind::kDiffers) == as_differing && entry.covers(node_case);
  });
}

class OnnxNode : public testing::TestWithParam<std::string> {};

TEST_P(OnnxNode, ComputesWhatOnnxSays) {
  const NodeCase node_case = load_case(GetParam());
  const bool listed = is_listed(node_case, false);
  std::string reason;
  std::optional<ReadCase> read = read_case(node_case, reason);
  if (!read) {
    ++tally().unsupported[fmt::format("{}", fmt::join(node_case.operators, " "))];
    EXPECT_TRUE(listed) << "unsupported, but not in unsupported.txt: " << reason;
    return;
  }
  EXPECT_FALSE(listed) << "is supported by now: take it out of unsupported.txt";
  const std::string what = first_difference(*read);
  if (is_listed(node_case, true)) {
    EXPECT_NE(what, "") << "is right by now: take it out of unsupported.txt";
  } else {
    EXPECT_EQ(what, "");
  }
  ++(what.empty() ? tally().passed[static_cast<int>(read->presentation)] : tally().differing);
}

INSTANTIATE_TEST_SUITE_P(, OnnxNode, testing::ValuesIn(case_names()), [](const auto& info) { return info.param; });

TEST(AllowList, EveryEntryCoversATest) {
  std::vector<NodeCase> cases;
  for (const std::string& name : case_names()) cases.push_back(load_case(name));
  for (const AllowEntry& entry : allow_list()) {
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(), [&](const NodeCase& c) { return entry.covers(c); }))
        << entry.name << " covers no test";
  }
}

}  // namespace
}  // namespace xinfer::conformance
