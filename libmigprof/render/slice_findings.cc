// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/slice_findings.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/copy_advice.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/idle_culprit.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

constexpr double kLeastIdle = 0.05;         // of the window, to be worth a sentence
constexpr double kLeastFill = 0.50;         // of the SMs
constexpr double kMuchCopying = 0.10;       // of the window
constexpr uint64_t kShortKernelNs = 5'000;  // about what launching takes
constexpr double kMemoryNearlyFull = 0.90;
constexpr double kMuchOfIdle = 0.20;  // for the second cause to be worth an advice of its own
constexpr double kMuchLost = 0.01;    // of the launches

constexpr char kAgainstTail[] = "End the process, or let another one use the slice, when its GPU work is done.";

Words Plain(std::string text) { return {std::move(text)}; }
Words Strong(std::string text) { return {std::move(text), Words::Style::kStrong}; }
Words Code(std::string text) { return {std::move(text), Words::Style::kCode}; }

// "Against copies: …"
std::string Against(analyze::IdleCause cause, const std::string& advice) {
  return advice.empty() ? "" : std::string("Against ") + CauseLabel(cause) + ": " + advice;
}

// Larger slices waste more.
uint64_t Lost(double ns, const SliceProfile& slice) {
  return static_cast<uint64_t>(ns * std::max<uint32_t>(1, slice.identity.sm_count));
}

void FindIdle(const analyze::Profile& profile, size_t index, const std::string& name, std::vector<Finding>* found) {
  const SliceProfile& slice = profile.slices[index];
  const uint64_t idle = IdleTime(slice);
  if (static_cast<double>(idle) < kLeastIdle * static_cast<double>(slice.recorded_ns())) return;
  Finding finding;
  finding.topic = "idle";
  finding.slice = index;
  if (!IsIdleKnown(slice)) {
    finding.sentence = {Strong(name), Plain(" was busy for at least "),
                        Strong(Percent(slice.recorded_ns() - idle, slice.recorded_ns())),
                        Plain(" of the time. So much was lost that nobody knows how much longer.")};
    found->push_back(std::move(finding));
    return;
  }
  finding.weight = Lost(static_cast<double>(idle), slice);
  finding.severity = BusyShare(slice) < kUnderused ? Severity::kWaste : Severity::kNote;
  finding.sentence = {Strong(name), Plain(" was idle "), Strong(Percent(idle, slice.recorded_ns())),
                      Plain(" of the time")};
  const Sentence why = WhyIdle(slice, profile.frames);
  finding.sentence.insert(finding.sentence.end(), why.begin(), why.end());
  finding.sentence.push_back(Plain("."));
  finding.evidence = {{"idle", HumanTime(idle)}, {"window", HumanTime(slice.recorded_ns())}};
  const auto tail = FindIdleTail(slice.idle, profile.frames);
  if (tail && static_cast<double>(tail->idle_ns) > kMuchOfIdle * static_cast<double>(idle)) {
    finding.evidence.push_back(
        {"after the last GPU work", HumanTime(tail->idle_ns) + " (" + Percent(tail->idle_ns, idle) + ")"});
  }
  if (tail && tail->idle_ns > idle / 2) {
    if (finding.severity == Severity::kWaste) finding.advice = kAgainstTail;
  } else if (const auto cause = MainCause(slice.metrics)) {
    const uint64_t cause_ns = slice.metrics.idle_ns[static_cast<size_t>(*cause)];
    finding.evidence.push_back({CauseLabel(*cause), HumanTime(cause_ns) + " (" + Percent(cause_ns, idle) + ")"});
    if (finding.severity == Severity::kWaste) finding.advice = AdviceFor(slice, *cause);
    const auto second = SecondCause(slice.metrics, *cause);
    const uint64_t second_ns = second ? slice.metrics.idle_ns[static_cast<size_t>(*second)] : 0;
    if (static_cast<double>(second_ns) > kMuchOfIdle * static_cast<double>(idle)) {
      finding.evidence.push_back({CauseLabel(*second), HumanTime(second_ns) + " (" + Percent(second_ns, idle) + ")"});
      if (finding.severity == Severity::kWaste) {
        finding.second_advice = Against(*second, AdviceFor(slice, *second));
        if (!finding.second_advice.empty()) finding.advice = Against(*cause, finding.advice);
      }
    }
  } else {
    finding.evidence.push_back({"why", "not recorded"});
  }
  found->push_back(std::move(finding));
}

void FindSmallKernels(const SliceProfile& slice, size_t index, const std::string& name, std::vector<Finding>* found) {
  const auto fill = SmFill(slice);
  const uint64_t kernel_ns = slice.metrics.kernel_busy_ns;
  if (!fill || *fill >= kLeastFill || kernel_ns < slice.recorded_ns() / 10) return;
  const uint64_t percent = static_cast<uint64_t>(std::lround(*fill * 1000));
  found->push_back({.topic = "small kernels",
                    .severity = Severity::kWarning,
                    .slice = index,
                    .sentence = {Strong(name), Plain(" runs kernels that keep only "), Strong(Percent(percent, 1000)),
                                 Plain(" of its SMs busy.")},
                    .advice = "Larger batches or grids would fill it; or a smaller slice would do the same work.",
                    .evidence = {{"kernels ran", HumanTime(kernel_ns)},
                                 {"on all SMs that is", HumanTime(slice.metrics.sm_weighted_ns)}},
                    .weight = Lost((1 - *fill) * static_cast<double>(kernel_ns), slice)});
}

// Time in which the slice was busy, but with copies and memsets alone.
void FindCopies(const SliceProfile& slice, size_t index, const std::string& name, std::vector<Finding>* found) {
  if (slice.metrics.kernel_busy_ns == 0 || slice.busy_ns <= slice.metrics.kernel_busy_ns) return;
  const uint64_t alone = slice.busy_ns - slice.metrics.kernel_busy_ns;
  if (static_cast<double>(alone) < kMuchCopying * static_cast<double>(slice.recorded_ns())) return;
  found->push_back({.topic = "copies",
                    .severity = Severity::kWarning,
                    .slice = index,
                    .sentence = {Strong(name), Plain(" only copied for "), Strong(Percent(alone, slice.recorded_ns())),
                                 Plain(" of the time, with no kernel beside it.")},
                    .advice = CopyAdvice(slice),
                    .evidence = {{"copies alone", HumanTime(alone)}, {"copied", HumanBytes(slice.memcpys.bytes)}},
                    .weight = Lost(static_cast<double>(alone), slice)});
}

void FindShortKernels(const SliceProfile& slice, size_t index, const std::string& name, std::vector<Finding>* found) {
  const analyze::QuantileSketch& durations = slice.metrics.kernel_duration;
  if (durations.count() < 10'000) return;
  const uint64_t median = durations.Quantile(0.5);
  if (median >= kShortKernelNs) return;
  found->push_back(
      {.topic = "short kernels",
       .severity = Severity::kNote,
       .slice = index,
       .sentence = {Plain("Half of the "), Strong(HumanCount(durations.count())), Plain(" kernels on "), Strong(name),
                    Plain(" took less than "), Strong(HumanTime(median)), Plain(", about as long as launching one.")},
       .advice = "CUDA graphs, or fewer and larger kernels.",
       .evidence = {{"median", HumanTime(median)}, {"longest 1 %", "over " + HumanTime(durations.Quantile(0.99))}},
       .weight = Lost(static_cast<double>(median), slice)});
}

void FindMemory(const SliceProfile& slice, size_t index, const std::string& name, std::vector<Finding>* found) {
  const analyze::MemoryUse& memory = slice.metrics.memory;
  const uint64_t size = slice.identity.memory_bytes;
  if (memory.peak_bytes == 0 || size == 0) return;
  const double share = static_cast<double>(memory.peak_bytes) / static_cast<double>(size);
  if (share < kMemoryNearlyFull) return;
  found->push_back({.topic = "memory",
                    .severity = Severity::kWarning,
                    .slice = index,
                    .sentence = {Strong(name), Plain(" came close to the end of its memory: "),
                                 Strong(Percent(memory.peak_bytes, size)), Plain(" was allocated.")},
                    .advice = {},
                    .evidence = {{"peak", HumanBytes(memory.peak_bytes)}, {"of", HumanBytes(size)}},
                    .weight = memory.peak_bytes});
}

void FindLosses(const SliceProfile& slice, size_t index, const std::string& name, std::vector<Finding>* found) {
  const size_t killed = KilledProcesses(slice);
  if (!analyze::HasLoss(slice.health) && killed == 0) return;
  found->push_back({.topic = "losses",
                    .severity = Severity::kWarning,
                    .slice = index,
                    .sentence = {Plain("The picture of "), Strong(name),
                                 Plain(" is not whole: " + DescribeHealth(slice.health, killed) + ".")},
                    .advice = {},
                    .evidence = {},
                    .weight = ~uint64_t{0}});
}

}  // namespace

bool IsIdleKnown(const SliceProfile& slice) {
  const analyze::Health& health = slice.health;
  if (health.damaged_bytes + health.missing_chunks != 0 || health.stopped) return false;
  const uint64_t without_time = health.untimed + health.dropped + health.unplaced + health.unmatched;
  return static_cast<double>(without_time) <= kMuchLost * static_cast<double>(health.launches + health.dropped);
}

std::optional<double> SmFill(const SliceProfile& slice) {
  const analyze::SliceMetrics& metrics = slice.metrics;
  const uint64_t kernel_ns = slice.kernels.total_ns + slice.graph_runs.total_ns;
  if (metrics.sm_weighted_ns == 0 || kernel_ns <= metrics.sm_unknown_ns || metrics.sm_unknown_ns > kernel_ns / 2) {
    return std::nullopt;
  }
  return std::min(1.0,
                  static_cast<double>(metrics.sm_weighted_ns) / static_cast<double>(kernel_ns - metrics.sm_unknown_ns));
}

Sentence WhyIdle(const SliceProfile& slice, const analyze::FrameTable& frames) {
  const uint64_t idle = IdleTime(slice);
  const auto cause = MainCause(slice.metrics);
  const uint64_t cause_ns = cause ? slice.metrics.idle_ns[static_cast<size_t>(*cause)] : 0;
  // No code of the program is to blame where it had not begun or had ended.
  if (cause == analyze::IdleCause::kNothingRunning && cause_ns > idle / 2) {
    return {Plain("; "), Strong(Percent(cause_ns, idle)), Plain(std::string(" of that ") + CauseClause(*cause))};
  }
  if (const auto tail = FindIdleTail(slice.idle, frames); tail && tail->idle_ns > idle / 2) {
    return {Plain("; "), Strong(Percent(tail->idle_ns, idle)), Plain(" of that after the last GPU work of "),
            Code(tail->process)};
  }
  if (const auto culprit = FindIdleCulprit(slice.idle, frames)) {
    return {Plain("; "), Strong(Percent(culprit->idle_ns, culprit->all_idle_ns)), Plain(" of that until "),
            Code(culprit->name), Plain(" gave it work")};
  }
  if (!cause) return {};
  return {Plain("; "), Strong(Percent(cause_ns, idle)), Plain(std::string(" of that ") + CauseClause(*cause))};
}

std::vector<Finding> FindInSlice(const analyze::Profile& profile, size_t index, const std::string& name) {
  const SliceProfile& slice = profile.slices[index];
  std::vector<Finding> found;
  FindIdle(profile, index, name, &found);
  FindSmallKernels(slice, index, name, &found);
  FindCopies(slice, index, name, &found);
  FindShortKernels(slice, index, name, &found);
  FindMemory(slice, index, name, &found);
  FindLosses(slice, index, name, &found);
  return found;
}

}  // namespace migprof::render
