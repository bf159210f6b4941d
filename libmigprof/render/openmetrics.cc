// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/openmetrics.h"

#include <charconv>
#include <cmath>

#include "libmigprof/render/clean_text.h"

namespace migprof::render {
namespace {

constexpr std::string_view kTotal = "_total";

std::string Escape(std::string_view text, bool quotes) {
  std::string escaped;
  for (const char c : CleanText(text)) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '"' && quotes) {
      escaped += "\\\"";
    } else {
      escaped += c;  // CleanText leaves no line end
    }
  }
  return escaped;
}

// The shortest text that reads back as the same number; whole numbers without exponent, as sizes in bytes are.
std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  char text[64];
  constexpr double kExact = 9007199254740992;  // 2^53
  const bool is_whole = value == std::floor(value) && std::fabs(value) <= kExact;
  const std::to_chars_result end = is_whole ? std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed)
                                            : std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

// To the millisecond, which is what Prometheus keeps.
std::string TimeText(double seconds) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof(text), seconds, std::chars_format::fixed, 3).ptr);
}

// OpenMetrics calls a counter's family by the name without "_total".
std::string FamilyName(const MetricFamily& family, MetricFormat format) {
  const bool is_shortened =
      format == MetricFormat::kOpenMetrics && family.type == MetricType::kCounter && family.name.ends_with(kTotal);
  return is_shortened ? family.name.substr(0, family.name.size() - kTotal.size()) : family.name;
}

void WriteFamily(const MetricFamily& family, MetricFormat format, std::ostream& out) {
  const std::string name = FamilyName(family, format);
  out << "# HELP " << name << ' ' << Escape(family.help, format == MetricFormat::kOpenMetrics) << '\n';
  out << "# TYPE " << name << ' ' << (family.type == MetricType::kCounter ? "counter" : "gauge") << '\n';
  // Only OpenMetrics knows units.
  if (format == MetricFormat::kOpenMetrics && !family.unit.empty()) {
    out << "# UNIT " << name << ' ' << family.unit << '\n';
  }
  for (const Metric& metric : family.metrics) {
    out << family.name;
    char separator = '{';
    for (const auto& [label, value] : metric.labels) {
      if (value.empty()) continue;
      out << separator << label << "=\"" << EscapeLabelValue(value) << '"';
      separator = ',';
    }
    if (separator == ',') out << '}';
    out << ' ' << NumberText(metric.value);
    if (format == MetricFormat::kOpenMetrics && metric.time_seconds) out << ' ' << TimeText(*metric.time_seconds);
    out << '\n';
  }
}

}  // namespace

std::string_view ContentType(MetricFormat format) {
  return format == MetricFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

MetricFormat FormatFor(std::string_view accept) {
  constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
  for (size_t at = accept.find(kOpenMetrics); at != std::string_view::npos; at = accept.find(kOpenMetrics, at + 1)) {
    const std::string_view range = accept.substr(at, accept.find(',', at) - at);
    const size_t version = range.find("version=");
    // Of an unknown version nothing is known; 0.0.1 is the draft, which this text obeys as well.
    if (version != std::string_view::npos && !range.substr(version + 8).starts_with("1.") &&
        !range.substr(version + 8).starts_with("0.")) {
      continue;
    }
    if (range.find("q=0;") != std::string_view::npos || range.ends_with("q=0")) continue;
    return MetricFormat::kOpenMetrics;
  }
  return MetricFormat::kPrometheusText;
}

void WriteMetrics(const std::vector<MetricFamily>& families, MetricFormat format, std::ostream& out) {
  for (const MetricFamily& family : families) {
    if (!family.metrics.empty()) WriteFamily(family, format, out);
  }
  if (format == MetricFormat::kOpenMetrics) out << "# EOF\n";
}

std::string EscapeLabelValue(std::string_view text) { return Escape(text, true); }

}  // namespace migprof::render
