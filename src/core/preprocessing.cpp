#include "xinfer/core/preprocessing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

namespace xinfer {
namespace {

using Kind = PreprocessStep::Kind;

// Descriptions also come from files, so a step of the wrong length must print, not crash.
std::string size_text(const std::vector<std::int64_t>& sizes) { return fmt::format("{}", fmt::join(sizes, "x")); }

std::string fill_text(const PreprocessStep& step) {
  return step.values.empty() ? std::string() : fmt::format(" fill {}", fmt::join(step.values, ","));
}

std::string normalize_text(const std::vector<float>& values) {
  const std::span<const float> all(values);
  const std::size_t half = all.size() / 2;
  return fmt::format("normalize mean {} std {}", fmt::join(all.first(half), ","), fmt::join(all.subspan(half), ","));
}

std::string step_text(const PreprocessStep& step) {
  switch (step.kind) {
    case Kind::kResize:
      return (step.sizes.size() == 1 ? "resize shorter side " : "resize ") + size_text(step.sizes);
    case Kind::kCenterCrop:
      return "center crop " + size_text(step.sizes);
    case Kind::kPad:
      return fmt::format("pad {}{}", fmt::join(step.sizes, ","), fill_text(step));
    case Kind::kLetterbox:
      return "letterbox " + size_text(step.sizes) + fill_text(step);
    case Kind::kToGray:
      return fmt::format("gray as {} channels", fmt::join(step.sizes, ","));
    case Kind::kToBgr:
      return "bgr";
    case Kind::kScale:
      return fmt::format("scale {}", fmt::join(step.values, ","));
    case Kind::kNormalize:
      return normalize_text(step.values);
    case Kind::kCustom:
      return "custom " + step.name;
  }
  return "unknown step";
}

}  // namespace

bool Preprocessing::replayable() const {
  return std::none_of(steps.begin(), steps.end(),
                      [](const PreprocessStep& step) { return step.kind == Kind::kCustom; });
}

std::string to_string(const Preprocessing& preprocessing) {
  if (preprocessing.empty()) {
    return "none";
  }
  std::vector<std::string> parts;
  parts.reserve(preprocessing.steps.size());
  for (const PreprocessStep& step : preprocessing.steps) {
    parts.push_back(step_text(step));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace xinfer
