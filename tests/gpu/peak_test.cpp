// What devices can do at most, beside the figures of their data sheets.
#include "gpu/peak.h"

#include <gtest/gtest.h>

namespace xinfer::gpu {
namespace {

DeviceInfo device(int major, int minor, int sm_count, int clock_mhz, int memory_mhz, int bus_bits) {
  DeviceInfo info;
  info.major = major;
  info.minor = minor;
  info.sm_count = sm_count;
  info.clock_khz = clock_mhz * 1000;
  info.memory_clock_khz = memory_mhz * 1000;
  info.memory_bus_bits = bus_bits;
  return info;
}

void expect_peak(const DeviceInfo& info, double gigabytes, double int8_tops) {
  const Peak peak = peak_of(info);
  EXPECT_NEAR(peak.bytes / 1e3, gigabytes, 0.01 * gigabytes);
  EXPECT_NEAR(peak.int8_ops / 1e6, int8_tops, 0.01 * int8_tops);
  EXPECT_EQ(peak.half_ops, peak.int8_ops / 2);
}

TEST(PeakOfDevices, IsThatOfTheDataSheet) {
  expect_peak(device(7, 5, 40, 1590, 5001, 256), 320, 130);      // T4
  expect_peak(device(8, 0, 108, 1410, 1215, 5120), 1555, 624);   // A100 40 GB
  expect_peak(device(8, 6, 72, 1695, 6251, 384), 600, 250);      // A10
  expect_peak(device(8, 9, 142, 2520, 9001, 384), 864, 733);     // L40S
  expect_peak(device(9, 0, 132, 1830, 2619, 5120), 3350, 1979);  // H100 SXM at the data sheet's clock
}

TEST(PeakOfDevices, IsUnknownWhereNothingIsKnown) {
  EXPECT_EQ(peak_of(device(9, 9, 132, 1830, 0, 0)), Peak{});
  EXPECT_GT(peak_of(device(9, 9, 132, 1830, 2619, 5120)).bytes, 0);
}

TEST(PeakOfDevices, OfTheOneAtHand) {
  if (device_count() == 0) GTEST_SKIP() << why_no_device();
  const Peak peak = peak_of(Device::open()->info());
  EXPECT_GT(peak.bytes, 1e4) << "10 GB/s";
  EXPECT_LT(peak.bytes, 1e8);
}

}  // namespace
}  // namespace xinfer::gpu
