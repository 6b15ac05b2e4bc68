#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gpu/device.h"
#include "gpu/launch.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TiledMap tiled() {
  return {.address = 1 << 20, .size = {256, 100}, .stride = {256}, .box = {128, 64}, .swizzle = Swizzle::k128};
}

Im2colMap im2col() {
  return {.address = 1 << 20,
          .size = {64, 14, 14, 3},
          .stride = {64, 64 * 14, 64 * 14 * 14},
          .lower_corner = {-1, -1},
          .upper_corner = {-1, -1},
          .traversal = {1, 2, 2, 1},
          .channels = 64,
          .pixels = 128,
          .swizzle = Swizzle::k64};
}

template <class Map>
void expect_refused(const Map& map, const std::string& why) {
  EXPECT_THAT([&] { encode(map); }, ThrowsMessage<DeviceError>(AllOf(HasSubstr(why), HasSubstr("size ["))));
}

TEST(TensorMap, BadOnesAreRefusedWithTheRule) {
  TiledMap map = tiled();
  map.stride = {250};
  expect_refused(map, "strides must be multiples of 16");
  map = tiled();
  map.stride = {};
  expect_refused(map, "one stride for each axis");
  map = tiled();
  map.address += 8;
  expect_refused(map, "address must be a multiple of 16");
  map = tiled();
  map.box = {128, 257};
  expect_refused(map, "1 to 256 elements");
  map = tiled();
  map.box = {128};
  expect_refused(map, "as many axes");
  map = tiled();
  map.box = {8, 8};
  expect_refused(map, "multiple of 16 bytes");
  map = tiled();
  map.swizzle = Swizzle::k64;
  expect_refused(map, "exceeds the swizzle's");
  map = tiled();
  map.element_bytes = 4;
  expect_refused(map, "1 or 2 bytes");
  map = tiled();
  map.size = {256, 0};
  expect_refused(map, "sizes go from 1");
}

TEST(TensorMap, BadWindowsAreRefusedWithTheRule) {
  Im2colMap map = im2col();
  map.size.pop_back();
  map.stride.pop_back();
  expect_refused(map, "4 axes");
  map = im2col();
  map.stride[2] += 1;
  expect_refused(map, "strides must be multiples of 16");
  map = im2col();
  map.lower_corner = {-129, 0};
  expect_refused(map, "-128 to 127");
  map = im2col();
  map.traversal = {1, 9, 1, 1};
  expect_refused(map, "1 to 8");
  map = im2col();
  map.channels = 0;
  expect_refused(map, "1 to 256 channels");
  map = im2col();
  map.pixels = 2000;
  expect_refused(map, "1 to 1024 pixels");
}

TEST(TensorMap, GoodOnesAreEncoded) {
  if (device_count() == 0) GTEST_SKIP() << why_no_device();
  const DevicePtr device = Device::open();
  if (device->info().major < 9) GTEST_SKIP() << "TMA begins with compute capability 9.0";
  device->make_current();
  EXPECT_NE(encode(tiled()).opaque, TensorMap().opaque);
  EXPECT_NE(encode(im2col()).opaque, TensorMap().opaque);
  TiledMap half = tiled();
  half.element_bytes = 2;
  half.stride = {512};
  half.box = {64, 64};
  EXPECT_NE(encode(half).opaque, encode(tiled()).opaque);
}

}  // namespace
}  // namespace xinfer::gpu
