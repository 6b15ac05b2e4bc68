// The row kernels of one instruction set.

#include <cstdint>

#include "kernels/lanes_baseline.h"
#include "kernels/lanes_math.h"
#include "kernels/row_kernels.h"
#include "kernels/row_templates.h"

namespace xinfer::kernels {

const RowKernels& row_kernels_baseline() { return Rows<LanesBaseline>::kTable; }

}  // namespace xinfer::kernels
