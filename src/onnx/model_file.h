#pragma once
// From bytes to a parsed ONNX model whose versions are known to be readable.

#include <cstddef>
#include <span>
#include <string>

#include "onnx/proto.h"

namespace xinfer::onnx {

/// Parses `bytes`. Throws ModelError naming `label` when they are empty, too many for protobuf (2 GiB), or no ONNX
/// model.
ModelProto parse_model(std::span<const std::byte> bytes, const std::string& label);

/// The version of the default operator domain. Throws ModelError when the model doesn't say, UnsupportedError when it
/// is outside [kMinOpset, kMaxOpset].
int default_opset(const ModelProto& model, const std::string& label);

/// "" for the default domain under any of its names, else the domain itself.
std::string_view normal_domain(const std::string& domain);

}  // namespace xinfer::onnx
