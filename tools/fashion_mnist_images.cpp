// Writes Fashion-MNIST as folders of PNG files: OUT/calib/*.png (training images) and OUT/test/<class>/*.png (all test
// images). 28x28 grey is zero-padded to 32x32; the demo's networks were trained on that.
// usage: fashion_mnist_images SOURCE OUT [--calib N]      SOURCE holds the four .gz files of the data set

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kSide = 28;
constexpr int kPadded = 32;
constexpr std::array<const char*, 10> kClasses = {"0_tshirt", "1_trouser", "2_pullover", "3_dress", "4_coat",
                                                  "5_sandal", "6_shirt",   "7_sneaker",  "8_bag",   "9_boot"};

std::vector<std::uint8_t> read_gzip(const std::string& path) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), &gzclose);
  if (!file) throw std::runtime_error("could not open " + path);
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> chunk(1 << 20);
  for (;;) {
    const int got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (got < 0) throw std::runtime_error("could not read " + path);
    if (got == 0) return bytes;
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + got);
  }
}

void write_png(const std::filesystem::path& path, const std::uint8_t* image) {
  std::array<std::uint8_t, kPadded * kPadded> padded{};
  constexpr int kMargin = (kPadded - kSide) / 2;
  for (int y = 0; y < kSide; ++y) {
    std::copy_n(image + y * kSide, kSide, padded.begin() + (y + kMargin) * kPadded + kMargin);
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = header.height = kPadded;
  header.format = PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&header, path.c_str(), 0, padded.data(), 0, nullptr) == 0) {
    throw std::runtime_error("could not write " + path.string() + ": " + header.message);
  }
}

std::string numbered(std::size_t index) {
  std::string digits = std::to_string(index);
  return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits + ".png";
}

void convert(const std::string& source, const std::filesystem::path& out, std::size_t calib) {
  constexpr std::size_t kImageHeader = 16;
  constexpr std::size_t kLabelHeader = 8;
  constexpr std::size_t kPixels = kSide * kSide;
  const auto train = read_gzip(source + "/train-images-idx3-ubyte.gz");
  std::filesystem::create_directories(out / "calib");
  for (std::size_t i = 0; i < calib && kImageHeader + (i + 1) * kPixels <= train.size(); ++i) {
    write_png(out / "calib" / numbered(i), train.data() + kImageHeader + i * kPixels);
  }
  const auto test = read_gzip(source + "/t10k-images-idx3-ubyte.gz");
  const auto labels = read_gzip(source + "/t10k-labels-idx1-ubyte.gz");
  for (const char* name : kClasses) std::filesystem::create_directories(out / "test" / name);
  for (std::size_t i = 0; kLabelHeader + i < labels.size() && kImageHeader + (i + 1) * kPixels <= test.size(); ++i) {
    write_png(out / "test" / kClasses.at(labels[kLabelHeader + i]) / numbered(i),
              test.data() + kImageHeader + i * kPixels);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool counted = argc == 5 && std::string(argv[3]) == "--calib";
  if (argc != 3 && !counted) {
    std::fprintf(stderr, "usage: fashion_mnist_images SOURCE OUT [--calib N]\n");
    return 2;
  }
  try {
    convert(argv[1], argv[2], counted ? std::strtoul(argv[4], nullptr, 10) : 500);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fashion_mnist_images: %s\n", error.what());
    return 1;
  }
  return 0;
}
