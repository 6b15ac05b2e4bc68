#include "quantize/sample_set.h"

#include <algorithm>

#include "xinfer/core/errors.h"

namespace xinfer::quantize {
namespace {

std::size_t bytes_of(std::span<const Tensor> inputs) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : inputs) bytes += tensor.bytes();
  return bytes;
}

}  // namespace

SampleSet::SampleSet(const ir::Graph& graph, SampleLimits limits) : graph_(graph), limits_(limits) {
  if (limits.count == 0) throw Error("a sample set must hold at least one sample");
}

void SampleSet::add(std::span<const Tensor> batch, std::span<const std::string> names) {
  const std::int64_t count = count_images(graph_, batch);
  for (std::int64_t i = 0; i < count; ++i) {
    ++offered_;
    std::vector<Tensor> inputs = cut_images(graph_, batch, i, i + 1);
    const std::size_t room = std::max<std::size_t>(1, limits_.bytes / std::max<std::size_t>(1, bytes_of(inputs)));
    const std::size_t most = std::min(limits_.count, room);
    std::string hash = content_hash(inputs);
    if (kept_.size() >= most && hash >= kept_.rbegin()->first) continue;
    const std::string name = static_cast<std::size_t>(i) < names.size() ? names[static_cast<std::size_t>(i)] : "";
    const auto found = kept_.find(hash);
    if (found != kept_.end()) {
      found->second.name = std::min(found->second.name, name);  // whichever came first
      continue;
    }
    for (Tensor& tensor : inputs) tensor = tensor.clone();  // in place of a slice that keeps the whole batch alive
    kept_.emplace(std::move(hash), Sample{std::move(inputs), name});
    if (kept_.size() > most) kept_.erase(std::prev(kept_.end()));
  }
}

std::vector<Sample> SampleSet::samples() const {
  std::vector<Sample> result;
  result.reserve(kept_.size());
  for (const auto& [hash, sample] : kept_) result.push_back(sample);
  return result;
}

}  // namespace xinfer::quantize
