#pragma once
// Finds the images of a folder and their classes.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace xt::detail {

struct FolderListing {
  std::vector<std::filesystem::path> files;  ///< by class, then by path
  std::vector<std::int64_t> labels;          ///< one a file
  std::vector<std::string> class_names;      ///< empty for a flat folder
};

/// The rules are those of ImageFolder. Throws xinfer::DataError.
FolderListing scan_image_folder(const std::filesystem::path& root);

}  // namespace xt::detail
