// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/counter_sampler.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "libmigprof/base/clock.h"
#include "libmigprof/record/nvml_gate.h"

namespace migprof::record {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kPeriodMs = 1000;

uint64_t g_now;  // all clocks
uint64_t g_cpu;
uint64_t g_takes;  // one question about memory
uint64_t g_burns;  // … of CPU time
uint64_t g_opening_takes;
int g_open;
int g_openings;
int g_reads;
int g_result;

class CounterSamplerTest : public testing::Test {
 protected:
  CounterSamplerTest() {
    g_now = 1000 * kMs;
    g_cpu = g_takes = g_burns = g_opening_takes = 0;
    g_open = g_openings = g_reads = g_result = 0;
    nvml_.init = [] { return g_now += g_opening_takes, ++g_openings, ++g_open, 0; };
    nvml_.shutdown = [] { return --g_open, 0; };
    nvml_.device_get_handle_by_uuid = [](const char*, mig::NvmlDevice* device) {
      return *device = reinterpret_cast<mig::NvmlDevice>(1), 0;
    };
    identity_.mig_uuid = "MIG-01010101-0101-0101-0101-010101010101";
  }

  static CounterSampler::World World() {
    return {[] { return g_now; }, [] { return g_now; }, [] { return g_cpu; },
            [](mig::NvmlCounterApi* api) {
              api->device_get_memory_info = [](mig::NvmlDevice, mig::NvmlMemoryUse* memory) {
                *memory = {1000, 400, 600};
                g_now += g_takes;
                g_cpu += g_burns;
                return ++g_reads, g_result;
              };
            }};
  }

  // Lets `ms` pass in rounds of 10 ms, in each of which the process uses the device, or not.
  void Pass(uint64_t ms, bool in_use) {
    for (const uint64_t end = g_now + ms * kMs; g_now < end; g_now += 10 * kMs) {
      uses_ += in_use;
      const CounterSampler::Device device{0, &identity_, &rows_, uses_};
      if (sampler_.is_due()) sampler_.Update(nvml_, {&device, 1});
    }
  }

  mig::NvmlApi nvml_;
  mig::SliceIdentity identity_;
  CounterRows rows_;
  uint64_t uses_ = 0;
  CounterSampler sampler_{kPeriodMs, 100, World(), {}};
};

TEST_F(CounterSamplerTest, InUse_IsSampledOnceAPeriod) {
  Pass(500, true);
  EXPECT_EQ(g_openings, 0) << "who lives for less than a period is left alone";
  Pass(10'000, true);
  EXPECT_NEAR(static_cast<double>(sampler_.samples()), 10, 1);
  EXPECT_EQ(g_openings, 1);
  EXPECT_GE(rows_.rows(), 2 * sampler_.samples());
}

TEST_F(CounterSamplerTest, NeverUsed_IsNeverOpened) {
  Pass(60'000, false);
  EXPECT_EQ(g_openings, 0);
}

TEST_F(CounterSamplerTest, Idle_GivesEverythingBack) {
  Pass(5'000, true);
  EXPECT_EQ(g_open, 1);
  Pass(3'500, false);
  EXPECT_EQ(g_open, 0);
  const int reads = g_reads;
  Pass(60'000, false);
  EXPECT_EQ(g_reads, reads) << "and asks nothing";
  Pass(5'000, true);
  EXPECT_EQ(g_open, 1) << "until it is used again";
}

TEST_F(CounterSamplerTest, SlowOpening_IsNotRepeatedSoon) {
  g_opening_takes = 50 * kMs;
  Pass(3'000, true);
  EXPECT_EQ(g_openings, 1);
  Pass(5'000, false);
  Pass(30'000, true);
  EXPECT_EQ(g_openings, 1);
  Pass(30'000, true);
  EXPECT_EQ(g_openings, 2);
  EXPECT_EQ(sampler_.slow_samples(), 0u);
}

TEST_F(CounterSamplerTest, SlowSamples_ComeMoreRarelyAndThenNoMore) {
  g_takes = 30 * kMs;
  Pass(4'000, true);
  EXPECT_LE(sampler_.samples(), 3u);
  testing::internal::CaptureStderr();
  Pass(600'000, true);
  EXPECT_EQ(sampler_.slow_samples(), 5u);
  EXPECT_TRUE(sampler_.gave_up());
  EXPECT_EQ(g_open, 0);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("no more NVML counters"), std::string::npos);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(CounterSamplerTest, OneVerySlowSample_IsTheLast) {
  g_takes = 600 * kMs;
  Pass(60'000, true);
  EXPECT_EQ(g_reads, 1);
  EXPECT_EQ(g_open, 0);
}

TEST_F(CounterSamplerTest, CostlySamples_StayBelowTheirShareOfACore) {
  g_burns = 5 * kMs;  // five times what is allowed for
  Pass(100'000, true);
  EXPECT_NEAR(static_cast<double>(g_cpu), 0.001 * 100'000 * kMs, 10.0 * kMs);
}

TEST_F(CounterSamplerTest, NothingButErrors_EndsIt) {
  g_result = 4;
  Pass(60'000, true);
  EXPECT_EQ(g_reads, 3);
  EXPECT_EQ(g_open, 0);
  EXPECT_EQ(rows_.rows() > 0, true) << "the trace says why";
}

TEST_F(CounterSamplerTest, LostGpu_EndsItAtOnce) {
  Pass(3'000, true);
  g_result = mig::kNvmlCounterGpuIsLost;
  const int reads = g_reads;
  Pass(60'000, true);
  EXPECT_EQ(g_reads, reads + 1);
  EXPECT_EQ(g_open, 0);
}

TEST_F(CounterSamplerTest, Stop_GivesEverythingBackForGood) {
  Pass(3'000, true);
  EXPECT_EQ(g_open, 1);
  sampler_.Stop();
  EXPECT_EQ(g_open, 0);
  Pass(5'000, true);
  EXPECT_EQ(g_open, 0);
}

TEST_F(CounterSamplerTest, Off_DoesNothing) {
  CounterSampler off(0, 100, World(), {});
  EXPECT_FALSE(off.is_due());
}

TEST(CounterRowsTest, Values_AreIntegersAndWhatIsNoneIsFlagged) {
  const auto row = [](double value, int error = 0, bool stale = false) {
    mig::CounterReading reading;
    reading.counter = mig::Counter::kSmUtilization;
    reading.value = value;
    reading.error = error;
    reading.stale = stale;
    reading.is_over_interval = true;
    return CounterRows::RowOf(reading, 100, 50);
  };
  using Row = CounterRows::Row;
  EXPECT_EQ(row(12.5), (Row{100, 17, 125'000, 0, 50}));
  EXPECT_EQ(row(137.5, 0, true), (Row{100, 17, 1'375'000, format::kCounterStale, 50})) << "never clamped";
  EXPECT_EQ(row(std::nan("")), (Row{100, 17, 0, format::kCounterNotANumber, 50}));
  EXPECT_EQ(row(-1), (Row{100, 17, 0, format::kCounterNotANumber, 50}));
  EXPECT_EQ(row(1e300), (Row{100, 17, 0, format::kCounterNotANumber, 50}));
  EXPECT_EQ(row(0, 15), (Row{100, 17, 15, format::kCounterRefused, 50}));
  mig::CounterReading memory;
  memory.counter = mig::Counter::kMemoryUsed;
  memory.value = 85'899'345'920;
  EXPECT_EQ(CounterRows::RowOf(memory, 100, 50), (Row{100, 1, 85'899'345'920, 0, 0}));
}

// Forks while a call is in progress and while none is; exits with the number of things that were wrong.
[[noreturn]] void ForkAndExit() {
  constexpr uint64_t kWaitMs = 2000;  // far more than a fork takes on a busy machine
  NvmlGate::Install(kWaitMs);
  int wrong = 0;
  const auto fork_ms = [&wrong] {
    const uint64_t start = MonotonicNs();
    const pid_t child = fork();
    if (child == 0) std::exit(0);  // has what its parent holds, and does not wait for it
    const uint64_t forked = MonotonicNs();
    int status = 0;
    wrong += waitpid(child, &status, 0) != child || status != 0 || MonotonicNs() - forked >= kWaitMs * kMs;
    return (forked - start) / kMs;
  };
  {
    const NvmlGate::Entry call;
    wrong += !call.inside();
    wrong += fork_ms() < kWaitMs;  // the call does not end: waited for, but not for ever
  }
  wrong += fork_ms() >= kWaitMs;
  wrong += !NvmlGate::Entry().inside();  // the way is free again
  std::exit(wrong);
}

// In a program of its own, because the handlers cannot be taken back.
TEST(NvmlGateDeathTest, ForkAndExit_WaitForTheCallInProgressButNotForEver) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ForkAndExit(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace migprof::record
