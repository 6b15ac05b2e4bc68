#include "xtorch/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "core/hash.h"
#include "data/folder_scan.h"
#include "xinfer/core/errors.h"

namespace xt::datasets {

struct ImageFolder::State {
  std::filesystem::path root;
  transforms::Compose transforms;
  ImageFolderOptions options;
  detail::FolderListing listing;

  std::mutex mutex;                            // guards `skipped`
  std::map<std::size_t, std::string> skipped;  // reason by index
};

ImageFolder::ImageFolder(const std::filesystem::path& root, transforms::Compose transforms, ImageFolderOptions options)
    : state_(std::make_shared<State>()) {
  state_->root = root;
  state_->transforms = std::move(transforms);
  state_->options = options;
  state_->listing = detail::scan_image_folder(root);
}

ImageFolder::ImageFolder(std::shared_ptr<State> state) : state_(std::move(state)) {}

std::size_t ImageFolder::size() const { return state_->listing.files.size(); }

Sample ImageFolder::get(std::size_t index) const {
  const std::int64_t label_of_sample = label(index);
  const std::filesystem::path& path = files()[index];
  return {load_image(path, state_->transforms), label_of_sample, path.string()};
}

std::optional<Sample> ImageFolder::try_get(std::size_t index) const {
  if (state_->options.broken_images == BrokenImages::kError) {
    return get(index);
  }
  try {
    return get(index);
  } catch (const xinfer::DataError& error) {
    const std::lock_guard lock(state_->mutex);
    state_->skipped.emplace(index, error.what());
    return std::nullopt;
  }
}

xinfer::Preprocessing ImageFolder::preprocessing() const { return state_->transforms.preprocessing(); }

std::string ImageFolder::manifest_hash() const {
  std::vector<std::pair<std::string, std::size_t>> names;
  names.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    names.emplace_back(files()[i].lexically_relative(root()).generic_string(), i);
  }
  std::sort(names.begin(), names.end());
  xinfer::Hasher hasher;
  for (const auto& [name, index] : names) {
    hasher.update_string(name).update_string(xinfer::hash_file(files()[index]));
  }
  return hasher.hex();
}

const std::filesystem::path& ImageFolder::root() const { return state_->root; }

const transforms::Compose& ImageFolder::transforms() const { return state_->transforms; }

const std::vector<std::filesystem::path>& ImageFolder::files() const { return state_->listing.files; }

const std::vector<std::string>& ImageFolder::class_names() const { return state_->listing.class_names; }

std::int64_t ImageFolder::label(std::size_t index) const {
  if (index >= size()) {
    throw xinfer::Error(fmt::format("image {} was asked for, but '{}' holds {}", index, state_->root.string(), size()));
  }
  return state_->listing.labels[index];
}

ImageFolder ImageFolder::limit(std::size_t count) const {
  if (count == 0) {
    throw xinfer::Error(fmt::format("a limit of 0 images of '{}' leaves none", state_->root.string()));
  }
  count = std::min(count, size());
  auto state = std::make_shared<State>();
  state->root = state_->root;
  state->transforms = state_->transforms;
  state->options = state_->options;
  state->listing.class_names = class_names();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = i * size() / count;
    state->listing.files.push_back(files()[index]);
    state->listing.labels.push_back(state_->listing.labels[index]);
  }
  return ImageFolder(std::move(state));
}

std::vector<SkippedImage> ImageFolder::skipped() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<SkippedImage> skipped;
  skipped.reserve(state_->skipped.size());
  for (const auto& [index, reason] : state_->skipped) {
    skipped.push_back({files()[index].string(), reason});
  }
  return skipped;
}

}  // namespace xt::datasets
