#include "xtorch/dataset.h"

#include <algorithm>
#include <vector>

#include "core/hash.h"
#include "data/class_name.h"

namespace xt::datasets {

xinfer::Preprocessing Dataset::preprocessing() const {
  return {{{xinfer::PreprocessStep::Kind::kCustom, {}, {}, detail::class_name(typeid(*this))}}};
}

std::string Dataset::manifest_hash() const {
  std::vector<std::string> hashes;
  hashes.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const Sample sample = get(i);
    xinfer::Hasher hasher;
    hasher.update_string(xinfer::name_of(sample.data.dtype()));
    hasher.update_string(xinfer::to_string(sample.data.shape()));
    hasher.update_string(std::to_string(sample.label));
    hasher.update(sample.data.raw(), sample.data.bytes());
    hashes.push_back(hasher.hex());
  }
  std::sort(hashes.begin(), hashes.end());
  xinfer::Hasher all;
  for (const std::string& hash : hashes) {
    all.update_string(hash);
  }
  return all.hex();
}

}  // namespace xt::datasets
