#pragma once
// VisibleRows: which tokens of a sample matter to anybody.

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/sample_runner.h"
#include "quantize/sample_set.h"

namespace xinfer::quantize {

/// Sentences are padded to one length, and attention masks hide the padding: what layers compute of it reaches nobody.
/// Rows of padding should not decide how a layer is rounded, though they are most rows of short sentences.
///
/// A token is hidden when every attention node of the network has an additive mask of one row for all queries and heads
/// that is -1000 or less there. Networks without such masks have no hidden tokens. Runs the float network once on the
/// samples when there are masks. Thread-safe after construction.
class VisibleRows {
 public:
  VisibleRows(const SampleRunner& float_network, std::span<const Sample> samples);

  /// As pick_positions() picks, but only among visible tokens where the layer has one output element a token: up to
  /// `count` positions of sample `sample`, fewer where fewer are visible (at least one).
  std::vector<std::int64_t> pick(std::size_t sample, std::int64_t positions, std::int64_t count) const;

 private:
  std::vector<std::vector<std::int64_t>> visible_;  ///< by sample, ascending; empty: all
  std::vector<std::int64_t> tokens_;                ///< by sample: how many there are, hidden ones included
};

}  // namespace xinfer::quantize
