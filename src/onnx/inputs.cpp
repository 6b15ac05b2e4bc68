// Types and shapes of the model's inputs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "onnx/importer.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::onnx {
namespace {

DataType input_type(const ValueInfoProto& info) {
  if (!info.type().has_tensor_type()) {
    throw UnsupportedError(
        fmt::format("input '{}' is no dense tensor (a sequence, map, optional or sparse tensor)", info.name()));
  }
  try {
    return ir_type(info.type().tensor_type().elem_type());
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(fmt::format("input '{}': {}", info.name(), error.what()));
  }
}

/// "input 'x' [N, 3, height, ?]"
std::string declared(const ValueInfoProto& info) {
  if (!info.type().tensor_type().has_shape()) return "of unknown rank";
  std::vector<std::string> dims;
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    dims.push_back(dim.has_dim_value()       ? std::to_string(dim.dim_value())
                   : dim.dim_param().empty() ? "?"
                                             : dim.dim_param());
  }
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

/// What --shape would look like for this input, with plausible numbers in the open places.
std::string example(const ValueInfoProto& info) {
  std::string text = info.name() + "=N";
  const auto& dims = info.type().tensor_type().shape().dim();
  if (dims.empty()) return text + "x3x224x224";
  for (int i = 1; i < dims.size(); ++i) {
    const bool known = dims[i].has_dim_value() && dims[i].dim_value() > 0;
    text += fmt::format("x{}", known ? dims[i].dim_value() : dims.size() == 4 ? 224 : 128);
  }
  return text;
}

ir::Shape fixed_shape(const std::string& name, const std::vector<std::int64_t>& dims) {
  ir::Shape shape;
  for (const std::int64_t dim : dims) {
    if (dim == 0 || dim < -1 || dim > kMaxElements) {
      throw ModelError(fmt::format("the shape given for input '{}' has the dimension {}", name, dim));
    }
    shape.dims().push_back(dim == -1 ? ir::Dim::n() : ir::Dim(dim));
  }
  return shape;
}

/// The declared shape; `open` grows by one when a dimension other than the leading one is not known.
ir::Shape declared_shape(const ValueInfoProto& info, std::size_t& open) {
  ir::Shape shape;
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    const bool known = dim.has_dim_value() && dim.dim_value() > 0;
    const bool leads = shape.rank() == 0;
    if (!known && !leads) ++open;
    shape.dims().push_back(known ? ir::Dim(dim.dim_value()) : ir::Dim::n());
  }
  return shape;
}

void check_shape(const InputSpec& spec) {
  std::int64_t count = 1;
  for (const ir::Dim& d : spec.shape) {
    if (d.value > kMaxElements || __builtin_mul_overflow(count, d.value, &count) || count > kMaxElements) {
      throw ModelError(fmt::format("input '{}' is too large: {}", spec.name, ir::to_string(spec.shape)));
    }
  }
  if (spec.shape.rank() > static_cast<std::size_t>(kMaxRank)) {
    throw ModelError(fmt::format("input '{}' has {} dimensions", spec.name, spec.shape.rank()));
  }
}

}  // namespace

std::vector<InputSpec> read_inputs(const GraphProto& graph, const ReadOptions& options) {
  std::unordered_set<std::string_view> initializers;
  for (const TensorProto& tensor : graph.initializer()) initializers.insert(tensor.name());
  std::unordered_set<std::string_view> seen;
  std::vector<InputSpec> inputs;
  std::string problems;
  std::string fixes;
  for (const ValueInfoProto& info : graph.input()) {
    if (!seen.insert(info.name()).second) throw ModelError(fmt::format("input '{}' is listed twice", info.name()));
    if (initializers.contains(info.name())) continue;
    if (info.name().empty()) throw ModelError("an input has no name");
    InputSpec spec{info.name(), input_type(info), {}, false};
    const auto given = options.input_shapes.find(info.name());
    const bool has_shape = info.type().tensor_type().has_shape();
    if (given != options.input_shapes.end()) {
      spec.shape = fixed_shape(info.name(), given->second);
      const auto rank = static_cast<std::size_t>(info.type().tensor_type().shape().dim_size());
      if (has_shape && rank != spec.shape.rank()) {
        throw ModelError(fmt::format("the shape given for input '{}' has {} dimensions; the model declares {}",
                                     info.name(), spec.shape.rank(), declared(info)));
      }
    } else {
      std::size_t open = has_shape ? 0 : 1;
      spec.shape = declared_shape(info, open);
      if (open > 0) {
        problems += fmt::format("{}'{}' {}", problems.empty() ? "" : ", ", info.name(), declared(info));
        fixes += fmt::format(" --shape {}", example(info));
      }
      spec.promotable = spec.shape.rank() >= 2 && spec.shape[0] == ir::Dim(1);
    }
    check_shape(spec);
    inputs.push_back(std::move(spec));
  }
  if (!problems.empty()) {
    throw ModelError(fmt::format("only the leading dimension of an input may be open (it is the batch): {}", problems),
                     fmt::format("fix the others, for example{} (input_shapes in the API)", fixes));
  }
  for (const auto& [name, dims] : options.input_shapes) {
    if (seen.contains(name) && !initializers.contains(name)) continue;
    std::vector<std::string> names;
    for (const InputSpec& spec : inputs) names.push_back(spec.name);
    throw ModelError(
        fmt::format("a shape is given for '{}', but the model's inputs are: {}", name, fmt::join(names, ", ")));
  }
  return inputs;
}

}  // namespace xinfer::onnx
