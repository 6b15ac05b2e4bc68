#pragma once
// Where the buffers of a program lie.

#include "cuda/program.h"

namespace xinfer::cuda {

/// Lets outputs be written in place where they can, and lays the other buffers out in the arena so that those alive at
/// the same time don't overlap. Sets home, index and offset of buffers, and the arena's and the scratch memory's size.
void place_buffers(Program& program);

}  // namespace xinfer::cuda
