#pragma once
// Image files made up by tests.

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace xinfer::testing_support {

/// Writes a 24-bit BMP. `pixel(x, y)` gives 0xRRGGBB.
template <class F>
void write_bmp(const std::string& path, int width, int height, F&& pixel) {
  const int row = (width * 3 + 3) / 4 * 4;
  const auto size = static_cast<std::uint32_t>(54 + row * height);
  std::string bytes(size, '\0');
  const auto put = [&](std::size_t at, std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  bytes[0] = 'B', bytes[1] = 'M';
  put(2, size, 4), put(10, 54, 4), put(14, 40, 4);
  put(18, static_cast<std::uint32_t>(width), 4), put(22, static_cast<std::uint32_t>(height), 4);
  put(26, 1, 2), put(28, 24, 2);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {  // rows go from the bottom up, blue first
      put(static_cast<std::size_t>(54 + (height - 1 - y) * row + x * 3), static_cast<std::uint32_t>(pixel(x, y)), 3);
    }
  }
  std::ofstream stream(path, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(stream.flush()) << path;
}

}  // namespace xinfer::testing_support
