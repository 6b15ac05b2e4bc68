#pragma once
// Finding: one problem that the quantizer met, and what it did about it.

#include <string>

namespace xinfer::quantize {

/// For people, a short phrase each; together one sentence: "WHERE: CAUSE; REMEDY (COST)".
struct Finding {
  std::string where;   ///< node or tensor: "features.3"
  std::string cause;   ///< "one channel's range is 480 times the median"
  std::string remedy;  ///< "equalization brought SQNR from 6.1 to 31.4 dB"; or what the user can do
  std::string cost;    ///< "none", "0.12 ms"; empty when nothing was done
  bool operator==(const Finding&) const = default;
};

}  // namespace xinfer::quantize
