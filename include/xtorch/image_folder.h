#pragma once
// ImageFolder: the images of a folder, with or without one sub-folder a class.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xtorch/compose.h"
#include "xtorch/dataset.h"

namespace xt::datasets {

/// What a loader does about an image that can't be decoded or transformed.
enum class BrokenImages : std::uint8_t {
  kError,  ///< stop with the image's DataError
  kSkip,   ///< go on without it; ImageFolder::skipped() tells which and why
};

struct ImageFolderOptions {
  BrokenImages broken_images = BrokenImages::kError;
};

/// An image left out under BrokenImages::kSkip.
struct SkippedImage {
  std::string path;
  std::string reason;
};

/// Every .jpg, .jpeg, .png, .bmp and .webp file (in any case) of a folder, decoded and transformed on demand.
///
/// Flat folder: the images lie in it directly, and have no labels. Class folders: the images lie in or below
/// sub-folders of it; the sub-folders, sorted by name byte by byte, are the classes, and a label is the index of one
/// (an empty sub-folder counts, so that labels keep matching the network's outputs). Both at once is an error. Files
/// and folders whose name begins with a dot are passed over. The order is that of classes, then of paths: the same on
/// every machine.
///
/// Copies are cheap and share everything, the list of skipped images included. Thread-safe.
class ImageFolder : public Dataset {
 public:
  /// Lists the files; decodes none. Throws xinfer::DataError when `root` is missing, is not a folder, can't be listed,
  /// holds no images, or holds images both directly and in sub-folders.
  explicit ImageFolder(const std::filesystem::path& root, transforms::Compose transforms = {},
                       ImageFolderOptions options = {});

  std::size_t size() const override;
  /// Throws xinfer::DataError when the image is broken, whatever the policy.
  Sample get(std::size_t index) const override;
  /// Under BrokenImages::kSkip, records a broken image in skipped() and returns nothing.
  std::optional<Sample> try_get(std::size_t index) const override;
  xinfer::Preprocessing preprocessing() const override;
  /// Hash over the names relative to the root and the contents of all files. Reads them all. Throws xinfer::Error when
  /// one can't be read.
  std::string manifest_hash() const override;

  const std::filesystem::path& root() const;
  const transforms::Compose& transforms() const;
  /// Full paths, in the order of indices.
  const std::vector<std::filesystem::path>& files() const;
  /// Empty for a flat folder.
  const std::vector<std::string>& class_names() const;
  /// Class index of a sample, without decoding it.
  std::int64_t label(std::size_t index) const;

  /// A folder of min(count, size()) of these images, spaced evenly over the order of indices, so that every class is
  /// sampled in proportion. It begins with an empty list of skipped images. Throws xinfer::Error when count is 0.
  ImageFolder limit(std::size_t count) const;

  /// Images that try_get() has left out so far, in the order of indices, each once however often it was tried.
  std::vector<SkippedImage> skipped() const;

 private:
  struct State;
  explicit ImageFolder(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace xt::datasets
