#pragma once
// TimingCache: which implementation of a layer was fastest on a GPU, kept in a file between builds. Advice only: a
// stale or damaged file costs time or speed, never correctness.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cuda/program.h"
#include "gpu/device.h"

namespace xinfer::cuda {

struct TimedChoice {
  Choice choice;
  double microseconds = 0;
};

/// One thread at a time.
class TimingCache {
 public:
  /// Reads `path`; what can't be read counts as empty. An empty path: nothing is kept.
  explicit TimingCache(std::string path);

  std::optional<TimedChoice> find(const std::string& key) const;
  void add(const std::string& key, TimedChoice timed);
  /// Writes what was added, together with what other processes wrote meanwhile. Failing to write is no error.
  void save() const;

 private:
  std::string path_;
  std::map<std::string, TimedChoice> entries_;
};

/// Changes with everything that a layer's time depends on: operator, attributes, shapes, types, formats, which inputs
/// are constant, the device, and the variants to choose from. Names of nodes and values don't matter.
std::string timing_key(const Request& request, std::span<const Choice> candidates, const gpu::DeviceInfo& device);

}  // namespace xinfer::cuda
