#include "onnx/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/file.h"
#include "onnx/importer.h"
#include "onnx/model_file.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

/// A model whose batch was fixed to 1 becomes one of any batch only when no input says otherwise.
bool can_promote(const std::vector<InputSpec>& inputs) {
  const auto batched = [](const InputSpec& s) {
    return std::any_of(s.shape.begin(), s.shape.end(), [](const ir::Dim& d) { return d.batch; });
  };
  return std::any_of(inputs.begin(), inputs.end(), [](const InputSpec& s) { return s.promotable; }) &&
         std::none_of(inputs.begin(), inputs.end(), batched);
}

bool outputs_follow_batch(const ir::Graph& graph) {
  return std::all_of(graph.outputs().begin(), graph.outputs().end(), [&](ir::ValueId id) {
    const ir::Shape& shape = graph.value(id).shape;
    const auto batched = std::count_if(shape.begin(), shape.end(), [](const ir::Dim& d) { return d.batch; });
    return shape.rank() > 0 && shape[0] == ir::Dim::n() && batched == 1;
  });
}

ir::Graph import(std::span<const std::byte> bytes, ExternalData external, const std::string& label,
                 const ReadOptions& options) {
  const ModelProto model = parse_model(bytes, label);
  const int opset = default_opset(model, label);
  TensorCache tensors;
  try {
    if (options.symbolic_batch && can_promote(read_inputs(model.graph(), options))) {
      try {
        ir::Graph graph = Importer(model, opset, external, tensors, options, true).run();
        if (outputs_follow_batch(graph)) return graph;
      } catch (const ModelError&) {
        // The model is tied to a batch of 1, or is wrong in any case: the second reading tells.
      }
    }
    return Importer(model, opset, external, tensors, options, false).run();
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(fmt::format("{}: {}", label, error.what()));
  } catch (const Error& error) {
    throw ModelError(fmt::format("{}: {}", label, error.what()));
  }
}

}  // namespace

ir::Graph read(const std::string& path, const ReadOptions& options) {
  try {
    const MappedFile file(path);
    return import(file.bytes(), ExternalData(std::filesystem::path(path).parent_path()), path, options);
  } catch (const ModelError&) {
    throw;
  } catch (const Error& error) {
    throw ModelError(error.what());
  }
}

ir::Graph read_bytes(const void* data, std::size_t size, const std::string& label, const ReadOptions& options) {
  return import({static_cast<const std::byte*>(data), size}, ExternalData(), label, options);
}

}  // namespace xinfer::onnx
