#include "data/folder_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "xinfer/core/errors.h"
#include "xtorch/dataset.h"

namespace xt::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".png", ".bmp", ".webp"};
constexpr char kFormatsHint[] = "images are files that end in .jpg, .jpeg, .png, .bmp or .webp";

bool has_image_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  // Not std::tolower, which follows the locale.
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

struct Entries {
  std::vector<fs::path> images;
  std::vector<fs::path> folders;
};

// A dangling link with an image's name counts as an image, so that reading it reports the fault.
Entries list(const fs::path& folder) {
  Entries entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with('.')) {
      continue;
    }
    std::error_code ignored;  // a link that leads nowhere is no folder
    if (entry.is_directory(ignored)) {
      entries.folders.push_back(entry.path());
    } else if (has_image_extension(entry.path())) {
      entries.images.push_back(entry.path());
    }
  }
  const auto by_name = [](const fs::path& a, const fs::path& b) { return a.generic_string() < b.generic_string(); };
  std::sort(entries.images.begin(), entries.images.end(), by_name);
  std::sort(entries.folders.begin(), entries.folders.end(), by_name);
  return entries;
}

// Links to folders are followed; `ancestors` breaks the circles that they can form.
void collect(const fs::path& folder, std::vector<fs::path>& ancestors, std::vector<fs::path>& images) {
  const fs::path canonical = fs::canonical(folder);
  if (std::find(ancestors.begin(), ancestors.end(), canonical) != ancestors.end()) {
    return;
  }
  ancestors.push_back(canonical);
  const Entries entries = list(folder);
  images.insert(images.end(), entries.images.begin(), entries.images.end());
  for (const fs::path& child : entries.folders) {
    collect(child, ancestors, images);
  }
  ancestors.pop_back();
}

FolderListing scan(const fs::path& root) {
  Entries top = list(root);
  FolderListing listing;
  std::vector<fs::path> ancestors = {fs::canonical(root)};
  for (std::size_t i = 0; i < top.folders.size(); ++i) {
    std::vector<fs::path> images;
    collect(top.folders[i], ancestors, images);
    std::sort(images.begin(), images.end(),
              [](const fs::path& a, const fs::path& b) { return a.generic_string() < b.generic_string(); });
    listing.files.insert(listing.files.end(), images.begin(), images.end());
    listing.labels.resize(listing.files.size(), static_cast<std::int64_t>(i));
    listing.class_names.push_back(top.folders[i].filename().string());
  }
  if (!listing.files.empty() && !top.images.empty()) {
    throw xinfer::DataError(
        fmt::format("'{}' holds images directly ('{}') and in sub-folders ('{}')", root.string(),
                    top.images.front().filename().string(), listing.files.front().lexically_relative(root).string()),
        "keep either a flat folder, or one sub-folder a class and nothing beside them");
  }
  if (listing.files.empty()) {
    listing = {};
    listing.labels.assign(top.images.size(), datasets::kNoLabel);
    listing.files = std::move(top.images);
  }
  return listing;
}

}  // namespace

FolderListing scan_image_folder(const fs::path& root) {
  try {
    if (!fs::exists(root)) {
      throw xinfer::DataError(fmt::format("the image folder '{}' does not exist", root.string()),
                              "check the path; relative paths begin at " + fs::current_path().string());
    }
    if (!fs::is_directory(root)) {
      throw xinfer::DataError(fmt::format("'{}' is not a folder", root.string()),
                              "give the folder that holds the images");
    }
    FolderListing listing = scan(root);
    if (listing.files.empty()) {
      throw xinfer::DataError(fmt::format("the image folder '{}' holds no images", root.string()), kFormatsHint);
    }
    return listing;
  } catch (const fs::filesystem_error& error) {
    throw xinfer::DataError(fmt::format(
        "can't list '{}': {}", error.path1().empty() ? root.string() : error.path1().string(), error.code().message()));
  }
}

}  // namespace xt::detail
