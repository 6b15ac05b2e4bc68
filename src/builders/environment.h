#pragma once
// Where a build runs.

#include "xinfer/builders/quality.h"

namespace xinfer::builders {

/// Looks at this machine; `threads` as the user gave it (0: as many as cores). What can't be found out is empty.
Environment look_around(int threads);

}  // namespace xinfer::builders
