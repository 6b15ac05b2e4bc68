#include "kernels/transpose_block.h"

#include <emmintrin.h>

#include <algorithm>

namespace xinfer::kernels {
namespace {

/// 16 x 16 bytes in four rounds of interleaving row r with row r + 8.
void transpose_16x16(const std::uint8_t* from, std::int64_t ld_from, std::uint8_t* to, std::int64_t ld_to) {
  __m128i x[16];
  __m128i y[16];
  for (int r = 0; r < 16; ++r) x[r] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + r * ld_from));
  const auto round = [](const __m128i* in, __m128i* out) {
    for (int r = 0; r < 8; ++r) {
      out[2 * r] = _mm_unpacklo_epi8(in[r], in[r + 8]);
      out[2 * r + 1] = _mm_unpackhi_epi8(in[r], in[r + 8]);
    }
  };
  round(x, y);
  round(y, x);
  round(x, y);
  round(y, x);
  for (int r = 0; r < 16; ++r) _mm_storeu_si128(reinterpret_cast<__m128i*>(to + r * ld_to), x[r]);
}

void transpose_4x4(const std::uint32_t* from, std::int64_t ld_from, std::uint32_t* to, std::int64_t ld_to) {
  const auto load = [&](int r) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + r * ld_from)); };
  const auto store = [&](int r, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to + r * ld_to), x); };
  const __m128i low01 = _mm_unpacklo_epi32(load(0), load(1));
  const __m128i high01 = _mm_unpackhi_epi32(load(0), load(1));
  const __m128i low23 = _mm_unpacklo_epi32(load(2), load(3));
  const __m128i high23 = _mm_unpackhi_epi32(load(2), load(3));
  store(0, _mm_unpacklo_epi64(low01, low23));
  store(1, _mm_unpackhi_epi64(low01, low23));
  store(2, _mm_unpacklo_epi64(high01, high23));
  store(3, _mm_unpackhi_epi64(high01, high23));
}

template <typename T>
void plain(const T* from, std::int64_t ld_from, T* to, std::int64_t ld_to, std::int64_t rows, std::int64_t columns) {
  // The short side inside, so that both sides are walked along lines.
  if (rows <= columns) {
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t r = 0; r < rows; ++r) to[c * ld_to + r] = from[r * ld_from + c];
    }
  } else {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) to[c * ld_to + r] = from[r * ld_from + c];
    }
  }
}

/// Few rows, packed outputs: the common image with three channels.
template <typename T, int kRows>
void few_rows(const T* from, std::int64_t ld_from, T* to, std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; ++c) {
    for (int r = 0; r < kRows; ++r) to[c * kRows + r] = from[r * ld_from + c];
  }
}
template <typename T, int kColumns>
void few_columns(const T* from, T* to, std::int64_t ld_to, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int c = 0; c < kColumns; ++c) to[c * ld_to + r] = from[r * kColumns + c];
  }
}

template <typename T>
void blocked(const T* from, std::int64_t ld_from, T* to, std::int64_t ld_to, std::int64_t rows, std::int64_t columns) {
  if (rows == 3 && ld_to == 3) return few_rows<T, 3>(from, ld_from, to, columns);
  if (columns == 3 && ld_from == 3) return few_columns<T, 3>(from, to, ld_to, rows);
  constexpr std::int64_t kSide = sizeof(T) == 1 ? 16 : 4;
  constexpr std::int64_t kTile = 64;
  const std::int64_t whole_rows = sizeof(T) == 1 || sizeof(T) == 4 ? rows / kSide * kSide : 0;
  const std::int64_t whole_columns = columns / kSide * kSide;
  if constexpr (sizeof(T) == 1 || sizeof(T) == 4) {
    for (std::int64_t r0 = 0; r0 < whole_rows; r0 += kTile) {
      for (std::int64_t c0 = 0; c0 < whole_columns; c0 += kTile) {
        for (std::int64_t r = r0; r < std::min(whole_rows, r0 + kTile); r += kSide) {
          for (std::int64_t c = c0; c < std::min(whole_columns, c0 + kTile); c += kSide) {
            if constexpr (sizeof(T) == 1) {
              transpose_16x16(from + r * ld_from + c, ld_from, to + c * ld_to + r, ld_to);
            } else {
              transpose_4x4(from + r * ld_from + c, ld_from, to + c * ld_to + r, ld_to);
            }
          }
        }
      }
    }
    plain(from + whole_columns, ld_from, to + whole_columns * ld_to, ld_to, whole_rows, columns - whole_columns);
  }
  plain(from + whole_rows * ld_from, ld_from, to + whole_rows, ld_to, rows - whole_rows, columns);
}

}  // namespace

void transpose_block(const void* from, std::int64_t ld_from, void* to, std::int64_t ld_to, std::int64_t rows,
                     std::int64_t columns, std::size_t element_size) {
  const auto as = [&]<typename T>(T) {
    blocked(static_cast<const T*>(from), ld_from, static_cast<T*>(to), ld_to, rows, columns);
  };
  switch (element_size) {
    case 1:
      return as(std::uint8_t{});
    case 2:
      return as(std::uint16_t{});
    case 4:
      return as(std::uint32_t{});
    default:
      return as(std::uint64_t{});
  }
}

}  // namespace xinfer::kernels
