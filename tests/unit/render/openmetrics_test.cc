// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/openmetrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "libmigprof/render/live_metrics.h"
#include "libmigprof/render/profile_metrics.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/live_samples.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Text(const std::vector<MetricFamily>& families, MetricFormat format = MetricFormat::kPrometheusText) {
  std::ostringstream out;
  WriteMetrics(families, format, out);
  return out.str();
}

MetricFamily Family(const std::vector<MetricFamily>& families, const std::string& name) {
  for (const MetricFamily& family : families) {
    if (family.name == name) return family;
  }
  ADD_FAILURE() << "no family " << name;
  return {};
}

std::string Label(const Metric& metric, const std::string& name) {
  for (const auto& [label, value] : metric.labels) {
    if (label == name) return value;
  }
  return "";
}

// Each family once, and in it no labels twice: else readers refuse the whole text.
void ExpectDistinct(const std::vector<MetricFamily>& families) {
  std::set<std::string> names;
  for (const MetricFamily& family : families) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    std::set<std::map<std::string, std::string>> seen;
    for (const Metric& metric : family.metrics) {
      std::map<std::string, std::string> labels;
      for (const auto& [name, value] : metric.labels) {
        EXPECT_TRUE(labels.emplace(name, value).second) << family.name << ' ' << name;
      }
      EXPECT_TRUE(seen.insert(labels).second) << family.name;
    }
  }
}

TEST(EscapeLabelValue, SpecialCharacters_AreEscaped) {
  EXPECT_EQ(EscapeLabelValue(R"(a\b"c)"), R"(a\\b\"c)");
  EXPECT_THAT(EscapeLabelValue("two\nlines"), Not(HasSubstr("\n")));
  EXPECT_EQ(EscapeLabelValue("\xff"), "\uFFFD");
}

TEST(WriteMetrics, Numbers_ReadBackTheSame) {
  for (const auto& [value, text] :
       std::initializer_list<std::pair<double, const char*>>{{0, "0"},
                                                             {34628173824, "34628173824"},
                                                             {0.1, "0.1"},
                                                             {1.375, "1.375"},
                                                             {1700000100.25, "1700000100.25"},
                                                             {-2.5, "-2.5"},
                                                             {1e300, "1e+300"},
                                                             {std::nan(""), "NaN"},
                                                             {std::numeric_limits<double>::infinity(), "+Inf"},
                                                             {-std::numeric_limits<double>::infinity(), "-Inf"}}) {
    EXPECT_THAT(Text({{"m", MetricType::kGauge, "", "h", {{{}, value}}}}),
                HasSubstr(std::string("\nm ") + text + "\n"));
  }
}

TEST(WriteMetrics, Counter_IsNamedAsEachFormatWants) {
  const std::vector<MetricFamily> families = {
      {"x_seconds_total", MetricType::kCounter, "seconds", "Help.", {{{{"a", "1"}, {"empty", ""}}, 2}}}};
  EXPECT_EQ(Text(families),
            "# HELP x_seconds_total Help.\n# TYPE x_seconds_total counter\nx_seconds_total{a=\"1\"} 2\n");
  EXPECT_EQ(Text(families, MetricFormat::kOpenMetrics),
            "# HELP x_seconds Help.\n# TYPE x_seconds counter\n# UNIT x_seconds seconds\nx_seconds_total{a=\"1\"} 2\n# "
            "EOF\n");
}

TEST(WriteMetrics, FamilyWithoutMetrics_IsLeftOut) {
  EXPECT_EQ(Text({{"m", MetricType::kGauge, "", "h", {}}}), "");
  EXPECT_EQ(Text({}, MetricFormat::kOpenMetrics), "# EOF\n");
}

TEST(FormatFor, OpenMetrics_OnlyWhenAskedFor) {
  EXPECT_EQ(FormatFor(""), MetricFormat::kPrometheusText);
  EXPECT_EQ(FormatFor("*/*"), MetricFormat::kPrometheusText);
  EXPECT_EQ(FormatFor("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), MetricFormat::kPrometheusText);
  EXPECT_EQ(FormatFor("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"),
            MetricFormat::kOpenMetrics);
  EXPECT_EQ(FormatFor("text/plain;q=0.5, application/openmetrics-text"), MetricFormat::kOpenMetrics);
  EXPECT_EQ(FormatFor("application/openmetrics-text; version=2.0.0"), MetricFormat::kPrometheusText);
  EXPECT_EQ(FormatFor("application/openmetrics-text;q=0,text/plain"), MetricFormat::kPrometheusText);
}

TEST(LiveMetrics, SampleOfEverything_IsAsItEverWas) {
  const mig::LiveSample sample = SampleLive();
  const std::vector<MetricFamily> families = LiveMetrics(sample, sample.time_ns);
  ExpectDistinct(families);
  ExpectGolden("live.prom", Text(families));
  ExpectGolden("live.openmetrics.txt", Text(families, MetricFormat::kOpenMetrics));
}

TEST(LiveMetrics, ValuesAbove100Percent_AreFlaggedAndNotClamped) {
  const mig::LiveSample sample = SampleLive();
  const std::vector<MetricFamily> families = LiveMetrics(sample, sample.time_ns);
  EXPECT_EQ(Family(families, "migprof_slice_sm_utilization_ratio").metrics[1].value, 1.375);
  const MetricFamily suspect = Family(families, "migprof_slice_reading_suspect");
  EXPECT_EQ(Label(suspect.metrics[0], "reason"), "out_of_range");
  EXPECT_EQ(Label(suspect.metrics[0], "GPU_I_ID"), "10");
  EXPECT_EQ(Label(suspect.metrics.back(), "reason"), "stale");
  EXPECT_EQ(Label(suspect.metrics.back(), "GPU_I_ID"), "11");
}

TEST(LiveMetrics, MemoryOfASharedGpuInstance_IsToldOnce) {
  const mig::LiveSample sample = SampleLive();
  const std::vector<MetricFamily> families = LiveMetrics(sample, sample.time_ns);
  EXPECT_EQ(Family(families, "migprof_slice_memory_used_bytes").metrics.size(), 5u);
  const Metric shared = Family(families, "migprof_slice_memory_used_bytes").metrics[3];
  EXPECT_EQ(Label(shared, "GPU_I_ID"), "1");
  EXPECT_EQ(Label(shared, "mig_uuid"), "") << "it is of no one compute instance";
  EXPECT_EQ(Family(families, "migprof_slice_info").metrics.size(), 6u);
  EXPECT_EQ(Family(families, "migprof_slice_processes").metrics.size(), 5u) << "one is refused";
}

TEST(LiveMetrics, Pod_IsToldWhereThereIsOneAlone) {
  const mig::LiveSample sample = SampleLive();
  const MetricFamily processes = Family(LiveMetrics(sample, sample.time_ns), "migprof_slice_processes");
  EXPECT_EQ(Label(processes.metrics[0], "pod"), "train-0");
  EXPECT_EQ(Label(processes.metrics[0], "namespace"), "research");
  EXPECT_EQ(Label(processes.metrics[0], "container"), "main");
  EXPECT_EQ(Label(processes.metrics[1], "pod"), "") << "one of its two processes is in none";
}

TEST(LiveMetrics, SampleThatIsTooOld_TellsOnlyItsAge) {
  const mig::LiveSample sample = SampleLive();
  const std::string text = Text(LiveMetrics(sample, sample.time_ns + 31'000'000'000));
  EXPECT_THAT(text, HasSubstr("migprof_sample_timestamp_seconds"));
  EXPECT_THAT(text, Not(HasSubstr("migprof_slice_")));
}

TEST(LiveMetrics, SimulatedGpu_IsOnEverySeries) {
  mig::LiveSample sample = SampleLive();
  sample.simulated = true;
  for (const MetricFamily& family : LiveMetrics(sample, sample.time_ns)) {
    for (const Metric& metric : family.metrics) EXPECT_EQ(Label(metric, "simulated"), "true") << family.name;
  }
}

TEST(LiveMetrics, NoDriver_IsSaid) {
  mig::LiveSample sample;
  sample.problem = "none";
  sample.problem_code = 9;
  const std::vector<MetricFamily> families = LiveMetrics(sample, 0);
  EXPECT_EQ(Family(families, "migprof_driver_problem").metrics[0].value, 1);
  EXPECT_EQ(Label(Family(families, "migprof_driver_problem").metrics[0], "code"), "9");
}

TEST(ProfileMetrics, SampleProfile_IsAsItEverWas) {
  const std::vector<MetricFamily> families = ProfileMetrics(SampleProfile());
  ExpectDistinct(families);
  ExpectGolden("sample.prom", Text(families));
  ExpectGolden("sample.openmetrics.txt", Text(families, MetricFormat::kOpenMetrics));
}

TEST(ProfileMetrics, IdleTime_AddsUpToWindowWithoutBusyTime) {
  analyze::Profile profile = SampleProfile();
  const analyze::SliceProfile& slice = profile.slices[0];
  double idle = 0;
  const MetricFamily family = Family(ProfileMetrics(profile), "migprof_slice_idle_seconds_total");
  for (const Metric& metric : family.metrics) {
    if (Label(metric, "mig_uuid") == slice.identity.mig_uuid && Label(metric, "UUID") == slice.identity.gpu_uuid) {
      idle += metric.value;
    }
  }
  EXPECT_NEAR(idle, static_cast<double>(slice.window_ns - slice.busy_ns) / 1e9, 1e-9);
}

TEST(ProfileMetrics, SameSliceOfTwoBoots_IsToldApart) {
  analyze::Profile profile = SampleProfile();
  profile.slices.push_back(profile.slices[0]);
  profile.slices.push_back(profile.slices[0]);
  profile.slices.back().boot_id = "another";
  ExpectDistinct(ProfileMetrics(profile));
}

TEST(ProfileMetrics, HostileNames_LeaveEachMetricOnItsLine) {
  std::istringstream lines(Text(ProfileMetrics(HostileProfile())));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("# ") || line.starts_with("migprof_")) << line;
  }
}

}  // namespace
}  // namespace migprof::render
