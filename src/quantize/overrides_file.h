#pragma once
// Precision overrides from a JSON file.

#include <string>
#include <string_view>
#include <vector>

#include "quantize/options.h"

namespace xinfer::quantize {

/// Reads a list of overrides; a later one wins over an earlier one:
///
///   [
///     {"operator": "Linear", "precision": "float"},
///     {"pattern": "head.*", "precision": "int8"},
///     {"node": "features.3", "precision": "float", "why": "measured: 6 dB"}
///   ]
///
/// Each entry has exactly one of "node" (the whole name), "pattern" (* and ?) and "operator" (the name of an OpType),
/// a "precision" ("float", or its synonyms "fp32" and "fp16": a float layer has the target's float type; or "int8") and
/// optionally a reason. Throws Error naming `source`, the entry and what is wrong with it.
std::vector<PrecisionOverride> parse_overrides(std::string_view text, const std::string& source);

/// The same of a file. Throws Error when it can't be read.
std::vector<PrecisionOverride> load_overrides(const std::string& path);

}  // namespace xinfer::quantize
