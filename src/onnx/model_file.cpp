#include "onnx/model_file.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>

#include "onnx/reader.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {

const int kMaxOpset = 24;

ModelProto parse_model(std::span<const std::byte> bytes, const std::string& label) {
  if (bytes.empty()) throw ModelError(fmt::format("{}: the file is empty", label), "export the model again");
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw ModelError(fmt::format("{}: the file has {} bytes; protobuf can't hold more than 2 GiB", label, bytes.size()),
                     "export the model with its weights as external data (onnx.save with save_as_external_data)");
  }
  const char* const hint = "is this an ONNX file, and was it copied completely?";
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  // Nesting deeper than protobuf's default of 100 is refused by the parser itself.
  google::protobuf::LogSilencer silence;  // the parser prints what we throw
  ModelProto model;
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage()) {
    throw ModelError(
        fmt::format("{}: not a valid ONNX model (the file is damaged, cut off, or of another kind)", label), hint);
  }
  if (!model.has_graph() || model.graph().output_size() == 0) {
    throw ModelError(fmt::format("{}: the model has no graph, or its graph has no output", label), hint);
  }
  return model;
}

std::string_view normal_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string_view() : std::string_view(domain);
}

int default_opset(const ModelProto& model, const std::string& label) {
  std::int64_t version = -1;
  for (const auto& import : model.opset_import()) {
    if (!normal_domain(import.domain()).empty()) continue;
    if (version != -1 && version != import.version()) {
      throw ModelError(fmt::format("{}: the model imports opset {} and opset {} of the default domain", label, version,
                                   import.version()));
    }
    version = import.version();
  }
  if (version == -1) {
    throw ModelError(fmt::format("{}: the model doesn't say which opset it uses (no opset_import)", label),
                     "the file may be cut off; export the model again");
  }
  if (version < kMinOpset) {
    throw UnsupportedError(
        fmt::format("{}: opset {} is older than {}, the oldest that is read", label, version, kMinOpset),
        "convert the model with onnx.version_converter, or export it again with opset 17");
  }
  if (version > kMaxOpset) {
    throw UnsupportedError(
        fmt::format("{}: opset {} is newer than {}, the newest that is read", label, version, kMaxOpset),
        fmt::format("export the model with opset_version={} or lower", kMaxOpset));
  }
  return static_cast<int>(version);
}

}  // namespace xinfer::onnx
