#include "builders/data_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "builders/range_growth.h"
#include "quantize/batches.h"
#include "xinfer/core/errors.h"

namespace xinfer::builders {
namespace {

constexpr std::size_t kMaximaBytes = std::size_t{64} << 20;
/// An image with less than this share of the usual deviation holds (almost) nothing.
constexpr double kConstantShare = 0.05;
/// Of fewer images nobody can tell whether ranges have settled.
constexpr std::int64_t kFewestImages = 16;
constexpr std::size_t kNamesInFinding = 3;
constexpr std::size_t kStretchingFindings = 5;
constexpr const char* kWhere = "calibration images";

/// Standard deviation of the values: of pictures and other planes within each plane, so that a picture of one colour
/// has none; otherwise over all values.
double deviation_of(const Tensor& tensor) {
  const std::span<const float> values = tensor.data<float>();
  if (values.empty()) return 0;
  const std::size_t rank = tensor.rank();
  const std::size_t plane =
      rank < 3 ? values.size() : static_cast<std::size_t>(tensor.shape()[rank - 2] * tensor.shape()[rank - 1]);
  double squares = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += plane) {
    const std::span<const float> here = values.subspan(begin, plane);
    double sum = 0;
    for (const float x : here) sum += x;
    const double mean = sum / static_cast<double>(plane);
    for (const float x : here) squares += (x - mean) * (x - mean);
  }
  return std::sqrt(squares / static_cast<double>(values.size()));
}

/// "a.png, b.png, c.png and 4 more".
std::string list_names(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kNamesInFinding);
  const std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

}  // namespace

DataDoctor::DataDoctor(const ir::Graph& graph) : graph_(graph) {}

void DataDoctor::add(std::span<const Tensor> batch, std::span<const std::string> names) {
  const std::int64_t count = quantize::count_images(graph_, batch);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::vector<Tensor> image = quantize::cut_images(graph_, batch, i, i + 1);
    Record record;
    record.hash = quantize::content_hash(image);
    if (static_cast<std::size_t>(i) < names.size()) record.name = names[static_cast<std::size_t>(i)];
    record.number = static_cast<std::int64_t>(records_.size());
    for (const Tensor& tensor : image) {
      if (tensor.dtype() == DataType::kFloat32) record.deviations.push_back(deviation_of(tensor));
    }
    records_.push_back(std::move(record));
  }
}

void DataDoctor::add_maxima(std::span<const Tensor> image, std::span<const float> abs_max) {
  if (!maxima_.empty() && maxima_.begin()->second.size() != abs_max.size()) {
    throw Error(fmt::format("the maxima of {} tensors were given for one image, {} for another", abs_max.size(),
                            maxima_.begin()->second.size()));
  }
  maxima_.try_emplace(quantize::content_hash(image), abs_max.begin(), abs_max.end());
  const std::size_t most =
      std::max<std::size_t>(1, kMaximaBytes / (sizeof(float) * std::max<std::size_t>(1, abs_max.size())));
  if (maxima_.size() > most) maxima_.erase(std::prev(maxima_.end()));
}

std::string DataDoctor::label(const Record& record) {
  return record.name.empty() ? fmt::format("sample {}", record.number) : record.name;
}

std::vector<const DataDoctor::Record*> DataDoctor::sorted() const {
  std::vector<const Record*> result;
  for (const Record& record : records_) result.push_back(&record);
  std::ranges::sort(result, {}, [](const Record* record) { return std::tie(record->name, record->number); });
  return result;
}

void DataDoctor::find_duplicates(DataQuality& quality, std::vector<Finding>& findings) const {
  std::map<std::string, const Record*> first;
  std::vector<std::string> pairs;
  for (const Record* record : sorted()) {
    const auto [at, added] = first.emplace(record->hash, record);
    if (added) continue;
    quality.duplicates.push_back({label(*record), "holds the same as " + label(*at->second)});
    pairs.push_back(label(*record) + " = " + label(*at->second));
  }
  if (pairs.empty()) return;
  findings.push_back({kWhere,
                      fmt::format("{} of {} repeat others: {}", pairs.size(), records_.size(), list_names(pairs)),
                      "they count twice and add nothing: replace them by different ones", ""});
}

void DataDoctor::find_constants(DataQuality& quality, std::vector<Finding>& findings) const {
  if (records_.empty()) return;
  std::vector<double> medians;
  for (std::size_t k = 0; k < records_.front().deviations.size(); ++k) {
    std::vector<double> all;
    for (const Record& record : records_) all.push_back(record.deviations[k]);
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::ranges::nth_element(all, middle);
    medians.push_back(*middle);
  }
  if (std::ranges::all_of(medians, [](double median) { return median <= 0; })) return;
  std::vector<std::string> names;
  for (const Record* record : sorted()) {
    double most = 0;  // of its deviations, relative to the usual ones
    for (std::size_t k = 0; k < medians.size(); ++k) {
      if (medians[k] > 0) most = std::max(most, record->deviations[k] / medians[k]);
    }
    if (most >= kConstantShare) continue;
    names.push_back(label(*record));
    quality.constant.push_back(
        {names.back(), fmt::format("its values vary {:.1f} % as much as those of the usual image", 100 * most)});
  }
  if (names.empty()) return;
  findings.push_back({kWhere,
                      fmt::format("{} of {} hold almost nothing: {}", names.size(), records_.size(), list_names(names)),
                      "leave them out, unless the application meets such images", ""});
}

void DataDoctor::examine_ranges(DataQuality& quality, std::vector<Finding>& findings) const {
  std::map<std::string, std::string> names;  // by content hash
  for (const Record* record : sorted()) names.emplace(record->hash, label(*record));
  std::vector<std::string> images;
  std::vector<TensorMaxima> tensors;
  for (const auto& [hash, maxima] : maxima_) {
    const auto name = names.find(hash);
    if (name == names.end()) continue;  // never shown
    images.push_back(name->second);
    tensors.resize(maxima.size());
    for (std::size_t t = 0; t < maxima.size(); ++t) tensors[t].push_back(maxima[t]);
  }
  if (tensors.empty()) return;
  const auto live = std::ranges::count_if(tensors, [](const TensorMaxima& t) { return std::ranges::max(t) > 0; });
  if (live == 0) return;

  std::vector<Stretching> stretching = find_stretching(tensors);
  for (const Stretching& entry : stretching) {
    const std::string text =
        fmt::format("widens the range of {} of {} tensors by up to {:.0f} %", entry.tensors, live, 100 * entry.most);
    quality.stretching.push_back({images[entry.image], text});
    if (quality.stretching.size() > kStretchingFindings) continue;
    findings.push_back({images[entry.image], text + " beyond the other images",
                        "look at it: leave it out unless the application meets such images", ""});
  }

  const RangeGrowth growth = range_growth(tensors);
  quality.curve = growth.curve;
  const auto count = static_cast<std::int64_t>(images.size());
  const auto settled = [](const RangeGrowth& seen, std::int64_t images) {
    return images >= kFewestImages && 2 * seen.settled_after <= images;
  };
  if (settled(growth, count)) quality.converged_after = growth.settled_after;
  // More images would not help against a few strange ones, which have findings of their own.
  for (TensorMaxima& tensor : tensors) {
    TensorMaxima kept;
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      if (std::ranges::find(stretching, i, &Stretching::image) == stretching.end()) kept.push_back(tensor[i]);
    }
    tensor = std::move(kept);
  }
  const RangeGrowth usual = range_growth(std::move(tensors));
  const std::int64_t kept = count - static_cast<std::int64_t>(stretching.size());
  if (settled(usual, kept)) return;
  const std::string cause =
      kept < kFewestImages
          ? fmt::format("there {} only {}", count == 1 ? "is" : "are", count)
          : fmt::format("{} are too few: with half of them, the usual range falls {:.0f} % short, the worst {:.0f} %",
                        count, 100 * usual.half.median_change, 100 * usual.half.worst_change);
  findings.push_back({kWhere, cause, "add images like those of the application; 100 to 500 are usual", ""});
}

DataQuality DataDoctor::finish(std::vector<Finding>& findings) const {
  DataQuality quality;
  quality.images = static_cast<std::int64_t>(records_.size());
  examine_ranges(quality, findings);
  find_duplicates(quality, findings);
  find_constants(quality, findings);
  return quality;
}

}  // namespace xinfer::builders
