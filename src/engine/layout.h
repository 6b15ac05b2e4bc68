#pragma once
// Byte layout that writer and loader of engine files share.

#include <cstddef>
#include <cstdint>

namespace xinfer::engine {

inline constexpr std::size_t kHeaderSize = 80;
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::uint8_t kWeightsSection = 1;
inline constexpr std::uint8_t kCodeSection = 2;
inline constexpr char kMagic[8] = {'X', 'I', 'N', 'F', 'E', 'N', 'G', '\0'};
inline constexpr std::uint32_t kEndianMark = 0x01020304;

struct Header {
  char magic[8] = {kMagic[0], kMagic[1], kMagic[2], kMagic[3], kMagic[4], kMagic[5], kMagic[6], kMagic[7]};
  std::uint32_t version = 0;
  std::uint32_t endian = kEndianMark;
  std::uint64_t file_size = 0;
  std::uint64_t structure_offset = 0;
  std::uint64_t structure_size = 0;
  char structure_hash[32] = {};  ///< hexadecimal digits
  std::uint64_t reserved = 0;
};
static_assert(sizeof(Header) == kHeaderSize);

/// Zero bytes that bring `size` to the next multiple of the alignment.
constexpr std::uint64_t padding_after(std::uint64_t size) { return (kAlignment - size % kAlignment) % kAlignment; }
/// First section of a file whose structure has this size.
constexpr std::uint64_t sections_begin(std::uint64_t structure_size) {
  const std::uint64_t end = kHeaderSize + structure_size;
  return end + padding_after(end);
}

}  // namespace xinfer::engine
