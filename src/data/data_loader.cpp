#include "xtorch/data_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <thread>

#include "xinfer/core/errors.h"

namespace xt::dataloaders {
namespace {

using datasets::Sample;

void check_stackable(const Sample& first, const Sample& other) {
  if (first.data.dtype() != other.data.dtype() || first.data.shape() != other.data.shape()) {
    throw xinfer::DataError(
        fmt::format("samples of one batch differ: '{}' is {} {}, '{}' is {} {}", first.path,
                    xinfer::name_of(first.data.dtype()), xinfer::to_string(first.data.shape()), other.path,
                    xinfer::name_of(other.data.dtype()), xinfer::to_string(other.data.shape())),
        "add transforms::image::Resize({height, width}), or Resize({shorter side}) and CenterCrop, to the transforms");
  }
}

Batch stack(std::vector<Sample> samples) {
  const Sample& first = samples.front();
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(samples.size())};
  shape.insert(shape.end(), first.data.shape().begin(), first.data.shape().end());
  for (const Sample& sample : samples) {
    check_stackable(first, sample);
  }
  Batch batch;
  batch.data = xinfer::Tensor(first.data.dtype(), std::move(shape));
  auto* out = static_cast<std::byte*>(batch.data.raw());
  for (Sample& sample : samples) {
    if (sample.data.bytes() != 0) {
      std::memcpy(out, sample.data.raw(), sample.data.bytes());
      out += sample.data.bytes();
    }
    batch.labels.push_back(sample.label);
    batch.paths.push_back(std::move(sample.path));
  }
  return batch;
}

}  // namespace

// One pass over the dataset: workers claim positions of the order one after the other and leave what they loaded in a
// ring of slots; the consumer empties the slots in order. No position is claimed before the slot that it shares with an
// earlier one is empty, which bounds the memory.
class ExtendedDataLoader::Epoch {
 public:
  // A sample, or its error, or neither when the dataset left it out.
  struct Loaded {
    std::optional<Sample> sample;
    std::exception_ptr error;
  };

  Epoch(std::shared_ptr<const datasets::Dataset> dataset, std::vector<std::size_t> order, std::size_t window)
      : dataset_(std::move(dataset)), order_(std::move(order)), slots_(window) {}

  ~Epoch() { stop(); }
  Epoch(const Epoch&) = delete;
  Epoch& operator=(const Epoch&) = delete;

  // Not in the constructor: if a thread can't be started, the destructor has to stop those before it.
  void start(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) {
      workers_.emplace_back([this] { work(); });
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    slot_emptied_.notify_all();
    workers_.clear();  // joins
  }

  // The next sample in order; nothing at the end. Throws what loading it threw.
  std::optional<Loaded> pop() {
    if (popped_ == order_.size()) {
      return std::nullopt;
    }
    if (workers_.empty()) {
      return load(popped_++);
    }
    std::unique_lock lock(mutex_);
    std::optional<Loaded>& slot = slots_[popped_ % slots_.size()];
    slot_filled_.wait(lock, [&] { return slot.has_value(); });
    std::optional<Loaded> loaded = std::exchange(slot, std::nullopt);
    ++popped_;
    lock.unlock();
    slot_emptied_.notify_one();
    return loaded;
  }

  std::size_t dataset_size() const { return order_.size(); }

  bool delivered = false;      // a batch has been handed out
  std::exception_ptr failure;  // what every further next() throws

 private:
  Loaded load(std::size_t position) const {
    Loaded loaded;
    try {
      loaded.sample = dataset_->try_get(order_[position]);
    } catch (...) {
      loaded.error = std::current_exception();
    }
    return loaded;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      slot_emptied_.wait(lock,
                         [&] { return stopping_ || claimed_ == order_.size() || claimed_ < popped_ + slots_.size(); });
      if (stopping_ || claimed_ == order_.size()) {
        return;
      }
      const std::size_t position = claimed_++;
      lock.unlock();
      Loaded loaded = load(position);
      lock.lock();
      slots_[position % slots_.size()] = std::move(loaded);
      slot_filled_.notify_one();
    }
  }

  const std::shared_ptr<const datasets::Dataset> dataset_;
  const std::vector<std::size_t> order_;

  std::mutex mutex_;  // guards all below
  std::condition_variable slot_filled_;
  std::condition_variable slot_emptied_;
  std::vector<std::optional<Loaded>> slots_;
  std::size_t claimed_ = 0;
  std::size_t popped_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> workers_;
};

ExtendedDataLoader::ExtendedDataLoader(std::shared_ptr<const datasets::Dataset> dataset, std::int64_t batch_size,
                                       bool shuffle, int num_workers, std::int64_t prefetch, std::uint64_t seed)
    : dataset_(std::move(dataset)) {
  if (dataset_ == nullptr) {
    throw xinfer::Error("ExtendedDataLoader was given no dataset");
  }
  if (batch_size < 1 || prefetch < 1) {
    throw xinfer::Error(
        fmt::format("ExtendedDataLoader was given a batch size of {} and {} batches to prefetch", batch_size, prefetch),
        "both must be at least 1");
  }
  if (num_workers < kAllCores) {
    throw xinfer::Error(fmt::format("ExtendedDataLoader was given {} workers", num_workers),
                        "use a number of threads, 0 for the caller's own, or kAllCores");
  }
  options_ = {static_cast<std::size_t>(batch_size), shuffle, num_workers, static_cast<std::size_t>(prefetch), seed};
}

ExtendedDataLoader::~ExtendedDataLoader() = default;
ExtendedDataLoader::ExtendedDataLoader(ExtendedDataLoader&&) noexcept = default;
ExtendedDataLoader& ExtendedDataLoader::operator=(ExtendedDataLoader&&) noexcept = default;

ExtendedDataLoader::ExtendedDataLoader(const ExtendedDataLoader& other)
    : dataset_(other.dataset_), options_(other.options_) {}

ExtendedDataLoader& ExtendedDataLoader::operator=(const ExtendedDataLoader& other) {
  return *this = ExtendedDataLoader(other);
}

std::vector<std::size_t> ExtendedDataLoader::epoch_order() const {
  std::vector<std::size_t> order(dataset_->size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options_.shuffle) {
    // Written out, since std::shuffle and the distributions differ between standard libraries; the bias of the modulo
    // is below 2^-40 for any dataset that fits on a disk.
    std::seed_seq seeds{static_cast<std::uint32_t>(options_.seed), static_cast<std::uint32_t>(options_.seed >> 32),
                        static_cast<std::uint32_t>(epochs_started_), static_cast<std::uint32_t>(epochs_started_ >> 32)};
    std::mt19937_64 random(seeds);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random() % i]);
    }
  }
  return order;
}

bool ExtendedDataLoader::fill(Batch& batch) {
  std::vector<Sample> samples;
  while (samples.size() < options_.batch_size) {
    std::optional<Epoch::Loaded> loaded = epoch_->pop();
    if (!loaded) {
      break;
    }
    if (loaded->error) {
      std::rethrow_exception(loaded->error);
    }
    if (loaded->sample) {
      samples.push_back(std::move(*loaded->sample));
    }
  }
  if (!samples.empty()) {
    batch = stack(std::move(samples));
    epoch_->delivered = true;
    return true;
  }
  if (!epoch_->delivered && epoch_->dataset_size() != 0) {
    throw xinfer::DataError(fmt::format("all {} samples are damaged, so none is left", epoch_->dataset_size()),
                            "ImageFolder::skipped() lists the reasons");
  }
  return false;
}

bool ExtendedDataLoader::next(Batch& batch) {
  if (epoch_ == nullptr) {
    std::vector<std::size_t> order = epoch_order();
    const std::size_t samples = std::max<std::size_t>(order.size(), 1);
    // Both factors are cut to the number of samples first, so that the product can't overflow.
    const std::size_t window =
        std::min(samples, std::min(samples, options_.batch_size) * std::min(samples, options_.prefetch));
    const std::size_t wanted = options_.num_workers == kAllCores ? std::max(1U, std::thread::hardware_concurrency())
                                                                 : static_cast<std::size_t>(options_.num_workers);
    auto epoch = std::make_unique<Epoch>(dataset_, std::move(order), window);
    epoch->start(std::min(wanted, window));
    epoch_ = std::move(epoch);
    ++epochs_started_;
  }
  if (epoch_->failure) {
    std::rethrow_exception(epoch_->failure);
  }
  try {
    return fill(batch);
  } catch (...) {
    epoch_->failure = std::current_exception();
    epoch_->stop();
    throw;
  }
}

void ExtendedDataLoader::reset() { epoch_.reset(); }

std::size_t ExtendedDataLoader::size() const {
  const std::size_t samples = dataset_size();
  return samples / options_.batch_size + (samples % options_.batch_size != 0 ? 1 : 0);
}

std::size_t ExtendedDataLoader::dataset_size() const { return dataset_->size(); }

ExtendedDataLoader::Iterator ExtendedDataLoader::begin() {
  reset();
  return Iterator(this);
}

ExtendedDataLoader::Iterator ExtendedDataLoader::end() { return {}; }

ExtendedDataLoader::Iterator& ExtendedDataLoader::Iterator::operator++() {
  auto batch = std::make_shared<Batch>();
  batch_ = loader_->next(*batch) ? std::move(batch) : nullptr;
  return *this;
}

}  // namespace xt::dataloaders
