#pragma once
// Reads an ONNX model into ir::Graph.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace xinfer::onnx {

struct ReadOptions {
  /// Fixes input shapes by name, e.g. {"ids", {-1, 128}}; -1 stands for the batch N.
  std::map<std::string, std::vector<std::int64_t>> input_shapes;
  /// Turns a constant leading dimension of 1 of every input into the batch N, when the model then still infers.
  bool symbolic_batch = true;
};

inline constexpr int kMinOpset = 7;
extern const int kMaxOpset;  ///< newest opset of the default domain whose operators the reader knows

/// Reads `path` (with external data beside it). Throws ModelError naming file, node and reason; UnsupportedError for an
/// operator or form that xInfer does not do (all such nodes are listed in one message).
ir::Graph read(const std::string& path, const ReadOptions& options = {});
/// The same from memory; external data is refused.
ir::Graph read_bytes(const void* data, std::size_t size, const std::string& label, const ReadOptions& options = {});

}  // namespace xinfer::onnx
