#pragma once
// Formats on the host: constants on their way to the device, and values on their way back.

#include <cstddef>
#include <span>
#include <vector>

#include "cuda/format.h"
#include "xinfer/core/tensor.h"

namespace xinfer::cuda {

/// The bytes that `tensor` occupies in `format`; padding is zero. f32 becomes f16 where the format says so; other
/// elements must be the tensor's own.
std::vector<std::byte> encode(const Tensor& tensor, const Format& format);

/// The plain tensor behind bytes in `format`; f16 becomes f32. Throws Error when there are too few bytes.
Tensor decode(std::span<const std::byte> bytes, DataType type, const Dims& dims, const Format& format);

/// Whether values of this type may be stored as this element: its own, or f16 for f32.
bool may_store(DataType type, Element element);

}  // namespace xinfer::cuda
