#pragma once
// Temporary folders, a fixed picture, and encoders for the tests of src/data.

#include <gtest/gtest.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "xtorch/image.h"

namespace data_test {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// A folder of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    static std::atomic<int> counter{0};
    path_ = fs::temp_directory_path() / ("xinfer_data_" + std::to_string(getpid()) + "_" + std::to_string(counter++));
    fs::create_directories(path_);
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

inline void write_file(const fs::path& path, const Bytes& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline fs::path fixture(const std::string& name) {
  return fs::path(XINFER_SOURCE_DIR) / "tests" / "data" / "fixtures" / name;
}

/// The picture of make_fixtures.py; `shift` makes others of it.
inline xt::Image pattern(std::int64_t height, std::int64_t width, int shift = 0) {
  xt::Image image{height, width, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        image.pixels.push_back(static_cast<std::uint8_t>((x * 7 + y * 13 + c * 31 + (x * y) % 11 * 5 + shift) % 256));
      }
    }
  }
  return image;
}

inline Bytes encode_jpeg(const xt::Image& image) {
  struct Destroy {
    void operator()(void* handle) const { tjDestroy(handle); }
  };
  const std::unique_ptr<void, Destroy> handle(tjInitCompress());
  unsigned char* data = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(handle.get(), image.pixels.data(), static_cast<int>(image.width), 0,
                        static_cast<int>(image.height), TJPF_RGB, &data, &size, TJSAMP_420, 90, 0),
            0);
  Bytes bytes(data, data + size);
  tjFree(data);
  return bytes;
}

/// 24-bit BMP, rows from bottom to top: lossless and a few lines.
inline Bytes encode_bmp(const xt::Image& image) {
  const std::int64_t stride = (image.width * 3 + 3) / 4 * 4;
  Bytes bytes(static_cast<std::size_t>(54 + stride * image.height));
  const auto put = [&](std::size_t at, std::int64_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
    }
  };
  bytes[0] = 'B';
  bytes[1] = 'M';
  put(2, static_cast<std::int64_t>(bytes.size()), 4);
  put(10, 54, 4);
  put(14, 40, 4);
  put(18, image.width, 4);
  put(22, image.height, 4);
  put(26, 1, 2);
  put(28, 24, 2);
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        bytes[static_cast<std::size_t>(54 + (image.height - 1 - y) * stride + x * 3 + 2 - c)] =
            image.pixels[static_cast<std::size_t>((y * image.width + x) * 3 + c)];
      }
    }
  }
  return bytes;
}

}  // namespace data_test
