// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "libmigprof/render/html_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/slice_findings.h"

namespace migprof::render {
namespace {

// Of a step, for a cause to be drawn over time.
constexpr double kLeastVisible = 0.005;
// By IdleCause, from the busy time up: on top, that nobody was there.
constexpr std::array<size_t, analyze::kIdleCauses> kCausesUpwards = {1, 2, 3, 4, 5, 6, 7, 0};

struct Part {
  std::string css_class;
  std::string label;
  uint64_t ns = 0;
};

std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), std::round(value * 10) / 10);
  return std::string(text, end.ptr);
}

std::vector<Part> PartsOf(const analyze::SliceProfile& slice) {
  const analyze::SliceMetrics& metrics = slice.metrics;
  const uint64_t idle = IdleTime(slice);
  const uint64_t busy = slice.recorded_ns() - idle;
  std::vector<Part> parts;
  if (metrics.kernel_busy_ns != 0 || slice.kernels.count == 0) {
    const uint64_t kernels = std::min(metrics.kernel_busy_ns, busy);
    parts.push_back({"ki1", "kernels", kernels});
    parts.push_back({"kj1", "copies and memsets alone", busy - kernels});
  } else {
    parts.push_back({"ki1", "busy", busy});
  }
  uint64_t explained = 0;
  for (size_t cause = 0; cause < analyze::kIdleCauses; ++cause) {
    const uint64_t ns = std::min(metrics.idle_ns[cause], idle - explained);
    explained += ns;
    parts.push_back(
        {"kn" + std::to_string(cause), std::string("idle: ") + CauseLabel(static_cast<analyze::IdleCause>(cause)), ns});
  }
  parts.push_back({"r-unexplained", "idle, cause not recorded", idle - explained});
  parts.push_back({"r-stopped",
                   slice.health.rotated_files != 0 ? "not recorded: recording was stopped, or what was recorded deleted"
                                                   : "not recorded: recording was stopped",
                   slice.not_recorded_ns});
  std::erase_if(parts, [](const Part& part) { return part.ns == 0; });
  return parts;
}

// Steps of equal height are one.
std::string StepPath(const std::vector<double>& shares) {
  std::string path = "M0 100";
  std::string last;
  for (size_t i = 0; i < shares.size(); ++i) {
    std::string height = Number(100 - 100 * std::clamp(shares[i], 0.0, 1.0));
    if (height == last) continue;
    if (i != 0) path += "H" + std::to_string(i);
    path += "V" + height;
    last = std::move(height);
  }
  return path + "H" + std::to_string(shares.size()) + "V100z";
}

std::string LegendItem(const std::string& css_class, const std::string& label) {
  return "<li><svg class=\"r-dot\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"" + css_class +
         "\" width=\"12\" height=\"12\" rx=\"2\"/></svg><span>" + HtmlText(label) + "</span></li>";
}

}  // namespace

std::string ReportTimeBar(const analyze::SliceProfile& slice) {
  if (slice.window_ns == 0)
    return HtmlElement("p", "r-none", "The slice has no window: no event of it has a usable time.");
  const std::vector<Part> parts = PartsOf(slice);
  std::string bar;
  std::string legend;
  double x = 0;
  for (const Part& part : parts) {
    const double width = 1000.0 * static_cast<double>(part.ns) / static_cast<double>(slice.window_ns);
    bar += "<rect class=\"" + part.css_class + "\" x=\"" + Number(x) + "\" width=\"" + Number(width) +
           "\" height=\"20\"/>";
    x += width;
    legend += "<li><svg class=\"r-dot\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"" + part.css_class +
              "\" width=\"12\" height=\"12\" rx=\"2\"/></svg><span>" + HtmlText(part.label) + "</span><b>" +
              HtmlText(Percent(part.ns, slice.window_ns)) + "</b><i>" + HtmlText(HumanTime(part.ns)) + "</i></li>\n";
  }
  return "<svg class=\"r-bar migprof\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">" +
         bar + "</svg>\n<ul class=\"r-parts migprof\">\n" + legend + "</ul>\n";
}

std::string ReportTimeline(const analyze::SliceProfile& slice) {
  const analyze::Timeline& timeline = slice.metrics.timeline;
  if (timeline.bins.empty() || timeline.bin_ns == 0) return "";
  std::vector<double> busy;
  std::vector<double> kernels;
  // Each cause from the bottom up to its top: a later one lies behind those before it.
  std::array<std::vector<double>, analyze::kIdleCauses> tops;
  for (size_t i = 0; i < timeline.bins.size(); ++i) {
    // The last bin is cut off by the end of the window.
    const uint64_t start = timeline.bin_ns * i;
    const uint64_t length =
        slice.window_ns > start ? std::min(timeline.bin_ns, slice.window_ns - start) : timeline.bin_ns;
    busy.push_back(static_cast<double>(timeline.bins[i].busy_ns) / static_cast<double>(length));
    kernels.push_back(static_cast<double>(timeline.bins[i].kernel_ns) / static_cast<double>(length));
    uint64_t sum = timeline.bins[i].busy_ns;
    for (const size_t cause : kCausesUpwards) {
      sum += timeline.bins[i].idle_ns[cause];
      tops[cause].push_back(static_cast<double>(sum) / static_cast<double>(length));
    }
  }
  std::string idle;
  std::string legend = LegendItem("r-kernel", "kernels") + LegendItem("r-copy", "copies and memsets alone");
  for (const size_t cause : kCausesUpwards) {
    const bool is_visible = std::any_of(timeline.bins.begin(), timeline.bins.end(), [&](const auto& bin) {
      return static_cast<double>(bin.idle_ns[cause]) >= kLeastVisible * static_cast<double>(timeline.bin_ns);
    });
    if (!is_visible) continue;
    const std::string css_class = "kn" + std::to_string(cause);
    idle.insert(0, "<path class=\"" + css_class + "\" d=\"" + StepPath(tops[cause]) + "\"/>");
    legend += LegendItem(css_class, std::string("idle: ") + CauseLabel(static_cast<analyze::IdleCause>(cause)));
  }
  if (slice.not_recorded_ns != 0) legend += "<li><span>blank: not recorded</span></li>";
  const auto [least, most] = std::minmax_element(busy.begin(), busy.end());
  const auto percent = [](double share) {
    return Percent(static_cast<uint64_t>(std::lround(1000 * std::min(1.0, share))), 1000);
  };
  const std::string spoken = "Busy share over time, between " + percent(*least) + " and " + percent(*most);
  return "<figure class=\"r-timeline\"><div class=\"r-plot\"><span class=\"r-tick r-top\">100%</span>"
         "<span class=\"r-tick r-mid\">50%</span><svg class=\"migprof\" viewBox=\"0 0 " +
         std::to_string(busy.size()) + " 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" +
         HtmlText(spoken) + "\">" + idle + "<path class=\"r-copy\" d=\"" + StepPath(busy) +
         "\"/><path class=\"r-kernel\" d=\"" + StepPath(kernels) + "\"/><path class=\"r-line\" d=\"M0 50H" +
         std::to_string(busy.size()) + "\"/></svg></div><figcaption><span>0</span><span>" +
         HtmlText(HumanTime(timeline.bin_ns)) + " per step</span><span>" + HtmlText(HumanTime(slice.window_ns)) +
         "</span></figcaption>\n<ul class=\"r-keys migprof\">" + legend + "</ul></figure>\n";
}

std::string ReportSparkline(const std::vector<double>& values, double top, const std::string& label) {
  if (values.empty() || top <= 0) return "";
  std::string path;
  bool down = false;
  bool any = false;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0) continue;
    // Samples may be rarer than bins: a line joins them.
    path += (down ? "L" : "M") + std::to_string(i) + ' ' + Number(30 - 29 * std::clamp(values[i] / top, 0.0, 1.0));
    any |= down;
    down = true;
  }
  if (!any) return "";
  return "<svg class=\"r-spark\" viewBox=\"0 0 " + std::to_string(values.size() - 1) +
         " 31\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + HtmlText(label) + "\"><path d=\"" + path +
         "\"/></svg>";
}

}  // namespace migprof::render
