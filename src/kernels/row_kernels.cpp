#include "kernels/row_kernels.h"

namespace xinfer::kernels {

const RowKernels& row_kernels(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return row_kernels_baseline();
    case Isa::kAvx2:
      return row_kernels_avx2();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
      return row_kernels_avx512();
  }
  return row_kernels_baseline();
}

}  // namespace xinfer::kernels
