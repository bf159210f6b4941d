// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/live_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/mig/fake_nvml.h"

namespace migprof::mig {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::chrono::milliseconds kRelist(50);
constexpr std::chrono::hours kNever(1);

class LiveReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    nvml_ = {};
    nvml_.gpus = {SampleMigGpu(), SampleWholeGpu()};
  }
  void TearDown() override { EXPECT_EQ(nvml_.open, 0) << "given back at the end"; }

  // When a list may be read again before its time.
  static void WaitForLists() { std::this_thread::sleep_for(kRelist / 5); }

  FakeNvml& nvml_ = FakeNvml::Get();
  NvmlApi api_ = FakeNvml::Api();
};

TEST_F(LiveReaderTest, EverySliceAndWholeGpu_IsARow) {
  LiveReader reader(api_, kNever, "/nonexistent");
  const LiveSample sample = reader.Read();
  EXPECT_EQ(nvml_.open, 1) << "held";
  ASSERT_THAT(sample.slices, SizeIs(4));
  const LiveSlice& first = sample.slices[0];
  EXPECT_EQ(first.gpu_instance_id, 3u);
  EXPECT_EQ(first.profile, "2g.35gb");
  EXPECT_EQ(first.gpu_instance_profile, "2g.35gb");
  EXPECT_EQ(first.siblings, 1u);
  EXPECT_THAT(first.use.processes, SizeIs(1));
  EXPECT_EQ(sample.slices[1].siblings, 2u);
  EXPECT_EQ(sample.slices[1].gpu_instance_profile, "3g.71gb");
  EXPECT_NE(sample.slices[1].profile, "3g.71gb");
  EXPECT_FALSE(sample.slices[3].is_mig());
  EXPECT_EQ(sample.slices[3].gpu_index, 1u);
  ASSERT_THAT(sample.gpus, SizeIs(2));
  EXPECT_EQ(sample.gpus[0].slices, 3u);
}

TEST_F(LiveReaderTest, MemoryAndProcesses_AreReadAgainWithoutANewList) {
  LiveReader reader(api_, kNever, "/nonexistent");
  const LiveSample before = reader.Read();
  FakeDevice& device = nvml_.gpus[0].mig_devices[0];
  device.memory.used += 123;
  device.processes.push_back({99, 5, device.gpu_instance, device.compute_instance});
  const LiveSample after = reader.Read();
  EXPECT_EQ(*after.slices[0].memory_used_bytes, *before.slices[0].memory_used_bytes + 123);
  EXPECT_THAT(after.slices[0].use.processes, SizeIs(2));
  EXPECT_EQ(after.topology_ns, before.topology_ns);
}

TEST_F(LiveReaderTest, RefusedQuestions_LeaveTheRest) {
  LiveReader reader(api_, kNever, "/nonexistent");
  reader.Read();
  nvml_.failures["DeviceGetComputeRunningProcesses_v3"] = kNvmlNoPermission;
  nvml_.failures["DeviceGetMemoryInfo"] = kNvmlNoPermission;
  const LiveSample sample = reader.Read();
  ASSERT_THAT(sample.slices, SizeIs(4));
  EXPECT_EQ(sample.slices[0].memory_used_bytes, std::nullopt) << "not the old value";
  EXPECT_EQ(sample.slices[0].use.refusal, kNvmlNoPermission);
}

TEST_F(LiveReaderTest, SliceThatIsGone_MakesANewList) {
  LiveReader reader(api_, kRelist, "/nonexistent");
  reader.Read();
  WaitForLists();
  nvml_.gpus[0].mig_devices.clear();
  nvml_.gpus[0].gpu_instances.clear();
  nvml_.failures["DeviceGetMemoryInfo"] = kNvmlNotFound;
  EXPECT_THAT(reader.Read().slices, SizeIs(1));
}

TEST_F(LiveReaderTest, SliceMadeAnewUnderTheSameUuid_IsANewOne) {
  LiveReader reader(api_, std::chrono::nanoseconds(0), "/nonexistent");
  const LiveSample before = reader.Read();
  WaitForLists();
  nvml_.gpus[0].mig_devices[0].attributes.multiprocessor_count -= 6;
  const LiveSample after = reader.Read();
  EXPECT_EQ(after.slices[0].mig_uuid, before.slices[0].mig_uuid);
  EXPECT_GT(after.slices[0].first_seen_ns, before.slices[0].first_seen_ns);
  EXPECT_EQ(after.slices[1].first_seen_ns, before.slices[1].first_seen_ns);
}

TEST_F(LiveReaderTest, GpuLostWhileReading_IsSaidWithItsName) {
  LiveReader reader(api_, kRelist, "/nonexistent");
  reader.Read();
  WaitForLists();
  nvml_.failures["DeviceGetHandleByIndex_v2:0"] = kNvmlGpuIsLost;
  nvml_.failures["DeviceGetMemoryInfo"] = kNvmlGpuIsLost;
  const LiveSample sample = reader.Read();
  ASSERT_THAT(sample.gpus, SizeIs(2));
  EXPECT_EQ(sample.gpus[0].refusal, kNvmlGpuIsLost);
  EXPECT_EQ(sample.gpus[0].uuid, SampleMigGpu().uuid);
  EXPECT_EQ(sample.gpus[0].slices, 0u);
}

TEST_F(LiveReaderTest, DriverThatComesBack_IsAskedAgain) {
  LiveReader reader(api_, kNever, "/nonexistent");
  nvml_.failures["Init_v2"] = kNvmlDriverNotLoaded;
  const LiveSample without = reader.Read();
  EXPECT_THAT(without.problem, HasSubstr("modprobe"));
  EXPECT_EQ(without.problem_code, kNvmlDriverNotLoaded);
  EXPECT_THAT(without.slices, SizeIs(0));
  nvml_.failures.clear();
  EXPECT_THAT(reader.Read().slices, SizeIs(4));
}

}  // namespace
}  // namespace migprof::mig
