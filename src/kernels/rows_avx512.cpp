// The row kernels of one instruction set.

#include <immintrin.h>

#include <cstdint>

#include "kernels/lanes.h"
#include "kernels/row_kernels.h"
#include "kernels/target.h"

XINFER_TARGET_BEGIN(XINFER_AVX512)
#include "kernels/lanes_avx512.h"

#include "kernels/lanes_math.h"

#include "kernels/row_templates.h"
namespace xinfer::kernels {

const RowKernels& row_kernels_avx512() { return Rows<LanesAvx512>::kTable; }

}  // namespace xinfer::kernels
XINFER_TARGET_END
