#pragma once
// The report's charts as inline SVG: axes with units, one thing shown each, colours from the page's style sheet.

#include <optional>
#include <string>
#include <vector>

#include "xinfer/builders/quality.h"

namespace xinfer::report {

/// Share of the values (logarithmic) over their magnitude, with the stored range shaded and the threshold marked.
/// Empty when there is no histogram or its range is not finite.
std::string histogram_chart(const builders::TensorQuality& tensor);

/// Change of the ranges (percent, logarithmic) over the number of images, with the point of convergence. Empty with
/// fewer than two points.
std::string curve_chart(const builders::DataQuality& data);

/// Drop of the metric (points) over latency (ms), with the budget and the chosen plan. Empty without finite points.
std::string pareto_chart(const std::vector<builders::ParetoPoint>& points, std::optional<double> budget);

}  // namespace xinfer::report
