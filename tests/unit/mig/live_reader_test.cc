// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/live_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <thread>
#include <utility>

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
  NvmlCounterApi counter_api_;  // none, as before Hopper
};

TEST_F(LiveReaderTest, EverySliceAndWholeGpu_IsARow) {
  LiveReader reader(api_, counter_api_, kNever, "/nonexistent");
  const LiveSample sample = reader.Read();
  EXPECT_GE(nvml_.open, 1) << "held";
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
  LiveReader reader(api_, counter_api_, kNever, "/nonexistent");
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
  LiveReader reader(api_, counter_api_, kNever, "/nonexistent");
  reader.Read();
  nvml_.failures["DeviceGetComputeRunningProcesses_v3"] = kNvmlNoPermission;
  nvml_.failures["DeviceGetMemoryInfo"] = kNvmlNoPermission;
  const LiveSample sample = reader.Read();
  ASSERT_THAT(sample.slices, SizeIs(4));
  EXPECT_EQ(sample.slices[0].memory_used_bytes, std::nullopt) << "not the old value";
  EXPECT_EQ(sample.slices[0].use.refusal, kNvmlNoPermission);
}

TEST_F(LiveReaderTest, SliceThatIsGone_MakesANewList) {
  LiveReader reader(api_, counter_api_, kRelist, "/nonexistent");
  reader.Read();
  WaitForLists();
  // Handles that are no longer valid still point to something, as the driver's do.
  const auto gone_devices = std::exchange(nvml_.gpus[0].mig_devices, {});
  const auto gone_instances = std::exchange(nvml_.gpus[0].gpu_instances, {});
  nvml_.failures["DeviceGetMemoryInfo"] = kNvmlNotFound;
  EXPECT_THAT(reader.Read().slices, SizeIs(1));
}

TEST_F(LiveReaderTest, SliceMadeAnewUnderTheSameUuid_IsANewOne) {
  LiveReader reader(api_, counter_api_, std::chrono::nanoseconds(0), "/nonexistent");
  const LiveSample before = reader.Read();
  WaitForLists();
  nvml_.gpus[0].mig_devices[0].attributes.multiprocessor_count -= 6;
  const LiveSample after = reader.Read();
  EXPECT_EQ(after.slices[0].mig_uuid, before.slices[0].mig_uuid);
  EXPECT_GT(after.slices[0].first_seen_ns, before.slices[0].first_seen_ns);
  EXPECT_EQ(after.slices[1].first_seen_ns, before.slices[1].first_seen_ns);
}

TEST_F(LiveReaderTest, GpuLostWhileReading_IsSaidWithItsName) {
  LiveReader reader(api_, counter_api_, kRelist, "/nonexistent");
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

TEST_F(LiveReaderTest, WithoutCounters_ThereIsNoSecondReadingToWaitFor) {
  LiveReader reader(api_, counter_api_, kNever, "/nonexistent");
  EXPECT_EQ(reader.Read().slices[0].counter_refusal, kNvmlFunctionNotFound);
  EXPECT_FALSE(reader.HasCounters());
}

// GPM that gives 137.5 for every metric, and how many samples were not given back.
int g_gpm_samples = 0;
NvmlCounterApi FakeGpm() {
  NvmlCounterApi api;
  api.gpm_query_device_support = [](NvmlDevice, NvmlGpmSupport* support) {
    support->is_supported = 1;
    return kNvmlSuccess;
  };
  api.gpm_sample_alloc = [](NvmlGpmSample* sample) {
    *sample = reinterpret_cast<NvmlGpmSample>(static_cast<uintptr_t>(++g_gpm_samples));
    return kNvmlSuccess;
  };
  api.gpm_sample_free = [](NvmlGpmSample) { return --g_gpm_samples, kNvmlSuccess; };
  api.gpm_sample_get = [](NvmlDevice, NvmlGpmSample) { return kNvmlSuccess; };
  api.gpm_metrics_get = [](NvmlGpmMetrics* metrics) {
    for (uint32_t i = 0; i < metrics->metric_count; ++i) {
      metrics->metrics[i].value = metrics->metrics[i].metric_id == 10 ? std::nan("") : 137.5;
      metrics->metrics[i].result = kNvmlSuccess;
    }
    return kNvmlSuccess;
  };
  return api;
}

TEST_F(LiveReaderTest, Counters_AreThereFromTheSecondReadingOnAndNeverClamped) {
  {
    LiveReader reader(api_, FakeGpm(), std::chrono::nanoseconds(0), "/nonexistent");  // lists every time
    const LiveSample first = reader.Read();
    EXPECT_TRUE(reader.HasCounters());
    EXPECT_FALSE(first.slices[0].counter(LiveCounter::kSm).has_value());
    EXPECT_EQ(first.interval_ns, 0u);
    const LiveSample second = reader.Read();
    EXPECT_GT(second.interval_ns, 0u);
    for (const LiveSlice& slice : second.slices) {
      ASSERT_TRUE(slice.counter(LiveCounter::kSm).has_value());
      EXPECT_EQ(slice.counter(LiveCounter::kSm)->percent, 137.5);
      EXPECT_TRUE(slice.counter(LiveCounter::kSm)->is_suspect());
      EXPECT_FALSE(slice.counter(LiveCounter::kDram).has_value()) << "NaN is no value";
    }
    EXPECT_EQ(g_gpm_samples, 2 * 3) << "compute instances of one GPU instance are sampled once";
    nvml_.gpus[0].mig_devices[0].attributes.multiprocessor_count -= 6;
    const LiveSample third = reader.Read();
    EXPECT_FALSE(third.slices[0].counter(LiveCounter::kSm).has_value()) << "nothing to do with the slice before";
    EXPECT_TRUE(third.slices[1].counter(LiveCounter::kSm).has_value());
  }
  EXPECT_EQ(g_gpm_samples, 0);
}

TEST_F(LiveReaderTest, DriverThatComesBack_IsAskedAgain) {
  LiveReader reader(api_, counter_api_, kNever, "/nonexistent");
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
