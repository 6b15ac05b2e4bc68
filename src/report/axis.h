#pragma once
// One axis of a chart: from values to places in the drawing, and the values to label.

#include <string>
#include <vector>

namespace xinfer::report {

struct Tick {
  double value;
  std::string label;  ///< safe HTML
};

/// Maps [low, high] to [from, to]; values outside are moved to the nearer end. Logarithmic axes want low > 0.
class Axis {
 public:
  Axis(double low, double high, double from, double to, bool logarithmic = false);

  double place(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  /// Round values (1, 2 or 5 times a power of ten), about `count` of them.
  std::vector<Tick> ticks(int count) const;

 private:
  double scaled(double value) const;

  double low_, high_, from_, to_;
  bool logarithmic_;
};

/// A horizontal grid line for each tick, with its label left of it.
std::string grid_rows(const std::vector<Tick>& ticks, const Axis& axis, double left, double right);
/// A short mark and a label under each tick. Labels that would touch the one before are left out.
std::string grid_columns(const std::vector<Tick>& ticks, const Axis& axis, double bottom);

}  // namespace xinfer::report
