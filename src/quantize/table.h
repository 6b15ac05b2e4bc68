#pragma once
// The calibration table: what calibration measured, as a text file that makes a second build skip it.
//
// Format, version 1 (UTF-8, lines end with \n; strings are in double quotes with \" \\ \n \r \t and \xHH escapes;
// numbers are written so that reading gives the same float back):
//
//   xinfer-calibration 1
//   model "<hash of the model>"
//   preprocessing "<text of the preprocessing>"
//   images "<hash of the image list>"
//   image-count <n>
//   percentile <p>
//   tensors <n>
//   tensor "<name>" <count> <zeros> <min> <max> <s8 thresholds: minmax percentile entropy mse> <u8 thresholds: same>
//   ...                                                          (sorted by name)
//   end

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "quantize/ranges.h"

namespace xinfer::quantize {

/// What a table was made from; each part is text that the caller chooses, usually a hash.
struct TableKey {
  std::string model;
  std::string preprocessing;
  std::string images;
  bool operator==(const TableKey&) const = default;
};

struct CalibrationTable {
  TableKey key;
  std::int64_t images = 0;
  double percentile = kDefaultPercentile;       ///< what the percentile thresholds were chosen with
  std::map<std::string, TensorRanges> tensors;  ///< by value name

  /// The range that `method` chose for each tensor.
  Ranges pick(RangeMethod method) const;
  bool operator==(const CalibrationTable&) const = default;
};

/// The table in the format above.
std::string to_text(const CalibrationTable& table);

/// Reads the format above. Throws CalibrationError naming `source` and the line for anything that is not exactly it:
/// another version, a missing or repeated field, a number out of range, text after the end, a missing end.
CalibrationTable parse_table(std::string_view text, const std::string& source);

/// Writes `table` atomically. Throws Error naming the file.
void save_table(const std::string& path, const CalibrationTable& table);

/// Reads a table. Throws Error when the file can't be read, CalibrationError as parse_table does.
CalibrationTable load_table(const std::string& path);

/// The same, and throws CalibrationError saying which parts of the key differ from `expected`, with both texts.
CalibrationTable load_table(const std::string& path, const TableKey& expected);

}  // namespace xinfer::quantize
