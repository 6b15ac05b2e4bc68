#pragma once
// ExtendedDataLoader: batches of a dataset, loaded ahead by worker threads.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xinfer/core/preprocessing.h"
#include "xinfer/core/tensor.h"
#include "xtorch/dataset.h"

namespace xt::dataloaders {

/// Samples stacked along a new first axis.
struct Batch {
  xinfer::Tensor data;               ///< images: float [n, channels, height, width]
  std::vector<std::int64_t> labels;  ///< n class indices
  std::vector<std::string> paths;    ///< n origins

  std::size_t size() const { return labels.size(); }
};

/// As many workers as the machine has hardware threads.
inline constexpr int kAllCores = -1;

/// Loads a dataset in batches. The order, and so every batch, is the same whatever the number of workers.
///
/// Worker threads load samples at most `prefetch` batches ahead of next(). They start with an epoch's first next() and
/// end with the epoch, reset() or the loader. The loader keeps the dataset alive. A copy has the same dataset and
/// settings and begins at its own first epoch. One loader belongs to one thread at a time; copies are independent of
/// each other.
class ExtendedDataLoader {
 public:
  class Iterator;

  /// `dataset` is copied (an ImageFolder's copy is cheap). The last batch may be short. With `shuffle`, every epoch has
  /// an order of its own that depends on `seed` and the number of the epoch alone. `num_workers` 0 loads in the
  /// caller's thread. Throws xinfer::Error when batch_size or prefetch is below 1, or num_workers is below kAllCores.
  template <std::derived_from<datasets::Dataset> D>
  explicit ExtendedDataLoader(D dataset, std::int64_t batch_size, bool shuffle = false, int num_workers = kAllCores,
                              std::int64_t prefetch = 2, std::uint64_t seed = 0)
      : ExtendedDataLoader(std::make_shared<const D>(std::move(dataset)), batch_size, shuffle, num_workers, prefetch,
                           seed) {}

  /// The same, sharing `dataset`. Throws xinfer::Error when it is null.
  explicit ExtendedDataLoader(std::shared_ptr<const datasets::Dataset> dataset, std::int64_t batch_size,
                              bool shuffle = false, int num_workers = kAllCores, std::int64_t prefetch = 2,
                              std::uint64_t seed = 0);

  ~ExtendedDataLoader();
  ExtendedDataLoader(const ExtendedDataLoader& other);
  ExtendedDataLoader& operator=(const ExtendedDataLoader& other);
  ExtendedDataLoader(ExtendedDataLoader&&) noexcept;
  ExtendedDataLoader& operator=(ExtendedDataLoader&&) noexcept;

  /// Fills `batch` with the next samples; false at the end of the epoch, until reset().
  ///
  /// Throws what loading a sample of this batch threw, xinfer::DataError when two samples of it differ in shape or
  /// type, and when every sample of the epoch was skipped. After a throw, every further next() throws the same until
  /// reset().
  bool next(Batch& batch);

  /// Ends the epoch. The next next() begins another.
  void reset();

  /// Number of batches an epoch; fewer may come when the dataset skips damaged samples.
  std::size_t size() const;
  /// Number of samples an epoch, damaged ones included.
  std::size_t dataset_size() const;
  std::size_t batch_size() const { return options_.batch_size; }
  const datasets::Dataset& dataset() const { return *dataset_; }
  xinfer::Preprocessing preprocessing() const { return dataset_->preprocessing(); }
  std::string manifest_hash() const { return dataset_->manifest_hash(); }

  /// A fresh epoch as an input range: `for (Batch& batch : loader)`. Throws as next() does.
  Iterator begin();
  Iterator end();

 private:
  struct Options {
    std::size_t batch_size;
    bool shuffle;
    int num_workers;
    std::size_t prefetch;
    std::uint64_t seed;
  };
  class Epoch;

  std::vector<std::size_t> epoch_order() const;
  bool fill(Batch& batch);

  std::shared_ptr<const datasets::Dataset> dataset_;
  Options options_;
  std::uint64_t epochs_started_ = 0;
  std::unique_ptr<Epoch> epoch_;
};

/// Input iterator over the batches of one epoch. It must not outlive its loader.
class ExtendedDataLoader::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::input_iterator_tag;
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;
  using pointer = Batch*;
  using reference = Batch&;

  Iterator() = default;

  Batch& operator*() const { return *batch_; }
  Batch* operator->() const { return batch_.get(); }
  Iterator& operator++();
  void operator++(int) { ++*this; }
  bool operator==(const Iterator& other) const { return batch_ == other.batch_; }

 private:
  friend class ExtendedDataLoader;
  explicit Iterator(ExtendedDataLoader* loader) : loader_(loader) { ++*this; }

  ExtendedDataLoader* loader_ = nullptr;
  std::shared_ptr<Batch> batch_;
};

}  // namespace xt::dataloaders
