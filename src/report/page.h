#pragma once
// The whole report as one HTML page.

#include <string>

#include "xinfer/builders/build_report.h"

namespace xinfer::report {

/// One self-contained page: no network, no other files; complete without scripts, which only sort and filter. The same
/// report gives the same bytes. Thread-safe.
std::string to_html(const builders::BuildReport& report);

}  // namespace xinfer::report
