#include <fmt/format.h>

#include <algorithm>

#include "xinfer/builders/calibrator.h"
#include "xtorch/image_folder.h"

namespace xinfer::builders {

DataLoaderCalibrator::DataLoaderCalibrator(const xt::dataloaders::ExtendedDataLoader& loader, std::string input_name)
    : loader_(loader), input_name_(std::move(input_name)) {}

bool DataLoaderCalibrator::next_batch(Batch& batch) {
  xt::dataloaders::Batch loaded;
  if (!loader_.next(loaded)) return false;
  batch.clear();
  batch.emplace(input_name_, std::move(loaded.data));
  names_ = std::move(loaded.paths);
  labels_ = std::move(loaded.labels);
  if (std::ranges::find(labels_, xt::datasets::kNoLabel) != labels_.end()) labels_.clear();
  return true;
}

bool DataLoaderCalibrator::reset() {
  loader_.reset();
  return true;
}

std::int64_t DataLoaderCalibrator::sample_count() const { return static_cast<std::int64_t>(loader_.dataset_size()); }
std::vector<std::string> DataLoaderCalibrator::sample_names() const { return names_; }
std::vector<std::int64_t> DataLoaderCalibrator::labels() const { return labels_; }
Preprocessing DataLoaderCalibrator::preprocessing() const { return loader_.preprocessing(); }
std::string DataLoaderCalibrator::manifest_hash() const { return loader_.manifest_hash(); }

std::vector<std::string> DataLoaderCalibrator::remarks() const {
  std::vector<std::string> lines;
  const auto* folder = dynamic_cast<const xt::datasets::ImageFolder*>(&loader_.dataset());
  if (folder == nullptr) return lines;
  const auto skipped = folder->skipped();
  if (!skipped.empty()) lines.push_back(fmt::format("{} of {} images were skipped:", skipped.size(), folder->size()));
  for (const auto& image : skipped) lines.push_back(fmt::format("  {}: {}", image.path, image.reason));
  return lines;
}

}  // namespace xinfer::builders
