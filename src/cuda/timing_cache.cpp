#include "cuda/timing_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include "core/file.h"
#include "core/hash.h"
#include "ir/printer.h"
#include "xinfer/core/errors.h"

namespace xinfer::cuda {
namespace {

constexpr const char* kMagic = "xinfer timings 1";

/// A line: key, implementation, microseconds, then the tactic's numbers.
std::map<std::string, TimedChoice> read(const std::string& path) {
  std::map<std::string, TimedChoice> entries;
  std::string text;
  try {
    text = read_file(path);
  } catch (const Error&) {
    return entries;  // none yet
  }
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kMagic) return entries;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string key;
    TimedChoice timed;
    if (!(fields >> key >> timed.choice.implementation >> timed.microseconds)) continue;
    for (int value = 0; fields >> value;) timed.choice.tactic.values.push_back(value);
    entries[key] = std::move(timed);
  }
  return entries;
}

}  // namespace

TimingCache::TimingCache(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) entries_ = read(path_);
}

std::optional<TimedChoice> TimingCache::find(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void TimingCache::add(const std::string& key, TimedChoice timed) { entries_[key] = std::move(timed); }

void TimingCache::save() const {
  if (path_.empty()) return;
  std::map<std::string, TimedChoice> all = read(path_);
  for (const auto& [key, timed] : entries_) all[key] = timed;
  std::string text = fmt::format("{}\n", kMagic);
  for (const auto& [key, timed] : all) {
    text += fmt::format("{} {} {:.2f}{}{}\n", key, timed.choice.implementation, timed.microseconds,
                        timed.choice.tactic.values.empty() ? "" : " ", fmt::join(timed.choice.tactic.values, " "));
  }
  try {
    write_file_atomically(path_, text);
  } catch (const Error&) {
    // Advice only: the next build measures again.
  }
}

std::string timing_key(const Request& request, std::span<const Choice> candidates, const gpu::DeviceInfo& device) {
  Hasher hasher;
  const auto add_value = [&](const ir::Value& value) {
    hasher.update_string(fmt::format("{} {} {}", xinfer::name_of(value.dtype),
                                     xinfer::to_string(value.shape.at(request.batch)), value.is_constant()));
  };
  hasher.update_string(fmt::format("{} {} {} {}", device.name, device.sm_count, gpu::to_string(request.target.arch),
                                   name_of(request.real)));
  hasher.update_string(ir::name_of(request.node.op));
  hasher.update_string(ir::to_string(request.node.attrs));
  for (std::size_t i = 0; i < request.node.inputs.size(); ++i) {
    hasher.update_string(request.has(i) ? to_string(request.formats[i]) : "absent");
    if (request.has(i)) add_value(request.input(i));
  }
  for (const ir::ValueId id : request.node.outputs) add_value(request.graph.value(id));
  hasher.update_string(request.output_override == ir::kNone ? "alone" : "with quantize");
  hasher.update_string(fmt::format("{} values", request.parts));
  for (const Choice& choice : candidates) {
    hasher.update_string(fmt::format("{} {}", choice.implementation, fmt::join(choice.tactic.values, " ")));
  }
  return hasher.hex();
}

}  // namespace xinfer::cuda
