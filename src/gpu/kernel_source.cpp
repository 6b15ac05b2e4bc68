#include "gpu/kernel_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/hash.h"
#include "gpu/embedded.h"
#include "gpu/includes.h"

namespace xinfer::gpu {
namespace {

/// The name in a line `#include "name"`; empty for other lines.
std::string_view included_by(std::string_view line) {
  constexpr std::string_view kInclude = "#include \"";
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || !line.substr(start).starts_with(kInclude)) return {};
  line.remove_prefix(start + kInclude.size());
  return line.substr(0, line.find('"'));
}

void collect(std::string_view text, std::set<std::string_view>& files) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view name = included_by(text.substr(0, end));
    if (!name.empty()) {
      // A view of the table's own name, which outlives `text`.
      const std::string_view own = embedded_file(name).name;
      if (files.insert(own).second) collect(embedded_source(own), files);
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

const EmbeddedFile& embedded_file(std::string_view name) {
  const auto files = embedded_files();
  const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
  if (found == files.end()) throw std::logic_error(fmt::format("there is no device source '{}'", name));
  return *found;
}

std::string_view embedded_source(std::string_view file) { return embedded_file(file).text; }

std::vector<std::string_view> embedded_sources() {
  std::vector<std::string_view> names;
  for (const EmbeddedFile& file : embedded_files()) names.push_back(file.name);
  return names;
}

std::string text_of(const KernelSource& source) {
  std::string text;
  for (const auto& [macro, value] : source.defines) text += fmt::format("#define {} {}\n", macro, value);
  text += source.prologue;
  if (!source.prologue.empty() && !source.prologue.ends_with('\n')) text += '\n';
  text += fmt::format("#line 1 \"{}\"\n", source.file);
  text += embedded_source(source.file);
  return text;
}

std::vector<std::string_view> includes_of(const KernelSource& source) {
  std::set<std::string_view> files;
  collect(source.prologue, files);
  collect(embedded_source(source.file), files);
  return {files.begin(), files.end()};
}

std::string hash_of(const KernelSource& source) {
  Hasher hasher;
  hasher.update_string(text_of(source)).update_string(source.entry);
  for (const char* option : kCompileOptions) hasher.update_string(option);
  for (const std::string_view name : includes_of(source)) {
    hasher.update_string(name).update_string(embedded_source(name));
  }
  return hasher.hex();
}

}  // namespace xinfer::gpu
