// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_map.h"

#include <algorithm>
#include <cmath>

#include "libmigprof/render/card_map.h"
#include "libmigprof/render/html_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/slice_findings.h"
#include "libmigprof/render/slice_names.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

constexpr size_t kFewGpus = 3;  // more are drawn smaller
constexpr double kHardlyUsed = 0.30;

std::string Units(uint32_t units) { return "w" + std::to_string(std::clamp<uint32_t>(units, 1, 12)); }

// Filled from below, and, for cards that stand upright on a phone, from the left. Attributes, not styles: the policy of
// the page allows no other.
std::string Fill(const SliceProfile& slice) {
  const auto share = [](double value) { return std::to_string(std::lround(1000 * std::clamp(value, 0.0, 1.0))); };
  const double busy = BusyShare(slice);
  const auto fill = SmFill(slice);
  const auto bar = [&](const char* css_class, double value) {
    const std::string length = share(value);
    const std::string rest = std::to_string(1000 - std::lround(1000 * std::clamp(value, 0.0, 1.0)));
    return "<rect class=\"" + std::string(css_class) + " r-up\" width=\"1000\" y=\"" + rest + "\" height=\"" + length +
           "\"/><rect class=\"" + css_class + " r-along\" width=\"" + length + "\" height=\"1000\"/>";
  };
  std::string html =
      "<svg class=\"r-fill\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" aria-hidden=\"true\">" +
      bar("r-busy", busy);
  if (fill && slice.recorded_ns() != 0) {
    const double kernels = static_cast<double>(slice.metrics.sm_weighted_ns) / static_cast<double>(slice.recorded_ns());
    html += bar("r-full", std::min(busy, kernels));
  }
  return html + "</svg>";
}

std::string Tile(const SliceProfile& slice, size_t index, uint32_t units, const std::string& name, bool has_details) {
  const bool known = slice.recorded_ns() != 0;
  const std::string busy = known ? Percent(slice.recorded_ns() - IdleTime(slice), slice.recorded_ns()) : "–";
  const auto cause = MainCause(slice.metrics);
  std::string instance = InstanceLabel(slice.identity);
  if (slice.identity.sm_count != 0) {
    instance.append(instance.empty() ? "" : " · ").append(std::to_string(slice.identity.sm_count)).append(" SMs");
  }
  std::string spoken = name + ": busy " + busy;
  if (cause) spoken += ", idle mostly for " + std::string(CauseLabel(*cause));
  const std::string css_class = "r-slice " + Units(units) + ' ' + (known ? UseClass(BusyShare(slice)) : "u2");
  std::string html = has_details ? "<a class=\"" + css_class + "\" href=\"#slice-" + std::to_string(index + 1) + "\""
                                 : "<div class=\"" + css_class + "\" role=\"img\"";
  html += " aria-label=\"" + HtmlText(spoken) + "\" title=\"" + HtmlText(spoken) + "\"><span class=\"r-label\">";
  html += HtmlElement("b", "r-share", busy) + HtmlElement("span", "r-what", ProfileLabel(slice.identity)) +
          HtmlElement("span", "r-which", instance);
  if (cause && BusyShare(slice) < kUnderused) html += HtmlElement("span", "r-cause", CauseLabel(*cause));
  return html + "</span>" + Fill(slice) + (has_details ? "</a>\n" : "</div>\n");
}

std::string Free(uint32_t units) {
  return "<div class=\"r-free " + Units(units) + "\" title=\"Not allocated, or nothing was recorded there\">" +
         HtmlElement("span", "", "no trace") + "</div>\n";
}

std::string Card(const analyze::Profile& profile, const MapGpu& gpu, const std::vector<std::string>& names,
                 const std::vector<bool>& has_details) {
  std::string html = "<div class=\"r-card\" role=\"group\" aria-label=\"" + HtmlText(gpu.name) + "\">\n";
  uint32_t end = 0;  // of what is drawn, in memory slices
  for (const MapInstance& instance : gpu.instances) {
    const bool shared = instance.slices.size() > 1 || instance.free_units != 0;
    if (gpu.memory_slices && instance.placement->start > end) html += Free(instance.placement->start - end);
    if (gpu.memory_slices) end = instance.placement->start + instance.placement->size;
    html += "<div class=\"r-gi " + Units(gpu.memory_slices ? instance.placement->size : instance.units) +
            (shared ? " r-shared" : "") + "\">\n";
    for (const MapSlice& slice : instance.slices) {
      html += Tile(profile.slices[slice.slice], slice.slice, slice.units, names[slice.slice], has_details[slice.slice]);
    }
    if (instance.free_units != 0) html += Free(instance.free_units);
    html += "</div>\n";
  }
  if (gpu.memory_slices) {
    if (*gpu.memory_slices > end) html += Free(*gpu.memory_slices - end);
  } else if (gpu.free_units != 0) {
    html += Free(gpu.free_units);
  }
  return html + "</div>\n";
}

}  // namespace

std::string UseClass(double busy_share) {
  return busy_share < kHardlyUsed ? "u0" : busy_share < kUnderused ? "u1" : "u2";
}

std::string ReportMap(const analyze::Profile& profile, const std::vector<std::string>& names,
                      const std::vector<bool>& has_details) {
  const std::vector<MapHost> hosts = LayOutCards(profile);
  size_t gpus = 0;
  for (const MapHost& host : hosts) gpus += host.gpus.size();
  std::string html = gpus > kFewGpus ? "<div class=\"r-map r-many\">\n" : "<div class=\"r-map\">\n";
  bool any_mig = false;  // of unknown places
  bool any_placed = false;
  bool any_unplaced = false;
  bool overlap = false;
  for (const MapHost& host : hosts) {
    html += "<div class=\"r-host\">" + HtmlElement("h3", "", host.name.empty() ? "unknown host" : host.name) +
            "<div class=\"r-gpus\">\n";
    for (const MapGpu& gpu : host.gpus) {
      any_mig |= gpu.is_mig && !gpu.memory_slices;
      any_placed |= gpu.memory_slices.has_value();
      any_unplaced |= !gpu.memory_slices;
      overlap |= gpu.overlap;
      html += "<div class=\"r-gpu\"><h4>" + HtmlText(gpu.name.empty() ? "GPU of unknown name" : gpu.name) + ' ' +
              HtmlElement("span", "r-uuid", std::string_view(gpu.uuid).substr(0, 12)) + "</h4>\n" +
              Card(profile, gpu, names, has_details) + "</div>\n";
    }
    html += "</div></div>\n";
  }
  const auto swatch = [](const char* css_class, const char* text) {
    return "<span class=\"r-entry\"><span class=\"r-swatch " + std::string(css_class) + "\"></span> " + text +
           "</span>";
  };
  html += "<p class=\"r-key\"><span class=\"r-entry\">Colour, busy:</span>" + swatch("u0", "under 30 %") +
          swatch("u1", "30 to 70 %") + swatch("u2", "70 % and more") +
          "<span class=\"r-entry\">Filled as far as it was:</span>" +
          swatch("r-key-full", "strong: SMs kept busy (estimate)") + swatch("r-key-busy", "pale: busy") +
          swatch("r-key-idle", "empty: idle") + swatch("r-key-free", "no trace: not allocated or not recorded") +
          "</p>\n<p class=\"r-key\">";
  if (any_placed) html += "Size and place: memory slices of the card. ";
  if (any_unplaced) {
    html += "Size: compute share";
    html += any_mig
                ? (any_placed ? ", in the order of GPU instances, on cards whose slices’ places are not recorded. "
                              : ", in the order of GPU instances: where they lie on the card is not recorded, because "
                                "NVML tells it only to root. ")
                : ". ";
  }
  if (overlap) html += "More instances than fit at one time: the card was cut anew during the recording.";
  return html + "</p>\n</div>\n";
}

}  // namespace migprof::render
