#include "kernels/float_rows.h"

#include "kernels/aligned.h"
#include "kernels/common.h"
#include "kernels/row_kernels.h"

namespace xinfer::kernels {

void layer_norm(const float* input, std::int64_t rows, std::int64_t size, const float* gamma, const float* beta,
                float epsilon, void* output, RowOutput spec, Isa isa) {
  require_output(spec.type, "layer_norm");
  const RowKernels& kernels = row_kernels(isa);
  parallel_rows(rows, size, [&](std::int64_t r) {
    kernels.layer_norm(input + r * size, size, gamma, beta, epsilon, offset(output, spec.type, r * size), spec);
  });
}

void softmax(const float* input, std::int64_t rows, std::int64_t size, void* output, RowOutput spec, Isa isa) {
  require_output(spec.type, "softmax");
  const RowKernels& kernels = row_kernels(isa);
  parallel_rows(rows, 4 * size, [&](std::int64_t r) {
    void* out = offset(output, spec.type, r * size);
    thread_local AlignedVector<float> buffer;
    float* scratch = static_cast<float*>(out);
    if (spec.type != DataType::kFloat32) {
      buffer.resize(static_cast<std::size_t>(size));
      scratch = buffer.data();
    }
    kernels.softmax(input + r * size, size, scratch, out, spec);
  });
}

void activate(const float* input, std::int64_t count, const ActivationParams& activation, void* output, RowOutput spec,
              Isa isa) {
  require_output(spec.type, "activate");
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(count, [&](std::int64_t begin, std::int64_t end) {
    kernels.activate(input + begin, end - begin, activation, offset(output, spec.type, begin), spec);
  });
}

void vector_exp(const float* input, std::int64_t count, float* output, Isa isa) {
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(
      count, [&](std::int64_t begin, std::int64_t end) { kernels.exp(input + begin, end - begin, output + begin); });
}

void vector_erf(const float* input, std::int64_t count, float* output, Isa isa) {
  const RowKernels& kernels = row_kernels(isa);
  parallel_chunks(
      count, [&](std::int64_t begin, std::int64_t end) { kernels.erf(input + begin, end - begin, output + begin); });
}

}  // namespace xinfer::kernels
