#pragma once
// The page's sections. Each is a piece of HTML, complete without scripts; empty when the build has nothing to say
// there.

#include <string>
#include <string_view>
#include <vector>

#include "xinfer/builders/build_report.h"

namespace xinfer::report {

/// Title, verdict and the tiles of accuracy, speed, size and precision.
std::string header_section(const builders::BuildReport& report);
/// Problems as sentences, those that wait for the user first; then the build's remarks.
std::string findings_section(const builders::BuildReport& report);
/// Plans that were measured: drop over latency.
std::string trade_off_section(const builders::BuildReport& report);
/// One row a layer.
std::string layers_section(const builders::BuildReport& report);
/// Nodes that are not in INT8, grouped by reason.
std::string float_nodes_section(const builders::BuildReport& report);
/// One histogram a tensor, worst SQNR first.
std::string tensors_section(const builders::BuildReport& report);
/// The calibration images: convergence, preprocessing, images that stand out.
std::string data_section(const builders::BuildReport& report);
/// Samples whose answer changed most.
std::string samples_section(const builders::BuildReport& report);
/// Where the build ran, on what, and hashes.
std::string environment_section(const builders::BuildReport& report);

/// A section with its heading; `id` is what links name. Empty when `body` is.
std::string section(std::string_view id, std::string_view title, const std::string& body);
/// A name in the font of code, escaped.
std::string code(std::string_view name);
/// A horizontal bar that fills `share` (0..1) of its place.
std::string bar(double share, std::string_view style = "");
/// The bar and the figure of an SQNR; its colour says how good it is. `best_db` fills the bar.
std::string sqnr_cell(std::optional<double> sqnr_db, double best_db);
/// "more" names behind a fold when there are many.
std::string name_list(const std::vector<std::string>& names);

}  // namespace xinfer::report
