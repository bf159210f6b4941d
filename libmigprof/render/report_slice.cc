// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_slice.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "libmigprof/render/html_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/recorder_cost.h"
#include "libmigprof/render/report_tables.h"
#include "libmigprof/render/report_time.h"
#include "libmigprof/render/slice_findings.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

std::vector<Figure> FiguresOf(const SliceProfile& slice) {
  const analyze::SliceMetrics& metrics = slice.metrics;
  std::vector<Figure> figures;
  const uint64_t idle = IdleTime(slice);
  figures.push_back({"busy", Percent(slice.recorded_ns() - idle, slice.recorded_ns())});
  if (SmFill(slice)) {
    const bool least = metrics.sm_unknown_ns != 0;
    figures.push_back({"SMs kept busy", (least ? "≥ " : "≈ ") + Percent(metrics.sm_weighted_ns, slice.recorded_ns())});
  }
  figures.push_back({"idle", HumanTime(idle)});
  figures.push_back({"window", HumanTime(slice.window_ns)});
  if (slice.not_recorded_ns != 0) figures.push_back({"not recorded", HumanTime(slice.not_recorded_ns)});
  figures.push_back({"kernels", ShortCount(slice.kernels.count) + " · " + HumanTime(slice.kernels.total_ns)});
  if (metrics.kernel_duration.count() != 0) {
    figures.push_back({"median kernel", HumanTime(metrics.kernel_duration.Quantile(0.5))});
  }
  if (metrics.launch_latency.count() != 0) {
    figures.push_back({"median launch to start", HumanTime(metrics.launch_latency.Quantile(0.5))});
  }
  if (slice.memcpys.count != 0) {
    figures.push_back({"copies", ShortCount(slice.memcpys.count) + " · " + HumanBytes(slice.memcpys.bytes)});
  }
  if (metrics.tensor_ns != 0) {
    figures.push_back({"Tensor Core kernels", "≈ " + Percent(metrics.tensor_ns, slice.kernels.total_ns)});
  }
  if (metrics.memory.peak_bytes != 0) {
    std::string value = HumanBytes(metrics.memory.peak_bytes);
    if (slice.identity.memory_bytes != 0) value += " of " + HumanBytes(slice.identity.memory_bytes);
    figures.push_back({"peak memory", value});
  }
  return figures;
}

std::string Figures(const std::vector<Figure>& figures) {
  std::string html = "<dl class=\"r-figures\">";
  for (const Figure& figure : figures) {
    html += "<div>" + HtmlElement("dt", "", figure.label) + HtmlElement("dd", "", figure.value) + "</div>";
  }
  return html + "</dl>\n";
}

std::string Box(const char* title, const std::string& body, const char* css_class = "") {
  if (body.empty()) return "";
  return std::string("<div class=\"r-box ") + css_class + "\">" + HtmlElement("h3", "", title) + body + "</div>\n";
}

std::string Place(const SliceProfile& slice) {
  std::string place;
  for (const analyze::Frame& frame : analyze::SlicePath(slice))
    place.append(place.empty() ? "" : " / ").append(frame.name);
  return place;
}

// "0.480", for the script.
std::string DecimalShare(double share) {
  const std::string thousandths = std::to_string(std::lround(1000 * std::clamp(share, 0.0, 1.0)));
  return thousandths == "1000" ? "1" : "0." + std::string(3 - thousandths.size(), '0') + thousandths;
}

std::string NotRecorded(const SliceProfile& slice) {
  std::string missing;
  const auto add = [&missing](const char* what) { missing.append(missing.empty() ? "" : ", ").append(what); };
  if (slice.metrics.timeline.bins.empty()) add("utilization over time");
  if (slice.metrics.sm_weighted_ns == 0 && slice.kernels.count != 0) add("how many SMs the kernels kept busy");
  if (!MainCause(slice.metrics) && IdleTime(slice) != 0) add("why it was idle");
  if (slice.metrics.memory.allocations == 0) add("memory");
  if (slice.metrics.counters.empty()) add("NVML counters");
  return missing.empty() ? "" : HtmlElement("p", "r-none", "Not recorded: " + missing + ".");
}

}  // namespace

std::string ReportSlice(const analyze::Profile& profile, size_t index, const std::string& name) {
  const SliceProfile& slice = profile.slices[index];
  const std::string number = std::to_string(index + 1);
  const size_t killed = KilledProcesses(slice);
  const bool loss = analyze::HasLoss(slice.health) || killed != 0;
  std::string health = "<p class=\"r-health" + std::string(loss ? " r-loss" : "") + "\">" +
                       HtmlElement("b", "", std::string(Verdict(slice.health, loss)) + ": ") +
                       HtmlText(DescribeHealth(slice.health, killed)) + "</p>";
  if (const std::string cost = DescribeRecorderCost(SumRecorderCost({&slice})); !cost.empty()) {
    health += HtmlElement("p", "", "Recording itself took " + cost + ".");
  }
  health += NotRecorded(slice);
  return "<section class=\"r-detail\" id=\"slice-" + number + "\" data-busy=\"" + DecimalShare(BusyShare(slice)) +
         "\" aria-labelledby=\"slice-" + number + "-title\">\n<div class=\"r-detail-head\"><h2 id=\"slice-" + number +
         "-title\" tabindex=\"-1\">" + HtmlText(name) +
         (slice.simulated ? " <span class=\"r-simulated\">simulated</span>" : "") + "</h2>" +
         HtmlElement("p", "r-place", Place(slice)) + "</div>\n" + Figures(FiguresOf(slice)) +
         (KernelsRanSideBySide(slice) ? HtmlElement("p", "r-none", kSideBySide) : "") + "<div class=\"r-pair\">" +
         Box("Where the time went", ReportTimeBar(slice)) + Box("Over time", ReportTimeline(slice)) +
         "</div>\n<div class=\"r-flame\" data-slice=\"" + std::to_string(index) +
         "\"><noscript><p class=\"r-none\">The flamegraph of this slice needs JavaScript; the SVG files in "
         "<code>flamegraphs/</code> show it without.</p></noscript></div>\n" +
         Box("Top kernels", ReportKernels(profile, slice), "r-wide") + "<div class=\"r-pair\">" +
         Box("Processes", ReportProcesses(slice)) + Box("Memory and counters", ReportCounters(slice)) +
         Box("Health", health) + "</div>\n</section>\n";
}

}  // namespace migprof::render
