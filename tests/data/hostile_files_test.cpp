// Files that are not what they claim to be: always a DataError that names the file, never a crash or a wrong picture.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <functional>
#include <random>

#include "data/helpers.h"
#include "xinfer/core/errors.h"

namespace {

using namespace data_test;
using testing::AllOf;
using testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const xinfer::DataError& error) {
    return error.what();
  }
  return "no error";
}

std::string read_error(const fs::path& path) {
  return error_of([&] { xt::read_image(path); });
}

std::string decode_error(const Bytes& bytes) {
  return error_of([&] { xt::decode_image(bytes, "file"); });
}

void put_u32_big(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }
}

const std::vector<std::string> kSeeds = {"rgb_420.jpg", "progressive.jpg",     "gray.jpg",       "cmyk.jpg",
                                         "rgb.png",     "palette.png",         "interlaced.png", "rgb16.png",
                                         "lossy.webp",  "lossless_alpha.webp", "rgb.bmp",        "palette.bmp",
                                         "one_bit.bmp"};

TEST(HostileFiles, MissingEmptyFolderTextAndPipe) {
  const TempDir dir;
  EXPECT_THAT(read_error(dir / "none.jpg"), AllOf(HasSubstr("none.jpg"), HasSubstr("no such file")));
  write_file(dir / "empty.jpg", {});
  EXPECT_THAT(read_error(dir / "empty.jpg"), AllOf(HasSubstr("empty.jpg"), HasSubstr("empty")));
  fs::create_directories(dir / "folder.jpg");
  EXPECT_THAT(read_error(dir / "folder.jpg"), AllOf(HasSubstr("folder.jpg"), HasSubstr("it is a folder")));
  write_file(dir / "text.jpg", {'h', 'e', 'l', 'l', 'o'});
  EXPECT_THAT(read_error(dir / "text.jpg"), AllOf(HasSubstr("text.jpg"), HasSubstr("not an image"), HasSubstr("hint")));
  ASSERT_EQ(mkfifo((dir / "pipe.jpg").c_str(), 0600), 0);
  EXPECT_THAT(read_error(dir / "pipe.jpg"), HasSubstr("not a regular file"));
}

TEST(HostileFiles, KnownButUnsupportedFormatsAreNamed) {
  EXPECT_THAT(decode_error({'G', 'I', 'F', '8', '9', 'a', 0, 0}), HasSubstr("GIF is not supported"));
  EXPECT_THAT(decode_error({'I', 'I', '*', 0, 8, 0, 0, 0}), HasSubstr("TIFF is not supported"));
  EXPECT_THAT(decode_error({0, 0, 0, 24, 'f', 't', 'y', 'p', 'h', 'e', 'i', 'c'}), HasSubstr("HEIF"));
}

TEST(HostileFiles, TruncatedAnywhere) {
  for (const std::string& name : kSeeds) {
    const Bytes whole = read_file(fixture(name));
    for (std::size_t size = 0; size + 4 <= whole.size(); size += (size < 200 ? 1 : 13)) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_THAT(decode_error(part), HasSubstr("'file'")) << name << " cut to " << size << " of " << whole.size();
    }
  }
}

TEST(HostileFiles, TruncatedJpegSaysSo) {
  Bytes bytes = encode_jpeg(pattern(64, 64));
  bytes.resize(bytes.size() / 2);
  EXPECT_THAT(decode_error(bytes), HasSubstr("truncated or damaged"));
}

TEST(HostileFiles, HugeDeclaredSizesAreRefusedBeforeAllocation) {
  Bytes png = read_file(fixture("rgb.png"));
  put_u32_big(png, 16, 0x7fffffff);
  put_u32_big(png, 20, 0x7fffffff);
  EXPECT_THAT(decode_error(png), HasSubstr("'file'"));

  Bytes jpeg = read_file(fixture("rgb_420.jpg"));
  std::size_t frame = 0;
  while (!(jpeg[frame] == 0xff && jpeg[frame + 1] == 0xc0)) {
    ++frame;
  }
  for (std::size_t i = 5; i < 9; ++i) {
    jpeg[frame + i] = 0xff;
  }
  EXPECT_THAT(decode_error(jpeg), HasSubstr("'file'"));

  Bytes bmp = encode_bmp(pattern(2, 2));
  for (const std::size_t at : {std::size_t{18}, std::size_t{22}}) {
    bmp[at] = bmp[at + 1] = bmp[at + 2] = 0xff;
    bmp[at + 3] = 0x7f;
  }
  EXPECT_THAT(decode_error(bmp), HasSubstr("more than the limit"));
}

TEST(HostileFiles, ASmallPngCannotAskForGigabytes) {
  // A valid header of 16000 x 16000 pixels, and hardly any data.
  Bytes png = read_file(fixture("rgb.png"));
  const Bytes header = {0x00, 0x00, 0x3e, 0x80, 0x00, 0x00, 0x3e, 0x80, 8, 2, 0, 0, 0, 0xce, 0x1c, 0x48, 0x89};
  std::copy(header.begin(), header.end(), png.begin() + 16);
  EXPECT_THAT(decode_error(png), HasSubstr("too short for 16000 x 16000 pixels"));
}

TEST(HostileFiles, ZeroAndNegativeSizes) {
  Bytes bmp = encode_bmp(pattern(2, 2));
  bmp[18] = 0;
  EXPECT_THAT(decode_error(bmp), HasSubstr("declares 0 x 2"));
  bmp[18] = bmp[19] = bmp[20] = bmp[21] = 0xff;
  EXPECT_THAT(decode_error(bmp), HasSubstr("declares -1 x 2"));
  Bytes png = read_file(fixture("rgb.png"));
  put_u32_big(png, 16, 0);
  EXPECT_THAT(decode_error(png), HasSubstr("PNG data is damaged"));
}

TEST(HostileFiles, DamagedPngChecksum) {
  Bytes png = read_file(fixture("rgb.png"));
  png[60] ^= 0x10;  // within the pixel data
  EXPECT_THAT(decode_error(png), HasSubstr("PNG data is damaged"));
}

// Random damage: either an image of a sane size or a DataError. What matters is what the sanitizers say.
TEST(HostileFiles, RandomDamageNeverCrashes) {
  std::mt19937 random(7);
  int refused = 0;
  for (const std::string& name : kSeeds) {
    const Bytes whole = read_file(fixture(name));
    for (int round = 0; round < 150; ++round) {
      Bytes bytes = whole;
      const int edits = 1 + static_cast<int>(random() % 4);
      for (int i = 0; i < edits; ++i) {
        // Half of the damage goes to the headers.
        const std::size_t range = random() % 2 == 0 ? std::min<std::size_t>(bytes.size(), 64) : bytes.size();
        bytes[random() % range] = static_cast<std::uint8_t>(random());
      }
      const std::string error = error_of([&] {
        const xt::Image image = xt::decode_image(bytes, "file");
        ASSERT_EQ(static_cast<std::int64_t>(image.pixels.size()), image.height * image.width * 3);
      });
      if (error != "no error") {
        ASSERT_THAT(error, HasSubstr("'file'"));
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
