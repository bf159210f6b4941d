// SPDX-License-Identifier: Apache-2.0
// Families of metrics as text: what Prometheus and all that read its formats take.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace migprof::render {

// Names are letters, digits and '_'; values any text.
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Metric {
  Labels labels;
  double value = 0;
  // When it was so, in seconds since 1970; only OpenMetrics is told. Importers need it, and scrapers use their own
  // clock.
  std::optional<double> time_seconds = std::nullopt;
};

enum class MetricType { kGauge, kCounter };

// `name` is whole, so that a counter's ends with "_total". `unit` is its unit in the name ("seconds"), or empty.
struct MetricFamily {
  std::string name;
  MetricType type = MetricType::kGauge;
  std::string unit;
  std::string help;
  std::vector<Metric> metrics;
};

// The text format of Prometheus (version 0.0.4), which promtool and the textfile collector of node_exporter read; or
// OpenMetrics 1.0, which ends with "# EOF".
enum class MetricFormat { kPrometheusText, kOpenMetrics };
std::string_view ContentType(MetricFormat format);

// What an HTTP request that accepts `accept` gets: OpenMetrics only if it is asked for.
MetricFormat FormatFor(std::string_view accept);

// Families without metrics are left out. Labels without a value are, too: they mean the same.
void WriteMetrics(const std::vector<MetricFamily>& families, MetricFormat format, std::ostream& out);

// `text` as valid UTF-8, with backslash, quote and line end escaped as both formats want them in label values.
std::string EscapeLabelValue(std::string_view text);

}  // namespace migprof::render
