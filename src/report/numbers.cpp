#include "report/numbers.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace xinfer::report {
namespace {

constexpr const char* kMinus = "\u2212";
constexpr const char* kSpace = "\u00A0";
/// From here on all digits would say less than a power of ten.
constexpr double kTooLong = 1e12;

std::string typeset(std::string text) {
  if (!text.empty() && text.front() == '-') text.replace(0, 1, kMinus);
  return text;
}

std::string not_finite(double value) {
  if (std::isnan(value)) return "not a number";
  return value < 0 ? std::string(kMinus) + "∞" : "∞";
}

/// Rounding must not leave "-0.00".
double without_negative_zero(double value, int decimals) {
  return std::abs(value) < 0.5 * std::pow(10.0, -decimals) ? 0.0 : value;
}

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return not_finite(value);
  if (std::abs(value) >= kTooLong) return typeset(fmt::format("{:.3g}", value));
  return typeset(fmt::format("{:.{}f}", without_negative_zero(value, decimals), decimals));
}

std::string significant(double value) {
  if (!std::isfinite(value)) return not_finite(value);
  const double magnitude = std::abs(value);
  if (magnitude >= 1000 && magnitude < 1e7) return typeset(fmt::format("{:.0f}", value));
  return typeset(fmt::format("{:.3g}", value));
}

std::string signed_fixed(double value, int decimals) {
  const std::string text = fixed(value, decimals);
  return std::isfinite(value) && without_negative_zero(value, decimals) > 0 ? "+" + text : text;
}

std::string percent(double share) {
  if (!std::isfinite(share)) return not_finite(share);
  const double value = 100 * share;
  const std::string unit = std::string(kSpace) + "%";
  if (value == 0) return "0" + unit;
  if (value > 0 && value < 0.001) return "&lt;" + std::string(kSpace) + "0.001" + unit;
  if (value > 0 && value < 0.1) return fmt::format("{:.2g}", value) + unit;
  return fixed(value, 1) + unit;
}

std::string megabytes(std::uint64_t bytes) {
  const double size = static_cast<double>(bytes);
  if (bytes < 100'000) return fmt::format("{:.1f}{}kB", size / 1e3, kSpace);
  return fmt::format("{:.1f}{}MB", size / 1e6, kSpace);
}

std::string fixed_or_dash(std::optional<double> value, int decimals, const std::string& unit) {
  if (!value) return kMissing;
  return fixed(*value, decimals) + (unit.empty() ? "" : kSpace + unit);
}

std::string sort_key(std::optional<double> value) {
  if (!value || std::isnan(*value)) return "";
  const double limit = std::numeric_limits<double>::max();
  return fmt::format(" data-v=\"{}\"", std::isinf(*value) ? std::copysign(limit, *value) : *value);
}

}  // namespace xinfer::report
