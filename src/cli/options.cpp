#include "cli/options.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <sstream>

#include "cli/npy.h"
#include "core/file.h"
#include "xinfer/core/errors.h"

namespace xinfer::cli {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

std::optional<std::int64_t> parse_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void PreprocessingOptions::add_to(CLI::App& command) {
  const std::string group = "Preprocessing";
  command.add_option("--resize", resize_, "HxW, or one number for the shorter side (antialiased bilinear)")
      ->group(group);
  command.add_option("--center-crop", center_crop_, "HxW, after the resize")->group(group);
  command.add_option("--letterbox", letterbox_, "HxW: resize keeping the aspect, pad evenly with grey")->group(group);
  command.add_flag("--gray", gray_, "One grey channel")->group(group);
  command.add_flag("--bgr", bgr_, "Blue first")->group(group);
  command.add_option("--pixel-scale", pixel_scale_, "Factor on pixels in [0, 1], e.g. 255; before mean and std")
      ->group(group);
  command.add_option("--mean", mean_, "One number for each channel, e.g. 0.485,0.456,0.406")
      ->delimiter(',')
      ->group(group);
  command.add_option("--std", std_, "One number for each channel, e.g. 0.229,0.224,0.225")
      ->delimiter(',')
      ->group(group);
}

bool PreprocessingOptions::given() const {
  return !resize_.empty() || !center_crop_.empty() || !letterbox_.empty() || !mean_.empty() || !std_.empty() ||
         pixel_scale_ != 1 || gray_ || bgr_;
}

xt::transforms::Compose PreprocessingOptions::compose() const {
  namespace image = xt::transforms::image;
  namespace general = xt::transforms::general;
  std::vector<xt::transforms::TransformPtr> steps;
  if (!resize_.empty()) steps.push_back(std::make_shared<image::Resize>(parse_sizes(resize_, "--resize")));
  if (!letterbox_.empty()) steps.push_back(std::make_shared<image::Letterbox>(parse_sizes(letterbox_, "--letterbox")));
  if (!center_crop_.empty()) {
    steps.push_back(std::make_shared<image::CenterCrop>(parse_sizes(center_crop_, "--center-crop")));
  }
  if (gray_) steps.push_back(std::make_shared<image::ToGray>(1));
  if (bgr_) steps.push_back(std::make_shared<image::ToBgr>());
  if (pixel_scale_ != 1) steps.push_back(std::make_shared<general::Scale>(pixel_scale_));
  if (mean_.empty() != std_.empty()) throw CLI::ValidationError("--mean and --std", "give both or none");
  if (!mean_.empty()) steps.push_back(std::make_shared<general::Normalize>(mean_, std_));
  return xt::transforms::Compose(std::move(steps));
}

CLI::CheckedTransformer device_names(bool allow_auto) {
  std::map<std::string, runtime::Device> names = {{"cpu", runtime::Device::kCpu}, {"cuda", runtime::Device::kCuda}};
  if (allow_auto) names["auto"] = runtime::Device::kAuto;
  CLI::CheckedTransformer transformer(names, CLI::ignore_case);
  transformer.description(allow_auto ? "{auto,cpu,cuda}" : "{cpu,cuda}");
  return transformer;
}

void DeviceOptions::add_to(CLI::App& command) {
  const std::string group = "Device";
  command.add_option("--device", device_, "Where to run (auto: on a GPU when the engine was built for one)")
      ->transform(device_names(true))
      ->default_str("auto")
      ->group(group);
  command.add_option("--threads", threads_, "CPU: threads of one inference (default: one a core)")->group(group);
  command.add_option("--gpu", gpu_, "Index of the GPU")
      ->check(CLI::Range(0, 1023))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--no-compile", no_compile_, "Use only kernels that came with the engine or lie in the cache")
      ->group(group);
}

runtime::RuntimeOptions DeviceOptions::runtime() const {
  runtime::RuntimeOptions options;
  options.threads = threads_;
  options.device = device_;
  options.gpu = gpu_;
  options.allow_compile = !no_compile_;
  return options;
}

void DataOptions::add_to(CLI::App& command, const std::string& flag, const std::string& what) {
  const std::string group = "Data";
  command.add_option(flag, folder, what)->group(group);
  command.add_option(flag + "-npy", arrays, "Arrays instead of images: file.npy, or input=file.npy for each input")
      ->group(group);
  command.add_option("--count", count, "Use this many samples, spread evenly (default: all)")->group(group);
  command.add_option("--batch", batch, "Samples loaded at a time")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--skip-broken", skip_broken, "Leave broken images out and list them, instead of stopping")
      ->group(group);
  command.add_option("--workers", workers, "Threads that decode images (-1: one a core)")
      ->capture_default_str()
      ->group(group);
}

void DataOptions::add_second_to(CLI::App& command, const std::string& flag, const std::string& what,
                                const std::string& group) {
  command.add_option(flag, folder, what)->group(group);
  command.add_option(flag + "-npy", arrays, "Arrays instead of images: file.npy, or input=file.npy for each input")
      ->group(group);
  command.add_option(flag + "-count", count, "Use this many of these samples, spread evenly (default: all)")
      ->group(group);
}

xt::datasets::ImageFolder DataOptions::open_folder(const xt::transforms::Compose& transforms) const {
  using xt::datasets::BrokenImages;
  xt::datasets::ImageFolder all(folder, transforms,
                                {.broken_images = skip_broken ? BrokenImages::kSkip : BrokenImages::kError});
  return count > 0 && count < all.size() ? all.limit(count) : all;
}

std::map<std::string, Tensor> DataOptions::load_arrays() const {
  std::map<std::string, Tensor> result;
  std::int64_t samples = -1;
  for (const std::string& entry : arrays) {
    const std::size_t equals = entry.find('=');
    const std::string name = equals == std::string::npos ? "" : entry.substr(0, equals);
    const std::string path = equals == std::string::npos ? entry : entry.substr(equals + 1);
    Tensor tensor = read_npy(path);
    if (tensor.rank() == 0) throw DataError(fmt::format("'{}' holds a single number, not samples", path));
    if (samples >= 0 && tensor.dim(0) != samples) {
      throw DataError(fmt::format("'{}' holds {} samples, the arrays before it {}", path, tensor.dim(0), samples));
    }
    samples = tensor.dim(0);
    if (count > 0 && static_cast<std::int64_t>(count) < samples) {
      tensor = tensor.rows(0, static_cast<std::int64_t>(count));
    }
    if (!result.emplace(name, std::move(tensor)).second) {
      throw DataError(fmt::format("input '{}' is given twice", name), "name each: input=file.npy");
    }
  }
  return result;
}

void add_range_method(CLI::App& command, builders::RangeMethod& method) {
  static const std::map<std::string, builders::RangeMethod> kMethods = {
      {"auto", builders::RangeMethod::kAuto},
      {"minmax", builders::RangeMethod::kMinMax},
      {"percentile", builders::RangeMethod::kPercentile},
      {"entropy", builders::RangeMethod::kEntropy},
      {"mse", builders::RangeMethod::kMse}};
  command.add_option("--method", method, "How activation ranges are chosen")
      ->transform(
          CLI::CheckedTransformer(kMethods, CLI::ignore_case).description("{auto,minmax,percentile,entropy,mse}"))
      ->default_str("auto");
}

std::vector<std::int64_t> parse_sizes(const std::string& text, const std::string& option) {
  std::vector<std::int64_t> sizes;
  for (const std::string& part : split(text, 'x')) {
    const auto size = parse_number(part);
    if (!size || *size < 1) {
      throw CLI::ValidationError(option, fmt::format("'{}' is not a size such as 224x224 or 256", text));
    }
    sizes.push_back(*size);
  }
  if (sizes.empty() || sizes.size() > 2) {
    throw CLI::ValidationError(option, fmt::format("'{}' is not a size such as 224x224 or 256", text));
  }
  return sizes;
}

std::pair<std::string, std::vector<std::int64_t>> parse_shape(const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto bad = [&] {
    return CLI::ValidationError("--shape", fmt::format("'{}' is not of the form input=Nx3x224x224", text));
  };
  if (equals == std::string::npos || equals == 0) throw bad();
  std::vector<std::int64_t> dims;
  for (const std::string& part : split(text.substr(equals + 1), 'x')) {
    const auto size = part == "N" ? std::optional<std::int64_t>(-1) : parse_number(part);
    if (!size || (*size < 1 && part != "N")) throw bad();
    dims.push_back(*size);
  }
  return {text.substr(0, equals), dims};
}

std::vector<std::string> read_labels(const std::string& path) {
  std::vector<std::string> labels;
  std::istringstream stream(read_file(path));
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) labels.push_back(line);
  }
  if (labels.empty()) throw DataError(fmt::format("'{}' holds no class names", path), "write one name a line");
  return labels;
}

}  // namespace xinfer::cli
