#pragma once
// Tensor payloads that lie in files beside the model.

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "core/file.h"
#include "onnx/proto.h"

namespace xinfer::onnx {

/// Finds and maps external data files. Locations are relative to the model's folder and may not leave it, neither by
/// "..", nor as absolute paths, nor through symbolic links.
class ExternalData {
 public:
  /// For a model from memory: every external tensor is refused.
  ExternalData() = default;
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The `expected` bytes of `tensor`. Throws ModelError naming the tensor and the file when the location is not
  /// allowed, the file is missing, or offset and length don't fit the file or the tensor's size.
  std::span<const std::byte> bytes(const TensorProto& tensor, std::size_t expected);

 private:
  const MappedFile& open(const std::string& tensor, const std::string& location);

  std::optional<std::filesystem::path> folder_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace xinfer::onnx
