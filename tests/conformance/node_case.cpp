#include "node_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "onnx/external_data.h"
#include "onnx/reader.h"
#include "onnx/tensor_proto.h"
#include "xinfer/core/errors.h"

namespace xinfer::conformance {
namespace {

namespace fs = std::filesystem;

template <class Proto>
Proto parse(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  Proto proto;
  if (!file || !proto.ParseFromIstream(&file)) throw Error("can't parse " + path.string());
  return proto;
}

/// test_data_set_0, test_data_set_1, ...
std::vector<fs::path> data_sets(const NodeCase& node_case) {
  std::vector<fs::path> sets;
  for (const auto& entry : fs::directory_iterator(node_case.folder)) {
    if (entry.is_directory()) sets.push_back(entry.path());
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

/// The data sets store bfloat16 tensors as uint16: `declared` says what is meant.
onnx::TensorProto tensor_proto(const fs::path& path, const onnx::ValueInfoProto& declared) {
  auto proto = parse<onnx::TensorProto>(path);
  const bool bfloat16 = declared.type().tensor_type().elem_type() == onnx::TensorProto::BFLOAT16;
  if (bfloat16 && proto.data_type() == onnx::TensorProto::UINT16) proto.set_data_type(onnx::TensorProto::BFLOAT16);
  return proto;
}
onnx::TensorProto input_proto(const NodeCase& node_case, const fs::path& set, int index) {
  return tensor_proto(set / fmt::format("input_{}.pb", index), node_case.model.graph().input(index));
}
onnx::TensorProto output_proto(const NodeCase& node_case, const fs::path& set, int index) {
  return tensor_proto(set / fmt::format("output_{}.pb", index), node_case.model.graph().output(index));
}

Tensor to_tensor(const onnx::TensorProto& proto) {
  onnx::ExternalData none;
  return onnx::read_tensor(proto, none);
}

bool has_plain_inputs(const onnx::ModelProto& model) {
  return std::all_of(model.graph().input().begin(), model.graph().input().end(),
                     [](const auto& input) { return input.type().has_tensor_type(); });
}

/// How many leading inputs stay inputs.
int inputs_left(const onnx::ModelProto& model, Presentation presentation) {
  switch (presentation) {
    case Presentation::kAsIs:
    case Presentation::kFirstOutputOnly:
      return model.graph().input_size();
    case Presentation::kFirstInputOnly:
      return std::min(1, model.graph().input_size());
    case Presentation::kAllConstant:
      return 0;
  }
  return 0;
}

int outputs_left(const onnx::ModelProto& model, Presentation presentation) {
  return presentation == Presentation::kFirstOutputOnly ? std::min(1, model.graph().output_size())
                                                        : model.graph().output_size();
}

onnx::ModelProto present(const NodeCase& node_case, Presentation presentation, const fs::path& set) {
  onnx::ModelProto model = node_case.model;
  const int left = inputs_left(model, presentation);
  for (int i = left; i < model.graph().input_size(); ++i) {
    onnx::TensorProto& initializer = *model.mutable_graph()->add_initializer();
    initializer = input_proto(node_case, set, i);
    initializer.set_name(model.graph().input(i).name());
  }
  while (model.graph().input_size() > left) model.mutable_graph()->mutable_input()->RemoveLast();
  const int outputs = outputs_left(model, presentation);
  while (model.graph().output_size() > outputs) model.mutable_graph()->mutable_output()->RemoveLast();
  return model;
}

Example load_example(const NodeCase& node_case, Presentation presentation, const fs::path& set) {
  Example example;
  for (int i = 0; i < inputs_left(node_case.model, presentation); ++i) {
    example.inputs.push_back(to_tensor(input_proto(node_case, set, i)));
  }
  for (int i = 0; i < outputs_left(node_case.model, presentation); ++i) {
    example.outputs.push_back(to_tensor(output_proto(node_case, set, i)));
  }
  return example;
}

std::string difference_of_floats(const Tensor& actual, const Tensor& expected) {
  const auto a = actual.data<float>();
  const auto e = expected.data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]));
    if (!same && !(std::abs(a[i] - e[i]) <= 1e-7F + 1e-3F * std::abs(e[i]))) {
      return fmt::format("element {} is {}, not {}", i, a[i], e[i]);
    }
  }
  return "";
}

}  // namespace

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(XINFER_ONNX_NODE_TESTS)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

NodeCase load_case(const std::string& name) {
  NodeCase node_case{name, {}, {}, fs::path(XINFER_ONNX_NODE_TESTS) / name};
  node_case.model = parse<onnx::ModelProto>(node_case.folder / "model.onnx");
  for (auto& imported : *node_case.model.mutable_opset_import()) {
    const bool plain = imported.domain().empty() || imported.domain() == "ai.onnx";
    if (plain && imported.version() < onnx::kMinOpset) imported.set_version(onnx::kMinOpset);
  }
  for (const auto& node : node_case.model.graph().node()) {
    const bool plain = node.domain().empty() || node.domain() == "ai.onnx";
    node_case.operators.insert(plain ? node.op_type() : node.domain() + ":" + node.op_type());
  }
  return node_case;
}

std::optional<ReadCase> read_case(const NodeCase& node_case, std::string& reason) {
  for (const Presentation presentation : kPresentations) {
    if (presentation != Presentation::kAsIs && !has_plain_inputs(node_case.model)) break;
    const std::vector<fs::path> sets = data_sets(node_case);
    try {
      // Constants come from the first data set, so the others only serve a model that needs none.
      const std::string bytes = present(node_case, presentation, sets.at(0)).SerializeAsString();
      ReadCase read{onnx::read_bytes(bytes.data(), bytes.size(), node_case.name), presentation, {}};
      for (const fs::path& set : sets) {
        if (presentation != Presentation::kAsIs && set != sets[0]) break;
        read.examples.push_back(load_example(node_case, presentation, set));
      }
      return read;
    } catch (const ModelError& error) {
      if (presentation == Presentation::kAsIs) reason = error.what();
    }
  }
  return {};
}

std::string difference(const Tensor& actual, const Tensor& expected) {
  if (actual.dtype() != expected.dtype()) {
    return fmt::format("type {}, not {}", name_of(actual.dtype()), name_of(expected.dtype()));
  }
  if (actual.shape() != expected.shape()) {
    return fmt::format("shape {}, not {}", to_string(actual.shape()), to_string(expected.shape()));
  }
  if (actual.dtype() == DataType::kFloat32) return difference_of_floats(actual, expected);
  const auto* a = static_cast<const std::byte*>(actual.raw());
  const auto* e = static_cast<const std::byte*>(expected.raw());
  const auto at = std::mismatch(a, a + actual.bytes(), e).first - a;
  if (at == static_cast<std::ptrdiff_t>(actual.bytes())) return "";
  return fmt::format("element {} differs", static_cast<std::size_t>(at) / size_of(actual.dtype()));
}

}  // namespace xinfer::conformance
