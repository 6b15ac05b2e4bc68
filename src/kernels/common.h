#pragma once
// Checks and parallel loops shared by the drivers of this room.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "xinfer/core/data_type.h"
#include "xinfer/core/errors.h"

namespace xinfer::kernels {

inline void require_int8_like(DataType type, const char* what) {
  if (!is_int8_like(type)) {
    throw Error(fmt::format("{}: type {} is neither s8 nor u8", what, name_of(type)));
  }
}

inline void require_output(DataType type, const char* what) {
  if (!is_int8_like(type) && type != DataType::kFloat32) {
    throw Error(fmt::format("{}: output type {} is none of s8, u8, f32", what, name_of(type)));
  }
}

inline void* offset(void* p, DataType type, std::int64_t elements) {
  return static_cast<char*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}
inline const void* offset(const void* p, DataType type, std::int64_t elements) {
  return static_cast<const char*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}

/// Calls body(begin, end) for chunks of [0, count) on all threads. Chunks are the same for any number of threads.
template <class Body>
void parallel_chunks(std::int64_t count, const Body& body) {
  constexpr std::int64_t kChunk = 16384;
  const std::int64_t chunks = (count + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (std::int64_t c = 0; c < chunks; ++c) {
    body(c * kChunk, std::min(count, (c + 1) * kChunk));
  }
}

/// Calls body(row) for every row on all threads, when rows * work is worth starting them.
template <class Body>
void parallel_rows(std::int64_t rows, std::int64_t work, const Body& body) {
#pragma omp parallel for schedule(static) if (rows > 1 && rows * work > 8192)
  for (std::int64_t r = 0; r < rows; ++r) {
    body(r);
  }
}

}  // namespace xinfer::kernels
