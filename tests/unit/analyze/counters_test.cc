// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/busy_at_edges.h"
#include "libmigprof/analyze/counter_doubt.h"
#include "libmigprof/analyze/counter_series.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using mig::Counter;
using testing::HasSubstr;
using testing_support::TraceBuilder;

constexpr uint64_t kMs = 1'000'000;

TEST(BusyAtEdges, SpansGetTheirPartOfTheIntervals) {
  BusyAtEdges busy({30, 10, 20, 100, 10, 55, 45});
  busy.Add(5, 15);
  busy.Add(18, 19);
  busy.Add(40, 60);
  EXPECT_EQ(busy.Between(10, 20), 6u);
  EXPECT_EQ(busy.Between(20, 30), 0u);
  EXPECT_EQ(busy.Between(30, 45), 5u);
  EXPECT_EQ(busy.Between(45, 55), 10u);
  EXPECT_EQ(busy.Between(10, 100), 5u + 1 + 20);
  EXPECT_EQ(BusyAtEdges({1, 2}).Between(1, 2), 0u);
}

// Ten samples of `counter`, of which the first `odd` are changed.
class CounterDoubtTest : public testing::Test {
 protected:
  std::string Doubt(Counter counter, size_t odd, const std::function<void(CheckedSample*)>& change,
                    double capacity = 0) {
    std::vector<CheckedSample> samples(10);
    for (size_t i = 0; i < samples.size(); ++i) {
      samples[i].sample.counter = mig::FindCounter(static_cast<uint64_t>(counter));
      samples[i].sample.value = 50;
      samples[i].busy_percent = 60;
      samples[i].kernel_percent = 55;
      if (i < odd) change(&samples[i]);
    }
    return CounterDoubt(samples, capacity);
  }
  static std::function<void(CheckedSample*)> Value(double value, double kernels, double busy) {
    return [=](CheckedSample* checked) {
      checked->sample.value = value;
      checked->kernel_percent = kernels;
      checked->busy_percent = busy;
    };
  }
  static std::function<void(CheckedSample*)> Refused(uint64_t error) {
    return [=](CheckedSample* checked) {
      checked->sample.refused = true;
      checked->sample.error = error;
    };
  }
};

TEST_F(CounterDoubtTest, NothingWrong_SaysNothing) {
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 0, {}), "");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Value(100, 100, 100)), "");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Value(0, 0, 0)), "");
  EXPECT_EQ(CounterDoubt({}, 0), "");
}

TEST_F(CounterDoubtTest, AboveHundredPercent_IsSaidEvenOnce) {
  EXPECT_THAT(Doubt(Counter::kSmUtilization, 1, Value(100.5, 100, 100)), HasSubstr("above 100 % in 1 of 10 samples"));
}

TEST_F(CounterDoubtTest, NotANumber_IsSaidEvenOnce) {
  const auto change = [](CheckedSample* checked) { checked->sample.not_a_number = true; };
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 1, change), "not a number in 1 of 10 samples");
}

TEST_F(CounterDoubtTest, Stale_IsSaid) {
  const auto change = [](CheckedSample* checked) { checked->sample.stale = true; };
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 3, change), "stale in 3 of 10 samples");
}

TEST_F(CounterDoubtTest, IdleWhileKernelsRan_Disagrees) {
  EXPECT_THAT(Doubt(Counter::kGraphicsUtilization, 2, Value(4.9, 90, 90)), HasSubstr("says idle while kernels ran"));
  EXPECT_EQ(Doubt(Counter::kGraphicsUtilization, 2, Value(5, 90, 90)), "");
  EXPECT_EQ(Doubt(Counter::kGraphicsUtilization, 2, Value(4.9, 89, 100)), "") << "copies are no kernels";
  // One block on one of 132 SMs is no contradiction.
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 2, Value(0.7, 100, 100)), "");
  EXPECT_THAT(Doubt(Counter::kSmUtilization, 2, Value(0.05, 100, 100)), HasSubstr("says idle"));
  EXPECT_EQ(Doubt(Counter::kTensorUtilization, 10, Value(0, 100, 100)), "") << "not every kernel uses Tensor Cores";
}

TEST_F(CounterDoubtTest, BusyWhileNothingRan_Disagrees) {
  EXPECT_THAT(Doubt(Counter::kSmUtilization, 2, Value(20.5, 0, 0)), HasSubstr("another process"));
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 2, Value(19.5, 0, 0)), "");
  EXPECT_EQ(Doubt(Counter::kDramBandwidthUtilization, 2, Value(60, 0, 70)), "") << "copies use the memory";
  const auto unmeasured = [](CheckedSample* checked) { *checked = {checked->sample, {}, {}}; };
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, unmeasured), "");
}

TEST_F(CounterDoubtTest, MoreMemoryThanThereIs_IsSaid) {
  EXPECT_EQ(Doubt(Counter::kMemoryUsed, 0, {}, 50), "");
  EXPECT_EQ(Doubt(Counter::kMemoryUsed, 1, Value(51, 0, 0), 50), "more than there is in 1 of 10 samples");
}

TEST_F(CounterDoubtTest, Refusals_AreNamed) {
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Refused(4)), "not available: no permission");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Refused(13)), "not available: this driver's NVML does not have it");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Refused(3)), "not available: this GPU does not have it");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 10, Refused(21)), "not available: NVML had no data");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 2, Refused(15)), "refused in 2 of 10 samples: the GPU is lost");
  EXPECT_EQ(Doubt(Counter::kSmUtilization, 2, Refused(21)), "") << "a clock that has not moved";
}

class CountersTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("counters_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A process whose kernels run for `share` of each of ten periods of 1 ms, sampled after each. The samples say `says`
  // percent of graphics.
  void Write(const std::string& pid, uint64_t share, uint64_t says) {
    TraceBuilder trace((folder_ / (pid + ".migtrace")).string());
    trace.Process({{"pid", pid}});
    trace.Slice();
    const uint64_t shape = trace.Shape("k");
    for (uint64_t i = 0; i < 10; ++i) {
      const uint64_t start = (10 + i) * kMs;
      trace.Call({.correlation = i + 1, .time_ns = start, .api = trace.String("cuLaunchKernel")});
      trace.Kernel({.correlation = i + 1, .start_ns = start, .duration_ns = kMs * share / 100, .shape = shape});
      trace.Counter({.time_ns = start + kMs, .counter = 1, .value = 1'000'000 * (i + 1)});
      trace.Counter({.time_ns = start + kMs, .counter = 16, .value = says * 10'000, .span_ns = kMs});
      trace.Counter({.time_ns = start + kMs, .counter = 99, .value = 1});
    }
    trace.Close();
  }
  SliceProfile Analyze() {
    Analysis analysis = AnalyzeTraces({folder_.string()}, {});
    EXPECT_EQ(analysis.profile.slices.size(), 1u);
    return std::move(analysis.profile.slices.at(0));
  }

  fs::path folder_;
};

TEST_F(CountersTest, Series_HoldWhatWasSampled) {
  Write("1", 95, 90);
  const SliceProfile slice = Analyze();
  ASSERT_EQ(slice.metrics.counters.size(), 2u) << "unknown counters are skipped";
  const CounterSeries& memory = slice.metrics.counters[0];
  EXPECT_EQ(memory.name, "memory_used");
  EXPECT_EQ(memory.samples, 10u);
  EXPECT_EQ(memory.smallest, 1e6);
  EXPECT_EQ(memory.largest, 1e7);
  EXPECT_EQ(memory.mean, 5.5e6);
  const CounterSeries& graphics = slice.metrics.counters[1];
  EXPECT_EQ(graphics.name, "graphics_utilization");
  EXPECT_EQ(graphics.mean, 90);
  EXPECT_EQ(graphics.doubt, "");
  EXPECT_EQ(slice.window_ns, 9 * kMs + kMs * 95 / 100) << "samples do not make the window longer";
}

TEST_F(CountersTest, MeasuredTime_IsThatOfTheSpan) {
  Write("1", 95, 2);
  EXPECT_THAT(Analyze().metrics.counters[1].doubt, HasSubstr("says idle while kernels ran in 10 of 10"));
  Write("1", 10, 70);
  EXPECT_THAT(Analyze().metrics.counters[1].doubt, HasSubstr("busier than what was recorded in 10 of 10"));
}

TEST_F(CountersTest, SamplesOfAllProcesses_Count) {
  Write("1", 10, 70);
  Write("2", 95, 90);  // its kernels explain what the samples of both say
  const SliceProfile slice = Analyze();
  EXPECT_EQ(slice.metrics.counters[1].samples, 20u);
  EXPECT_EQ(slice.metrics.counters[1].mean, 80);
  EXPECT_EQ(slice.metrics.counters[1].doubt, "");
}

TEST(CounterMerge, Bins_AreMeansOfTheSamplesThatAreAboutThem) {
  std::vector<CounterSample> samples(2);
  for (CounterSample& sample : samples) sample.counter = mig::FindCounter(17);
  samples[0] = {.counter = mig::FindCounter(17), .time_ns = 120, .span_ns = 20, .value = 10};
  samples[1] = {.counter = mig::FindCounter(17), .time_ns = 125, .span_ns = 5, .value = 30};
  Timeline timeline;
  timeline.bin_ns = 10;
  timeline.bins.resize(4);
  const std::vector<CounterSeries> series = CounterMerge(samples).Finish(true, 100, timeline);
  ASSERT_EQ(series.size(), 1u);
  const std::vector<std::optional<double>> expected = {10, 10, 20, std::nullopt};
  EXPECT_EQ(series[0].bins, expected);
}

}  // namespace
}  // namespace migprof::analyze
