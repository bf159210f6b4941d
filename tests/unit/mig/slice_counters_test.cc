// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/slice_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>

namespace migprof::mig {
namespace {

constexpr char kMigUuid[] = "MIG-01010101-0101-0101-0101-010101010101";
constexpr char kGpuUuid[] = "GPU-22222222-2222-2222-2222-222222222222";
NvmlDevice const kSlice = reinterpret_cast<NvmlDevice>(1);
NvmlDevice const kGpu = reinterpret_cast<NvmlDevice>(2);
constexpr int kNoPermission = 4;

// What the fake NVML answers, and what it holds.
struct World {
  int open = 0;                       // initialisations without a shutdown
  int samples = 0;                    // GPM samples that were not freed
  int questions = 0;                  // about devices
  std::map<std::string, int> errors;  // function -> what it returns
  bool supported = true;
  double value = 25;                // of every GPM counter, plus its number
  std::optional<int> metric_error;  // of every single metric
  std::string asked;                // which function gave the last GPM sample

  int Result(const char* function) {
    ++questions;
    const auto error = errors.find(function);
    return error != errors.end() ? error->second : 0;
  }
};
World g_world;

NvmlApi FakeNvml() {
  NvmlApi nvml;
  nvml.init = [] { return g_world.errors.count("init") ? g_world.errors["init"] : (++g_world.open, 0); };
  nvml.shutdown = [] { return --g_world.open, 0; };
  nvml.device_get_handle_by_uuid = [](const char* uuid, NvmlDevice* device) {
    *device = std::string(uuid) == kMigUuid ? kSlice : kGpu;
    return g_world.Result("handle");
  };
  nvml.device_get_parent = [](NvmlDevice, NvmlDevice* gpu) { return *gpu = kGpu, g_world.Result("parent"); };
  return nvml;
}

NvmlCounterApi FakeCounters() {
  NvmlCounterApi api;
  api.device_get_memory_info = [](NvmlDevice, NvmlMemoryUse* memory) {
    *memory = {1000, 300, 700};  // reserved memory counts as used
    return g_world.Result("memory");
  };
  api.device_get_memory_info_v2 = [](NvmlDevice, NvmlMemoryUseV2* memory) {
    EXPECT_EQ(memory->version, 0x02000028u);
    *memory = {memory->version, 1000, 100, 300, 600};
    return g_world.Result("memory_v2");
  };
  api.device_get_utilization_rates = [](NvmlDevice device, NvmlUtilization* utilization) {
    *utilization = {70, 30};
    return device == kSlice ? 3 : g_world.Result("utilization");
  };
  api.gpm_query_device_support = [](NvmlDevice device, NvmlGpmSupport* support) {
    EXPECT_EQ(support->version, 1u);
    support->is_supported = g_world.supported ? 1 : 0;
    return g_world.Result(device == kGpu ? "support_gpu" : "support_slice");
  };
  api.gpm_sample_alloc = [](NvmlGpmSample* sample) {
    if (const int error = g_world.Result("alloc")) return error;
    *sample = reinterpret_cast<NvmlGpmSample>(static_cast<uintptr_t>(100 + g_world.samples++));
    return 0;
  };
  api.gpm_sample_free = [](NvmlGpmSample) { return --g_world.samples, 0; };
  api.gpm_sample_get = [](NvmlDevice device, NvmlGpmSample) {
    g_world.asked = device == kSlice ? "slice" : "gpu";
    return g_world.Result("sample");
  };
  api.gpm_mig_sample_get = [](NvmlDevice gpu, uint32_t instance, NvmlGpmSample) {
    EXPECT_EQ(gpu, kGpu);
    EXPECT_EQ(instance, 7u);
    g_world.asked = "instance";
    return g_world.Result("mig_sample");
  };
  api.gpm_metrics_get = [](NvmlGpmMetrics* metrics) {
    EXPECT_EQ(metrics->version, 1u);
    EXPECT_NE(metrics->before, metrics->after);
    for (uint32_t i = 0; i < metrics->metric_count; ++i) {
      metrics->metrics[i].value = g_world.value + metrics->metrics[i].metric_id;
      metrics->metrics[i].result = g_world.metric_error.value_or(0);
    }
    return g_world.Result("metrics");
  };
  return api;
}

class SliceCountersTest : public testing::Test {
 protected:
  void SetUp() override {
    g_world = {};
    slice_.mig_uuid = kMigUuid;
    slice_.gpu_instance_id = 7;
    gpu_.gpu_uuid = kGpuUuid;
  }
  // Nothing may be held after Close, whatever went wrong before.
  void TearDown() override {
    counters_.Close();
    EXPECT_EQ(g_world.open, 0);
    EXPECT_EQ(g_world.samples, 0);
  }

  void Open(const SliceIdentity& identity) {
    ASSERT_TRUE(counters_.Open(nvml_, api_, identity).ok());
    EXPECT_EQ(g_world.open, 1);
  }
  std::map<Counter, CounterReading> Read() {
    std::map<Counter, CounterReading> readings;
    for (const CounterReading& reading : counters_.Read()) readings[reading.counter] = reading;
    return readings;
  }

  NvmlApi nvml_ = FakeNvml();
  NvmlCounterApi api_ = FakeCounters();
  SliceIdentity slice_;
  SliceIdentity gpu_;
  SliceCounters counters_;
};

TEST_F(SliceCountersTest, Slice_HasMemoryAtOnceAndGpmFromTheSecondReadOn) {
  Open(slice_);
  auto first = Read();
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(first[Counter::kMemoryUsed].value, 600) << "without what the driver reserves";
  EXPECT_EQ(first[Counter::kMemoryTotal].value, 1000);
  auto second = Read();
  EXPECT_EQ(second.size(), 10u);
  EXPECT_EQ(g_world.asked, "instance");
  EXPECT_EQ(second[Counter::kSmUtilization].value, 25 + 2);
  EXPECT_EQ(second[Counter::kDramBandwidthUtilization].value, 25 + 10);
  EXPECT_TRUE(second[Counter::kSmUtilization].is_over_interval);
  EXPECT_FALSE(second[Counter::kMemoryUsed].is_over_interval);
}

TEST_F(SliceCountersTest, WholeGpu_IsSampledItself) {
  Open(gpu_);
  Read();
  EXPECT_EQ(Read().size(), 10u);
  EXPECT_EQ(g_world.asked, "gpu");
}

TEST_F(SliceCountersTest, WholeGpuWithoutGpm_HasUtilizationRates) {
  g_world.supported = false;
  Open(gpu_);
  auto first = Read();
  EXPECT_EQ(first[Counter::kGpuUtilization].value, 70);
  EXPECT_EQ(first[Counter::kMemoryUtilization].value, 30);
  EXPECT_EQ(first[Counter::kSmUtilization].error, 3);
  EXPECT_EQ(Read().count(Counter::kSmUtilization), 0u) << "said once, because it cannot change";
}

TEST_F(SliceCountersTest, SliceWithoutGpm_HasMemoryOnly) {
  g_world.supported = false;
  Open(slice_);
  Read();
  EXPECT_EQ(Read().size(), 2u);
}

TEST_F(SliceCountersTest, MissingFunctions_AreErrors) {
  const auto without = [&](auto member) {
    api_ = FakeCounters();
    api_.*member = nullptr;
    Open(slice_);
    Read();
    auto second = Read();
    counters_.Close();
    return second;
  };
  // The rest goes on.
  EXPECT_EQ(without(&NvmlCounterApi::gpm_query_device_support).size(), 2u);
  EXPECT_EQ(without(&NvmlCounterApi::gpm_sample_alloc).size(), 2u);
  EXPECT_EQ(without(&NvmlCounterApi::gpm_sample_free).size(), 2u);
  EXPECT_EQ(without(&NvmlCounterApi::gpm_metrics_get).size(), 2u);
  EXPECT_EQ(without(&NvmlCounterApi::gpm_sample_get).size(), 10u) << "not needed";
  EXPECT_EQ(without(&NvmlCounterApi::gpm_mig_sample_get).size(), 10u);
  EXPECT_EQ(g_world.asked, "slice") << "the other way";
  EXPECT_EQ(without(&NvmlCounterApi::device_get_memory_info_v2)[Counter::kMemoryUsed].value, 700) << "the older one";
  api_ = {};
  Open(slice_);
  auto readings = Read();
  EXPECT_EQ(readings[Counter::kMemoryUsed].error, kNvmlCounterFunctionNotFound);
  EXPECT_EQ(readings[Counter::kSmUtilization].error, kNvmlCounterFunctionNotFound);
}

TEST_F(SliceCountersTest, GpuOutOfBounds_TheMigDeviceIsAsked) {
  g_world.errors = {{"support_gpu", kNoPermission}, {"mig_sample", kNoPermission}};
  Open(slice_);
  Read();
  EXPECT_EQ(Read()[Counter::kSmUtilization].value, 27);
  EXPECT_EQ(g_world.asked, "slice");
}

TEST_F(SliceCountersTest, Refusals_AreReadingsWithTheError) {
  for (const char* function : {"metrics", "alloc"}) {
    g_world.errors = {{function, kNoPermission}};
    Open(slice_);
    const auto first = Read();
    auto second = Read();
    second.insert(first.begin(), first.end());
    EXPECT_EQ(second[Counter::kSmUtilization].error, kNoPermission) << function;
    EXPECT_EQ(second[Counter::kMemoryUsed].error, 0) << function;
    counters_.Close();
    EXPECT_EQ(g_world.samples, 0) << function;
  }
  g_world.errors = {{"mig_sample", kNoPermission}, {"sample", kNoPermission}};
  Open(slice_);
  EXPECT_EQ(Read()[Counter::kSmUtilization].error, kNoPermission);
  g_world.errors = {};
  Read();
  EXPECT_EQ(Read()[Counter::kSmUtilization].error, 0) << "it is asked again";
  g_world.errors = {{"memory", kNoPermission}, {"memory_v2", kNoPermission}};
  EXPECT_EQ(Read()[Counter::kMemoryUsed].error, kNoPermission);
  g_world.metric_error = kNoPermission;
  EXPECT_EQ(Read()[Counter::kSmUtilization].error, kNoPermission);
}

TEST_F(SliceCountersTest, OddValues_ComeAsTheyAre) {
  Open(slice_);
  Read();
  g_world.value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(Read()[Counter::kSmUtilization].value));
  g_world.value = 150;
  EXPECT_EQ(Read()[Counter::kSmUtilization].value, 152);
}

TEST_F(SliceCountersTest, TheSameIntervalAgain_IsStale) {
  Open(slice_);
  Read();
  EXPECT_FALSE(Read()[Counter::kSmUtilization].stale);
  EXPECT_TRUE(Read()[Counter::kSmUtilization].stale);
  EXPECT_FALSE(Read()[Counter::kMemoryUsed].stale) << "memory may stay as it is";
  g_world.value = 26;
  EXPECT_FALSE(Read()[Counter::kSmUtilization].stale);
}

TEST_F(SliceCountersTest, LostGpu_IsNotAskedAgain) {
  Open(slice_);
  g_world.errors = {{"memory_v2", kNvmlCounterGpuIsLost}};
  EXPECT_EQ(Read()[Counter::kMemoryUsed].error, kNvmlCounterGpuIsLost);
  EXPECT_TRUE(counters_.is_lost());
  const int questions = g_world.questions;
  EXPECT_TRUE(Read().empty());
  EXPECT_EQ(g_world.questions, questions);
}

TEST_F(SliceCountersTest, FailureToOpen_HoldsNothing) {
  g_world.errors = {{"init", 9}};
  EXPECT_EQ(counters_.Open(nvml_, api_, slice_).code, 9);
  g_world.errors = {{"handle", 6}};
  EXPECT_EQ(counters_.Open(nvml_, api_, slice_).code, 6);
  EXPECT_FALSE(counters_.is_open());
  EXPECT_EQ(g_world.open, 0);
  EXPECT_TRUE(Read().empty());
}

}  // namespace
}  // namespace migprof::mig
