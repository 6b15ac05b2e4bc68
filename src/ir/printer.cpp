#include "ir/printer.h"

#include <fmt/format.h>

#include <limits>

#include "ir/schema.h"

namespace xinfer::ir {
namespace {

std::string show(bool value) { return value ? "true" : "false"; }
std::string show(float value) { return fmt::format("{}", value); }
std::string show(const Shape& shape) { return to_string(shape); }
std::string show(std::int64_t value) {
  // Slices use the extremes for "up to the end".
  if (value == std::numeric_limits<std::int64_t>::max()) return "max";
  if (value == std::numeric_limits<std::int64_t>::min()) return "min";
  return std::to_string(value);
}
template <class T>
std::string show(const std::vector<T>& list) {
  std::string text = "[";
  for (std::size_t i = 0; i < list.size(); ++i) text += (i == 0 ? "" : ", ") + show(list[i]);
  return text + "]";
}
template <class T>
requires std::is_enum_v<T> std::string show(T value) { return std::string(name_of(value)); }

template <class Attrs>
std::vector<std::pair<std::string, std::string>> fields_of(const Attrs& attrs) {
  std::vector<std::pair<std::string, std::string>> fields;
  Attrs::visit(attrs, [&](const char* name, const auto& field) { fields.emplace_back(name, show(field)); });
  return fields;
}

std::string show_type(const Value& value) {
  std::string text = fmt::format("{}{}", name_of(value.dtype), to_string(value.shape));
  if (!value.quantization || value.quantization->scales.empty()) return text;
  const Quantization& q = *value.quantization;
  if (q.per_channel()) return text + fmt::format(" {} scales along axis {}", q.scales.size(), q.axis);
  text += fmt::format(" scale {}", q.scale());
  if (!q.zero_points.empty() && q.zero_points.front() != 0) text += fmt::format(" zero {}", q.zero_points.front());
  return text;
}

template <class T>
std::string show_elements(const Tensor& tensor) {
  const auto data = tensor.data<T>();
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", data[i]);
  return text;
}

std::string show_elements(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      return show_elements<float>(tensor);
    case DataType::kInt8:
      return show_elements<std::int8_t>(tensor);
    case DataType::kUInt8:
      return show_elements<std::uint8_t>(tensor);
    case DataType::kInt32:
      return show_elements<std::int32_t>(tensor);
    case DataType::kInt64:
      return show_elements<std::int64_t>(tensor);
    case DataType::kBool:
      return show_elements<bool>(tensor);
  }
  return "";
}

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string to_string(const Attributes& attrs) {
  return std::visit(
      [](const auto& given) {
        const auto fields = fields_of(given);
        const auto defaults = fields_of(std::decay_t<decltype(given)>{});
        std::string text;
        for (std::size_t i = 0; i < fields.size(); ++i) {
          if (fields[i] == defaults[i] && fields[i].first != "kind") continue;
          text += fmt::format("{}{}={}", text.empty() ? "" : ", ", fields[i].first, fields[i].second);
        }
        return text;
      },
      attrs);
}

std::string to_text(const Graph& graph) {
  constexpr std::int64_t kShownElements = 8;  // of a constant; more would bury the graph
  const auto declare = [&](ValueId id) {
    return fmt::format("%{}: {}", graph.value(id).name, show_type(graph.value(id)));
  };
  std::string text = fmt::format("graph '{}'\n", graph.name);
  for (const ValueId id : graph.inputs()) text += fmt::format("input {}\n", declare(id));
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = graph.value(id);
    if (!value.is_constant() || (value.consumers.empty() && !graph.is_output(id))) continue;
    text += "constant " + declare(id);
    if (value.constant->numel() <= kShownElements) text += fmt::format(" = {{{}}}", show_elements(*value.constant));
    text += "\n";
  }
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) text += (i == 0 ? "" : ", ") + declare(node.outputs[i]);
    text += fmt::format(" = {}(", schema_of(node.op).name);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      text += (i == 0 ? "" : ", ") + (node.has_input(i) ? "%" + graph.value(node.inputs[i]).name : std::string("_"));
    }
    text += ")";
    const std::string attrs = to_string(node.attrs);
    if (!attrs.empty()) text += " {" + attrs + "}";
    if (node.name != graph.value(node.outputs.front()).name) text += "  # " + node.name;
    text += "\n";
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    text += fmt::format("output {} = %{}\n", graph.output_names()[i], graph.value(graph.outputs()[i]).name);
  }
  return text;
}

std::string to_dot(const Graph& graph) {
  std::string text = fmt::format("digraph \"{}\" {{\n  node [shape=box];\n", escape(graph.name));
  for (const ValueId id : graph.inputs()) {
    text += fmt::format("  v{} [shape=ellipse, label=\"{}\"];\n", id, escape(graph.value(id).name));
  }
  const auto edge = [&](ValueId from, const std::string& to) {
    const Value& value = graph.value(from);
    const std::string source = value.producer != kNone ? fmt::format("n{}", value.producer) : fmt::format("v{}", from);
    text += fmt::format("  {} -> {} [label=\"{}\"];\n", source, to, escape(show_type(value)));
  };
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    std::string label = fmt::format("{}\\n{}", schema_of(node.op).name, escape(node.name));
    const std::string attrs = to_string(node.attrs);
    if (!attrs.empty()) label += "\\n" + escape(attrs);
    for (const ValueId in : node.inputs) {
      // Weights stand inside the node: as boxes of their own they would hide the flow of data.
      if (in == kNone || !graph.value(in).is_constant()) continue;
      label += fmt::format("\\n{}: {}", escape(graph.value(in).name), escape(show_type(graph.value(in))));
    }
    text += fmt::format("  n{} [label=\"{}\"];\n", id, label);
    for (const ValueId in : node.inputs) {
      if (in != kNone && !graph.value(in).is_constant()) edge(in, fmt::format("n{}", id));
    }
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    const ValueId id = graph.outputs()[i];
    const std::string target = fmt::format("out{}", i);
    text += fmt::format("  {} [shape=ellipse, label=\"{}\"];\n", target, escape(graph.output_names()[i]));
    if (graph.value(id).is_constant()) {
      text += fmt::format("  v{} [shape=ellipse, label=\"{}\"];\n", id, escape(graph.value(id).name));
    }
    edge(id, target);
  }
  return text + "}\n";
}

}  // namespace xinfer::ir
