#pragma once
// Reports to render: one with everything, and one with nothing.

#include "xinfer/builders/build_report.h"

namespace xinfer::testing_support {

/// Markup, quotes, a bidirectional override and broken UTF-8, as a node's name may hold.
inline constexpr const char* kHostile = "</script><img src=x onerror=\"document.title='owned'\">'&\xFF\xE2\x80\xAE";

/// A network of 200 layers with all that a build can measure, the same at each call. One node, tensor, image, label,
/// finding and reason each is kHostile.
builders::BuildReport rich_report();

/// An INT8 build of which nothing but its file was measured.
builders::BuildReport bare_report();

}  // namespace xinfer::testing_support
