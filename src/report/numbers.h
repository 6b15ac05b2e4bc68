#pragma once
// Numbers as people read them: a real minus sign, a dash for what was not measured, and the unit after a space that
// does not break. All of it is safe HTML.

#include <cstdint>
#include <optional>
#include <string>

namespace xinfer::report {

inline constexpr const char* kMissing = "–";

/// "31.40"; "∞", "−∞" and "not a number" for what is not finite.
std::string fixed(double value, int decimals);
/// Three significant digits: "0.0314", "12.3", "1.5e-07".
std::string significant(double value);
/// A change with its sign: "+0.12", "−0.30", "0.00".
std::string signed_fixed(double value, int decimals);
/// Of a share of 0..1: "99.20 %", "0.0031 %".
std::string percent(double share);
std::string megabytes(std::uint64_t bytes);

/// fixed() with a unit, kMissing when empty.
std::string fixed_or_dash(std::optional<double> value, int decimals, const std::string& unit = "");

/// What a column is sorted by: an attribute with its leading space, or nothing where there is no number.
std::string sort_key(std::optional<double> value);

}  // namespace xinfer::report
