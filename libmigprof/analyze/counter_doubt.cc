// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/counter_doubt.h"

#include <string_view>

#include "absl/strings/str_cat.h"

namespace migprof::analyze {
namespace {

// In percent. A kernel that runs keeps the engine busy, and at least one of less than a thousand SMs.
constexpr double kKernelsRan = 90;
constexpr double kIdleEngine = 5;
constexpr double kIdleSms = 0.1;
// A counter may exceed what was measured by so many points before somebody else must have been at work.
constexpr double kTolerance = 20;
// What happens now and then, at the edge of a span, is no reason to doubt a whole series: one sample in ten is.
constexpr size_t kSeldom = 10;

// nvmlReturn_t.
constexpr uint64_t kNoData = 21;
constexpr uint64_t kNotReady = 27;

std::string ErrorText(uint64_t error) {
  switch (error) {
    case 3:
      return "this GPU does not have it";
    case 4:
      return "no permission";
    case 13:
      return "this driver's NVML does not have it";
    case 15:
      return "the GPU is lost";
    case kNoData:
    case kNotReady:
      return "NVML had no data";
    default:
      return absl::StrCat("NVML error ", error);
  }
}

bool SaysIdle(const CounterSample& sample) {
  if (sample.counter->id == mig::Counter::kGraphicsUtilization) return sample.value < kIdleEngine;
  return sample.counter->id == mig::Counter::kSmUtilization && sample.value < kIdleSms;
}

struct Findings {
  size_t refused = 0;  // but not for want of data
  size_t without_data = 0;
  uint64_t error = 0;  // the last one
  size_t not_a_number = 0;
  size_t above = 0;
  size_t stale = 0;
  size_t says_idle = 0;
  size_t says_busy = 0;
};

Findings Look(std::span<const CheckedSample> samples, double capacity_bytes) {
  Findings found;
  for (const CheckedSample& checked : samples) {
    const CounterSample& sample = checked.sample;
    if (sample.refused) {
      ++(sample.error == kNoData || sample.error == kNotReady ? found.without_data : found.refused);
      found.error = sample.error;
      continue;
    }
    found.stale += sample.stale;
    if (sample.not_a_number) {
      ++found.not_a_number;
      continue;
    }
    if (std::string_view(sample.counter->unit) != "percent") {
      found.above += capacity_bytes > 0 && sample.value > capacity_bytes;
      continue;
    }
    found.above += sample.value > 100;
    found.says_idle += checked.kernel_percent && *checked.kernel_percent >= kKernelsRan && SaysIdle(sample);
    found.says_busy += checked.busy_percent && sample.value > *checked.busy_percent + kTolerance;
  }
  return found;
}

}  // namespace

std::string CounterDoubt(std::span<const CheckedSample> samples, double capacity_bytes) {
  if (samples.empty()) return "";
  const Findings found = Look(samples, capacity_bytes);
  if (found.refused + found.without_data == samples.size()) {
    return absl::StrCat("not available: ", ErrorText(found.error));
  }
  const bool is_percent = std::string_view(samples[0].sample.counter->unit) == "percent";
  std::string doubt;
  const auto add = [&](size_t count, bool even_once, const char* what, const std::string& note = "") {
    if (count == 0 || (!even_once && count * kSeldom < samples.size())) return;
    absl::StrAppend(&doubt, doubt.empty() ? "" : "; ", what);
    absl::StrAppend(&doubt, " in ", count, " of ", samples.size(), " samples", note);
  };
  add(found.above, true, is_percent ? "above 100 %" : "more than there is");
  add(found.not_a_number, true, "not a number");
  add(found.stale, false, "stale");
  add(found.says_idle, false, "disagrees with measured time: says idle while kernels ran");
  add(found.says_busy, false, "disagrees with measured time: says busier than what was recorded",
      " (another process or compute instance?)");
  add(found.refused, false, "refused", absl::StrCat(": ", ErrorText(found.error)));
  return doubt;
}

}  // namespace migprof::analyze
