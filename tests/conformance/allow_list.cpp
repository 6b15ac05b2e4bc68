#include "allow_list.h"

#include <algorithm>
#include <fstream>
#include <map>

#include "xinfer/core/errors.h"

namespace xinfer::conformance {
namespace {

const std::map<std::string, AllowEntry::Kind> kKinds = {{"operator", AllowEntry::Kind::kOperator},
                                                        {"test", AllowEntry::Kind::kTest},
                                                        {"differs", AllowEntry::Kind::kDiffers}};

bool matches(const std::string& pattern, const std::string& name) {
  return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

}  // namespace

bool AllowEntry::covers(const NodeCase& node_case) const {
  if (kind != Kind::kOperator) return matches(name, node_case.name);
  return std::any_of(node_case.operators.begin(), node_case.operators.end(),
                     [&](const std::string& op) { return matches(name, op); });
}

std::vector<AllowEntry> read_allow_list(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error("can't read " + path);
  std::vector<AllowEntry> entries;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t space = line.find(' ');
    const std::size_t colon = line.find(": ");
    const auto kind = kKinds.find(line.substr(0, space));
    if (kind == kKinds.end() || colon == std::string::npos || colon < space) {
      throw Error(path + ": can't understand '" + line + "'");
    }
    entries.push_back({kind->second, line.substr(space + 1, colon - space - 1), line.substr(colon + 2)});
  }
  return entries;
}

}  // namespace xinfer::conformance
