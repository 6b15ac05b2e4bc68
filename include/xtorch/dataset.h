#pragma once
// Dataset: what a data loader reads from.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"

namespace xt::datasets {

/// The label of a sample whose class is unknown.
inline constexpr std::int64_t kNoLabel = -1;

/// One network input without a batch axis.
struct Sample {
  xinfer::Tensor data;            ///< images: float [channels, height, width]
  std::int64_t label = kNoLabel;  ///< class index
  std::string path;               ///< where it came from, for messages and reports
};

/// A numbered collection of samples. Derive from it to feed a loader with data of your own; size() and get() suffice.
///
/// Loaders call every const function from several threads at once, and keep a copy of the derived object: keep bulky
/// data behind a shared_ptr.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual std::size_t size() const = 0;

  /// Loads one sample. Throws xinfer::DataError when it is damaged, xinfer::Error when index is not below size().
  virtual Sample get(std::size_t index) const = 0;

  /// get(), or nothing when the sample is damaged and the dataset's policy is to go on without it. Loaders call this.
  virtual std::optional<Sample> try_get(std::size_t index) const { return get(index); }

  /// What get() does to raw images. The default is one kCustom step that bears the name of the derived class.
  virtual xinfer::Preprocessing preprocessing() const;

  /// 32 hex digits that change when the samples do, whatever their order; not cryptographic. The default loads and
  /// hashes every sample.
  virtual std::string manifest_hash() const;

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;
};

}  // namespace xt::datasets
