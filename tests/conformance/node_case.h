#pragma once
// One of ONNX's own operator tests: a model of a node or a few, with inputs and expected outputs.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "onnx/proto.h"

namespace xinfer::conformance {

/// How a model had to be presented to be readable. xInfer wants shapes, axes and counts to be constants, where these
/// tests feed them as inputs: they are then made initializers. Some tests also ask for an optional output (a mask, a
/// deviation) that xInfer doesn't compute: the first output is then compared alone.
enum class Presentation { kAsIs, kFirstInputOnly, kAllConstant, kFirstOutputOnly };
inline constexpr Presentation kPresentations[] = {Presentation::kAsIs, Presentation::kFirstInputOnly,
                                                  Presentation::kAllConstant, Presentation::kFirstOutputOnly};

struct NodeCase {
  std::string name;
  onnx::ModelProto model;
  std::set<std::string> operators;  ///< "Conv"; those of another domain as "domain:Name"
  std::filesystem::path folder;
};

struct Example {
  std::vector<Tensor> inputs;  ///< of the presented model
  std::vector<Tensor> outputs;
};

/// Names of all test folders, sorted.
std::vector<std::string> case_names();
/// Models older than opset 7 are raised to it: each tests one operator that opset 7 took over as it was.
NodeCase load_case(const std::string& name);

/// A case that could be read.
struct ReadCase {
  ir::Graph graph;
  Presentation presentation = Presentation::kAsIs;
  std::vector<Example> examples;
};

/// Reads the model as it is presented first among those that work; nothing when none does, and `reason` then holds the
/// first error's message.
std::optional<ReadCase> read_case(const NodeCase& node_case, std::string& reason);

/// Empty when `actual` is `expected` (integers and booleans exactly; floats within 1e-3 relative and 1e-7 absolute, as
/// ONNX's own runner asks), else what differs first.
std::string difference(const Tensor& actual, const Tensor& expected);

}  // namespace xinfer::conformance
