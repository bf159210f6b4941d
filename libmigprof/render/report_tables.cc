// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/headline.h"
#include "libmigprof/render/html_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/report_map.h"
#include "libmigprof/render/report_time.h"
#include "libmigprof/render/slice_findings.h"

namespace migprof::render {
namespace {

using analyze::KernelUse;
using analyze::SliceProfile;

constexpr size_t kKernelRows = 12;
constexpr size_t kProcessRows = 30;
constexpr size_t kCommandCells = 200;
constexpr const char* kUnknown = "–";

std::string Head(const std::vector<const char*>& columns) {
  std::string html = "<div class=\"r-scroll\" tabindex=\"0\"><table><thead><tr>";
  for (const char* column : columns) html += std::string("<th scope=\"col\">") + column + "</th>";
  return html + "</tr></thead><tbody>\n";
}

constexpr const char* kEnd = "</tbody></table></div>\n";

// Kernels by name from the leaves of the stacks: no quantiles and shapes, but counts and times.
std::vector<KernelUse> KernelsOfStacks(const analyze::Profile& profile, const SliceProfile& slice) {
  std::map<std::string, KernelUse> by_name;
  for (const analyze::TreeNode& node : slice.stacks.nodes()) {
    if (node.self_count == 0) continue;
    const analyze::Frame& frame = profile.frames[node.frame];
    if (frame.kind != analyze::FrameKind::kKernel) continue;
    KernelUse& kernel = by_name[frame.full_name];
    kernel.name = frame.name;
    kernel.full_name = frame.full_name;
    kernel.count += node.self_count;
    kernel.total_ns += node.self_ns;
  }
  std::vector<KernelUse> kernels;
  for (auto& [name, kernel] : by_name) kernels.push_back(std::move(kernel));
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const auto& a, const auto& b) { return a.total_ns > b.total_ns; });
  return kernels;
}

std::string Fixed(double value) {
  char text[64];
  const auto end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::fixed, 1);
  return std::string(text, end.ptr);
}

std::string CounterValue(double value, const std::string& unit) {
  if (unit == "bytes") return HumanBytes(static_cast<uint64_t>(std::max(0.0, value)));
  return Fixed(value) + (unit == "percent" ? "%" : " " + unit);
}

std::string CounterRow(const analyze::CounterSeries& counter) {
  std::vector<double> values;
  for (const auto& bin : counter.bins) values.push_back(bin.value_or(-1));
  const std::string name = HtmlElement("code", "", counter.name) + ' ' + HtmlElement("span", "r-soft", counter.source) +
                           (counter.doubt.empty() ? "" : ' ' + HtmlElement("span", "r-doubt", "⚠ " + counter.doubt));
  const double top = counter.unit == "percent" ? 100 : counter.largest;
  return HtmlRow(
      name, {HtmlText(CounterValue(counter.mean, counter.unit)), HtmlText(CounterValue(counter.largest, counter.unit)),
             ReportSparkline(values, top, counter.name + " over time")});
}

}  // namespace

std::string ReportSlices(const analyze::Profile& profile, const std::vector<std::string>& names,
                         const std::vector<bool>& has_details) {
  std::string html = Head({"Slice", "SMs", "Busy", "SMs busy ≈", "Idle", "Mostly for", "Kernels", "Memory", "Health"});
  bool side_by_side = false;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    const SliceProfile& slice = profile.slices[i];
    const auto cause = MainCause(slice.metrics);
    std::string name = HtmlText(names[i]);
    if (has_details[i]) name = "<a href=\"#slice-" + std::to_string(i + 1) + "\">" + name + "</a>";
    const bool loss = analyze::HasLoss(slice.health) || KilledProcesses(slice) != 0;
    const uint64_t peak = slice.metrics.memory.peak_bytes;
    html +=
        HtmlRow(name, {slice.identity.sm_count != 0 ? HumanCount(slice.identity.sm_count) : kUnknown,
                       "<span class=\"r-chip " + (slice.recorded_ns() != 0 ? UseClass(BusyShare(slice)) : "") + "\">" +
                           HtmlText(Percent(slice.recorded_ns() - IdleTime(slice), slice.recorded_ns())) + "</span>",
                       SmFill(slice) ? HtmlText(Percent(slice.metrics.sm_weighted_ns, slice.recorded_ns())) : kUnknown,
                       HtmlText(HumanTime(IdleTime(slice))), cause ? CauseLabel(*cause) : kUnknown,
                       HtmlText(ShortCount(slice.kernels.count)), peak != 0 ? HtmlText(HumanBytes(peak)) : kUnknown,
                       loss ? "<span class=\"r-bad\">⚠ incomplete</span>" : "ok"});
    side_by_side |= KernelsRanSideBySide(slice);
  }
  html += kEnd;
  if (side_by_side) html += HtmlElement("p", "r-none", kSideBySide);
  return html;
}

std::string ReportKernels(const analyze::Profile& profile, const SliceProfile& slice) {
  const bool analysed = !slice.metrics.kernels.empty();
  const std::vector<KernelUse> kernels = analysed ? slice.metrics.kernels : KernelsOfStacks(profile, slice);
  if (kernels.empty()) return HtmlElement("p", "r-none", "No kernel was recorded.");
  uint64_t all_ns = 0;
  for (const KernelUse& kernel : kernels) all_ns += kernel.total_ns;
  std::string html = analysed ? Head({"Kernel", "Time", "Share", "Count", "Median", "99 %", "SMs busy ≈", "Registers"})
                              : Head({"Kernel", "Time", "Share", "Count", "Mean"});
  for (size_t i = 0; i < kernels.size() && i < kKernelRows; ++i) {
    const KernelUse& kernel = kernels[i];
    const std::string name =
        "<code title=\"" + HtmlText(kernel.full_name.substr(0, 1000)) + "\">" + HtmlText(kernel.name) + "</code>" +
        (kernel.uses_tensor_cores ? " <span class=\"r-tag\" title=\"by its name\">Tensor Cores</span>" : "");
    std::vector<std::string> cells = {HtmlText(HumanTime(kernel.total_ns)), HtmlText(Percent(kernel.total_ns, all_ns)),
                                      HtmlText(ShortCount(kernel.count))};
    if (analysed) {
      const bool timed = kernel.duration.count() != 0;
      cells.push_back(timed ? HtmlText(HumanTime(kernel.duration.Quantile(0.5))) : kUnknown);
      cells.push_back(timed ? HtmlText(HumanTime(kernel.duration.Quantile(0.99))) : kUnknown);
      cells.push_back(kernel.sm_weighted_ns != 0 ? HtmlText(Percent(kernel.sm_weighted_ns, kernel.total_ns))
                                                 : kUnknown);
      cells.push_back(kernel.registers_per_thread != 0 ? HumanCount(kernel.registers_per_thread) : kUnknown);
    } else {
      cells.push_back(kernel.count != 0 ? HtmlText(HumanTime(kernel.total_ns / kernel.count)) : kUnknown);
    }
    html += HtmlRow(name, cells);
  }
  html += kEnd;
  if (kernels.size() > kKernelRows) {
    uint64_t rest_ns = 0;
    for (size_t i = kKernelRows; i < kernels.size(); ++i) rest_ns += kernels[i].total_ns;
    html += HtmlElement("p", "r-none",
                        CountOf(kernels.size() - kKernelRows, "more kernel", "more kernels") + " with " +
                            Percent(rest_ns, all_ns) + " of the kernel time.");
  }
  return html;
}

std::string ReportProcesses(const SliceProfile& slice) {
  if (slice.processes.empty()) return "";
  std::string html = Head({"Process", "PID", "GPU time", "Window", "Recording", "Health"});
  for (size_t i = 0; i < slice.processes.size() && i < kProcessRows; ++i) {
    const analyze::ProcessInfo& process = slice.processes[i];
    const bool loss = analyze::HasLoss(process.health);
    html += HtmlRow(
        HtmlElement("code", "", process.name.empty() ? "unknown" : process.name) +
            (process.command_line.empty()
                 ? ""
                 : "<br>" + HtmlElement("span", "r-soft", CutToCells(CleanText(process.command_line), kCommandCells))),
        {std::to_string(process.pid), HtmlText(HumanTime(process.gpu_ns)), HtmlText(HumanTime(process.window_ns)),
         process.recorder.own_ns != 0 ? HtmlText(HumanTime(process.recorder.own_ns)) : kUnknown,
         process.health.killed ? "<span class=\"r-bad\">killed</span>"
         : loss                ? "<span class=\"r-bad\">⚠ incomplete</span>"
                               : "ok"});
  }
  html += kEnd;
  if (slice.processes.size() > kProcessRows) {
    html +=
        HtmlElement("p", "r-none",
                    "… and " + CountOf(slice.processes.size() - kProcessRows, "more process", "more processes") + ".");
  }
  return html;
}

std::string ReportCounters(const SliceProfile& slice) {
  const analyze::MemoryUse& memory = slice.metrics.memory;
  if (memory.allocations == 0 && slice.metrics.counters.empty()) return "";
  std::string html = Head({"Quantity", "Mean", "Peak", "Over time"});
  if (memory.allocations != 0) {
    const double size =
        static_cast<double>(slice.identity.memory_bytes != 0 ? slice.identity.memory_bytes : memory.peak_bytes);
    html += HtmlRow(std::string("allocated memory") +
                        (memory.unknown_releases != 0
                             ? " <span class=\"r-doubt\">⚠ at least: " + HtmlText(HumanCount(memory.unknown_releases)) +
                                   " releases of unknown allocations</span>"
                             : ""),
                    {kUnknown, HtmlText(HumanBytes(memory.peak_bytes)),
                     ReportSparkline(std::vector<double>(memory.live_bytes.begin(), memory.live_bytes.end()), size,
                                     "live memory over time")});
  }
  for (const analyze::CounterSeries& counter : slice.metrics.counters) html += CounterRow(counter);
  return html + kEnd;
}

}  // namespace migprof::render
