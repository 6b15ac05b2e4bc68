#pragma once
// Option groups that several commands share, and the parsing of their values.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xinfer/builders/build_options.h"
#include "xinfer/core/preprocessing.h"
#include "xinfer/runtime/inference_engine.h"
#include "xtorch/xtorch.h"

namespace xinfer::cli {

/// --resize, --center-crop, --letterbox, --gray, --bgr, --pixel-scale, --mean, --std.
class PreprocessingOptions {
 public:
  void add_to(CLI::App& command);
  /// True when the user gave any of them.
  bool given() const;
  xt::transforms::Compose compose() const;

 private:
  std::string resize_, center_crop_, letterbox_;
  std::vector<float> mean_, std_;
  float pixel_scale_ = 1;
  bool gray_ = false, bgr_ = false;
};

/// Where images or arrays come from: a folder, or one .npy file for each input.
class DataOptions {
 public:
  /// `flag` is the folder's option ("--calib" or "--data").
  void add_to(CLI::App& command, const std::string& flag, const std::string& what);
  /// Options of a second source of data beside `add_to`'s; how it is read is the first one's business.
  void add_second_to(CLI::App& command, const std::string& flag, const std::string& what, const std::string& group);
  bool given() const { return !folder.empty() || !arrays.empty(); }
  /// Opens the image folder (thinned out to --count images).
  xt::datasets::ImageFolder open_folder(const xt::transforms::Compose& transforms) const;
  /// The named arrays, limited to --count samples. Throws Error when their sample counts differ.
  std::map<std::string, Tensor> load_arrays() const;

  std::string folder;
  std::vector<std::string> arrays;  ///< "file.npy" or "input=file.npy"
  std::size_t count = 0;            ///< 0: all
  std::int64_t batch = 32;
  bool skip_broken = false;
  int workers = xt::dataloaders::kAllCores;
};

/// --device, --gpu, --threads, --no-compile: where an engine runs.
class DeviceOptions {
 public:
  void add_to(CLI::App& command);
  runtime::RuntimeOptions runtime() const;
  int threads() const { return threads_; }

 private:
  int threads_ = 0;
  runtime::Device device_ = runtime::Device::kAuto;
  int gpu_ = 0;
  bool no_compile_ = false;
};

/// "cpu", "cuda" (and "auto" where `allow_auto`): an option's names for devices.
CLI::CheckedTransformer device_names(bool allow_auto);

/// --method.
void add_range_method(CLI::App& command, builders::RangeMethod& method);

/// "224x224" -> {224, 224}; "256" -> {256}. Throws CLI::ValidationError naming `option`.
std::vector<std::int64_t> parse_sizes(const std::string& text, const std::string& option);
/// "name=Nx3x224x224" -> {"name", {-1, 3, 224, 224}}.
std::pair<std::string, std::vector<std::int64_t>> parse_shape(const std::string& text);
/// Non-empty lines of a text file.
std::vector<std::string> read_labels(const std::string& path);

}  // namespace xinfer::cli
