// On a machine without a GPU only the answers to that are tested.
#include "gpu/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

#include "gpu/graph.h"
#include "gpu/module.h"
#include "gpu/self_test.h"
#include "xinfer/core/errors.h"

namespace xinfer::gpu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DeviceSearch, SaysWhyThereIsNone) {
  EXPECT_EQ(device_count() == 0, !why_no_device().empty());
  if (device_count() == 0) {
    EXPECT_THAT([] { Device::open(); }, ThrowsMessage<DeviceError>(HasSubstr(why_no_device())));
  }
}

class DeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (device_count() == 0) GTEST_SKIP() << why_no_device();
    device_ = Device::open();
  }

  /// The kernel of the self-test.
  std::shared_ptr<const LoadedKernel> kernel() {
    if (!compiler_available()) return nullptr;
    const KernelSource source{.file = "selftest.cu", .entry = "selftest"};
    return load(device_, compiler_.get(source, device_->arch()), source.entry);
  }

  DevicePtr device_;
  Compiler compiler_{{.cache_dir = "-"}};
};

std::vector<int> counting(std::size_t count) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

TEST_F(DeviceTest, IsDescribedAndShared) {
  EXPECT_FALSE(device_->info().name.empty());
  EXPECT_GT(device_->info().sm_count, 0);
  EXPECT_GE(device_->info().shared_limit, 48U * 1024);
  EXPECT_GT(device_->info().l2_bytes, 0U);
  EXPECT_GT(device_->info().total_memory, std::size_t{1} << 30);
  EXPECT_GE(device_->info().driver_version, 12000);
  EXPECT_LE(device_->free_memory(), device_->info().total_memory);
  EXPECT_EQ(Device::open(), device_);
  EXPECT_THAT([] { Device::open(device_count()); }, ThrowsMessage<DeviceError>(HasSubstr("there is no GPU")));
  EXPECT_THROW(Device::open(-1), DeviceError);
}

TEST_F(DeviceTest, BytesComeBackAsTheyWent) {
  Stream stream(device_);
  const std::vector<int> values = counting(10007);
  const std::size_t bytes = values.size() * sizeof(int);
  DeviceBuffer first(device_, bytes);
  const DeviceBuffer second(device_, bytes);
  EXPECT_EQ(first.pointer() % 256, 0U);
  copy_to_device(stream, first.pointer(), values.data(), bytes);
  copy_on_device(stream, second.pointer(), first.pointer(), bytes);
  fill_zero(stream, first.pointer(), bytes);
  std::vector<int> back(values.size(), -1);
  std::vector<int> zeros(values.size(), -1);
  copy_to_host(stream, back.data(), second.pointer(), bytes);
  copy_to_host(stream, zeros.data(), first.pointer(), bytes);
  stream.synchronize();
  EXPECT_EQ(back, values);
  EXPECT_EQ(zeros, std::vector<int>(values.size(), 0));
}

TEST_F(DeviceTest, BuffersMoveAndMayBeEmpty) {
  DeviceBuffer buffer(device_, 1000);
  const DevicePointer pointer = buffer.pointer();
  DeviceBuffer moved(std::move(buffer));
  EXPECT_EQ(moved.pointer(), pointer);
  EXPECT_EQ(moved.bytes(), 1000U);
  moved = DeviceBuffer(device_, 0);
  EXPECT_EQ(moved.pointer(), 0U);
  Stream stream(device_);
  copy_to_device(stream, moved.pointer(), nullptr, 0);
  fill_zero(stream, moved.pointer(), 0);
  PinnedBuffer pinned(device_, 64);
  ASSERT_NE(pinned.data(), nullptr);
  pinned.data()[63] = std::byte{1};
  const PinnedBuffer taken = std::move(pinned);
  EXPECT_EQ(taken.data()[63], std::byte{1});
  EXPECT_EQ(PinnedBuffer(device_, 0).data(), nullptr);
}

TEST_F(DeviceTest, TooMuchMemoryIsAnErrorThatNamesTheAmount) {
  const std::size_t bytes = std::size_t{1} << 50;
  EXPECT_THAT([&] { DeviceBuffer(device_, bytes); },
              ThrowsMessage<DeviceError>(AllOf(HasSubstr("cuMemAlloc"), HasSubstr(std::to_string(bytes)))));
}

TEST_F(DeviceTest, EventsOrderStreamsAndMeasure) {
  Stream writer(device_);
  Stream reader(device_);
  const std::vector<int> values = counting(1 << 20);
  const std::size_t bytes = values.size() * sizeof(int);
  const DeviceBuffer buffer(device_, bytes);
  PinnedBuffer from(device_, bytes);
  PinnedBuffer back(device_, bytes);
  std::memcpy(from.data(), values.data(), bytes);
  Event begin(device_);
  Event written(device_);
  begin.record(writer);
  copy_to_device(writer, buffer.pointer(), from.data(), bytes);
  written.record(writer);
  reader.wait(written);
  copy_to_host(reader, back.data(), buffer.pointer(), bytes);
  reader.synchronize();
  EXPECT_EQ(std::memcmp(back.data(), values.data(), bytes), 0);
  EXPECT_GT(begin.elapsed_us(written), 0.0);
  Event untimed(device_, false);
  untimed.record(writer);
  EXPECT_THROW(begin.elapsed_us(untimed), DeviceError);
}

TEST_F(DeviceTest, BorrowedStreamStaysTheCallers) {
  Stream own(device_);
  {
    Stream borrowed = Stream::borrow(device_, own.handle());
    EXPECT_EQ(borrowed.handle(), own.handle());
  }
  own.synchronize();
  Stream moved(std::move(own));
  moved.synchronize();
}

TEST_F(DeviceTest, SelfTestPasses) {
  if (!compiler_available()) GTEST_SKIP() << why_no_compiler();
  EXPECT_EQ(self_test(device_, compiler_), "");
}

TEST_F(DeviceTest, WorksFromManyThreads) {
  if (!compiler_available()) GTEST_SKIP() << why_no_compiler();
  std::vector<std::string> results(4, "not run");
  {
    std::vector<std::jthread> threads;
    for (std::string& result : results) threads.emplace_back([&] { result = self_test(device_, compiler_); });
  }
  EXPECT_THAT(results, testing::Each(""));
  EXPECT_EQ(compiler_.compiled(), 1);
}

TEST_F(DeviceTest, KernelIsDescribed) {
  const auto selftest = kernel();
  if (!selftest) GTEST_SKIP() << why_no_compiler();
  EXPECT_GT(selftest->registers(), 0);
  EXPECT_EQ(selftest->local_bytes(), 0);
  EXPECT_EQ(selftest->shared_bytes(), 0);
  EXPECT_GE(selftest->max_threads(), 256);
}

TEST_F(DeviceTest, WrongLaunchesAreRefusedWithTheKernelsName) {
  const auto selftest = kernel();
  if (!selftest) GTEST_SKIP() << why_no_compiler();
  Stream stream(device_);
  Launch launch{.grid = {1}, .block = {32}};
  launch.args.add(DevicePointer{0}).add(DevicePointer{0}).add(0).add(1.0F);
  const auto run = [&] { selftest->launch(stream, launch); };
  EXPECT_THAT(run,
              ThrowsMessage<DeviceError>(AllOf(HasSubstr("selftest"), HasSubstr("5 arguments"), HasSubstr("given 4"))));
  launch.args.add(0.0F);
  EXPECT_NO_THROW(run());
  launch.block = {4096};
  EXPECT_THAT(run, ThrowsMessage<DeviceError>(AllOf(HasSubstr("selftest"), HasSubstr("4096x1x1"))));
  launch.block = {32};
  launch.shared_bytes = 64 << 20;
  EXPECT_THAT(run, ThrowsMessage<DeviceError>(AllOf(HasSubstr("selftest"), HasSubstr("dynamic shared memory"))));
  launch.shared_bytes = static_cast<std::uint32_t>(device_->info().shared_limit);
  EXPECT_NO_THROW(run());
  launch.grid = {0};
  EXPECT_NO_THROW(run());
  Launch crooked{.grid = {1}, .block = {32}};
  crooked.args.add(DevicePointer{0}).add(0).add(0).add(1.0F).add(0.0F);
  EXPECT_THROW(selftest->launch(stream, crooked), DeviceError);
  stream.synchronize();
}

TEST_F(DeviceTest, ForeignOrMissingKernelsAreRefused) {
  if (!compiler_available()) GTEST_SKIP() << why_no_compiler();
  const KernelSource source{.file = "selftest.cu", .entry = "selftest"};
  const Arch other = parse_arch(device_->info().major == 7 ? "80" : "75");
  EXPECT_THAT([&] { load(device_, compiler_.get(source, other), "selftest"); },
              ThrowsMessage<DeviceError>(HasSubstr("was compiled for sm_" + to_string(other))));
  EXPECT_THAT([&] { load(device_, compiler_.get(source, device_->arch()), "none"); },
              ThrowsMessage<DeviceError>(HasSubstr("kernel none")));
  const auto damaged = std::make_shared<const Cubin>(Cubin{"", device_->arch(), std::vector<std::byte>(4096)});
  EXPECT_THROW(load(device_, damaged, "selftest"), DeviceError);
}

TEST_F(DeviceTest, GraphReplaysWhatWasCaptured) {
  Stream stream(device_);
  const std::vector<int> values = counting(1000);
  const std::size_t bytes = values.size() * sizeof(int);
  const DeviceBuffer from(device_, bytes);
  const DeviceBuffer to(device_, bytes);
  std::vector<int> back(values.size());
  const auto read_back = [&] {
    copy_to_host(stream, back.data(), to.pointer(), bytes);
    stream.synchronize();
  };
  copy_to_device(stream, from.pointer(), values.data(), bytes);
  fill_zero(stream, to.pointer(), bytes);
  EXPECT_FALSE(Graph().ready());
  Graph graph = Graph::capture(stream, [&] { copy_on_device(stream, to.pointer(), from.pointer(), bytes); });
  EXPECT_EQ(graph.node_count(), 1U);
  read_back();
  EXPECT_EQ(back, std::vector<int>(values.size(), 0));  // capturing runs nothing
  const Graph moved = std::move(graph);
  EXPECT_TRUE(moved.ready());
  moved.launch(stream);
  read_back();
  EXPECT_EQ(back, values);
  fill_zero(stream, to.pointer(), bytes);
  moved.launch(stream);
  read_back();
  EXPECT_EQ(back, values);
}

TEST_F(DeviceTest, FailedCaptureLeavesTheStreamUsable) {
  Stream stream(device_);
  EXPECT_THROW(Graph::capture(stream, [] { throw CancelledError("stopped"); }), CancelledError);
  EXPECT_THROW(Graph::capture(stream, [&] { stream.synchronize(); }), DeviceError);  // not allowed while capturing
  stream.synchronize();
}

}  // namespace
}  // namespace xinfer::gpu
