#include "quantize/overrides_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/file.h"
#include "ir/schema.h"
#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

using nlohmann::json;
using Match = PrecisionOverride::Match;

constexpr const char* kForm =
    R"(an entry looks like {"pattern": "head.*", "precision": "float"}, with "node" or "operator" in place of "pattern")";

// One entry, with the place to name in errors.
class Entry {
 public:
  Entry(const json& entry, std::string place) : entry_(entry), place_(std::move(place)) {}

  PrecisionOverride read() const {
    if (!entry_.is_object()) fail("is no object");
    check_keys();
    PrecisionOverride result;
    const auto node = text("node");
    const auto pattern = text("pattern");
    const auto op = text("operator");
    if (node.has_value() + pattern.has_value() + op.has_value() != 1) {
      fail("must have exactly one of \"node\", \"pattern\" and \"operator\"");
    }
    if (op) {
      result.match = Match::kOpType;
      result.op = op_called(*op);
    } else {
      result.match = node ? Match::kNode : Match::kGlob;
      result.pattern = node ? *node : *pattern;
    }
    const auto precision = text("precision");
    if (!precision) fail("has no \"precision\"");
    if (*precision == "int8") {
      result.precision = Precision::kInt8;
    } else if (*precision == "float" || *precision == "fp32" || *precision == "fp16") {
      result.precision = Precision::kFloat;
    } else {
      fail(fmt::format("has the unknown precision '{}'", *precision));
    }
    result.why = text("why").value_or("");
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(fmt::format("{} {}", place_, what), kForm); }

  void check_keys() const {
    constexpr std::array kKnown = {"node", "pattern", "operator", "precision", "why"};
    for (const auto& [key, value] : entry_.items()) {
      if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end())
        fail(fmt::format("has the unknown key '{}'", key));
    }
  }
  std::optional<std::string> text(const char* key) const {
    const auto found = entry_.find(key);
    if (found == entry_.end()) return std::nullopt;
    if (!found->is_string()) fail(fmt::format("has a \"{}\" that is no text", key));
    return found->get<std::string>();
  }
  ir::OpType op_called(const std::string& name) const {
    for (const ir::OpSchema& schema : ir::all_schemas()) {
      if (schema.name == name) return schema.op;
    }
    fail(fmt::format("names the unknown operator '{}' ('xinfer inspect model.onnx' lists the model's)", name));
  }

  const json& entry_;
  std::string place_;
};

}  // namespace

std::vector<PrecisionOverride> parse_overrides(std::string_view text, const std::string& source) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::exception& error) {
    throw Error(fmt::format("'{}' is no JSON: {}", source, error.what()));
  }
  if (!document.is_array()) throw Error(fmt::format("'{}' must hold a list of overrides", source), kForm);
  std::vector<PrecisionOverride> result;
  for (std::size_t i = 0; i < document.size(); ++i) {
    result.push_back(Entry(document[i], fmt::format("'{}': override {}", source, i + 1)).read());
  }
  return result;
}

std::vector<PrecisionOverride> load_overrides(const std::string& path) {
  return parse_overrides(read_file(path), path);
}

}  // namespace xinfer::quantize
