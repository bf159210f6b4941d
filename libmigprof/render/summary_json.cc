// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/summary_json.h"

#include <optional>
#include <string>

#include "libmigprof/render/headline.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/json_values.h"
#include "libmigprof/render/metrics_json.h"
#include "libmigprof/render/viewer_assets.h"

namespace migprof::render {
namespace {

Json NullIfZero(uint64_t number) { return number == 0 ? Json(nullptr) : Json(number); }

Json PlacementJson(const std::optional<mig::Placement>& placement) {
  return placement ? Json{{"start", placement->start}, {"size", placement->size}} : Json(nullptr);
}

Json ToJson(const analyze::Totals& totals, bool with_bytes) {
  Json json = {{"count", totals.count}, {"total_ns", totals.total_ns}};
  if (with_bytes) json["bytes"] = totals.bytes;
  return json;
}

Json ToJson(const analyze::Health& health) {
  Json json = Json::object();
  for (const analyze::HealthField& field : analyze::kHealthFields) json[field.key] = health.*field.count;
  json["stopped"] = health.stopped;
  json["taken_over_ns"] = health.taken_over_ns == 0 ? Json(nullptr) : Json(health.taken_over_ns);
  json["killed"] = health.killed;
  return json;
}

Json ToJson(const analyze::ProcessInfo& process) {
  return {{"pid", process.pid},
          {"name", OrNull(process.name)},
          {"command_line", OrNull(process.command_line)},
          {"window_ns", process.window_ns},
          {"gpu_ns", process.gpu_ns},
          {"stops", process.stops},
          {"stopped_ns", process.stopped_ns},
          {"recorder",
           {{"own_ns", process.recorder.own_ns},
            {"own_share", process.recorder.own_share_ppm / 1e6},
            {"budget", process.recorder.budget_ppm == 0 ? Json(nullptr) : Json(process.recorder.budget_ppm / 1e6)},
            {"last_level_share", process.recorder.last_level_share_ppm / 1e6},
            {"reduced", process.recorder.highest_level != 0},
            {"without_lines_ms", process.recorder.without_lines_ms},
            {"sampled_ms", process.recorder.sampled_ms},
            {"whole_graphs_ms", process.recorder.whole_graphs_ms},
            {"memory_bytes", process.recorder.memory_bytes},
            {"memory_peak_bytes", process.recorder.memory_peak_bytes},
            {"memory_most_bytes", process.recorder.memory_most_bytes},
            {"small_rings", process.recorder.small_rings},
            {"threads_without_ring", process.recorder.threads_without_ring},
            {"definitions_forgotten", process.recorder.definitions_forgotten}}},
          {"health", ToJson(process.health)}};
}

Json IdleJson(const analyze::SliceMetrics& metrics) {
  Json json = Json::object();
  for (size_t cause = 0; cause < analyze::kIdleCauses; ++cause) {
    json[CauseKey(static_cast<analyze::IdleCause>(cause))] = metrics.idle_ns[cause];
  }
  return json;
}

Json ToJson(const analyze::CounterSeries& series) {
  const auto or_null = [&series](double value) { return series.samples == 0 ? Json(nullptr) : Json(value); };
  Json json = {{"name", series.name},
               {"unit", series.unit},
               {"source", series.source},
               {"samples", series.samples},
               {"mean", or_null(series.mean)},
               {"smallest", or_null(series.smallest)},
               {"largest", or_null(series.largest)},
               {"doubt", OrNull(series.doubt)}};
  if (series.bins.empty()) return json;
  json["bins"] = Json::array();
  for (const std::optional<double>& bin : series.bins) json["bins"].push_back(bin ? Json(*bin) : Json(nullptr));
  return json;
}

Json ToJson(const analyze::SliceProfile& slice) {
  const mig::SliceIdentity& identity = slice.identity;
  Json json = {
      {"host", slice.host},
      {"simulated", slice.simulated},
      {"boot_id", OrNull(slice.boot_id)},
      {"gpu_uuid", OrNull(identity.gpu_uuid)},
      {"gpu_name", OrNull(identity.gpu_name)},
      {"pci_bus_id", OrNull(identity.pci_bus_id)},
      {"mig_uuid", OrNull(identity.mig_uuid)},
      {"gpu_instance_id", OrNull(identity.gpu_instance_id)},
      {"compute_instance_id", OrNull(identity.compute_instance_id)},
      {"profile", OrNull(identity.profile)},
      {"placement", PlacementJson(identity.placement)},
      {"memory_slices", NullIfZero(identity.memory_slices)},
      {"sm_count", NullIfZero(identity.sm_count)},
      {"memory_bytes", NullIfZero(identity.memory_bytes)},
      {"first_ns", slice.first_ns},
      {"window_ns", slice.window_ns},
      {"busy_ns", slice.busy_ns},
      {"not_recorded_ns", slice.not_recorded_ns},
      {"idle_ns", IdleJson(slice.metrics)},
      {"kernels", ToJson(slice.kernels, false)},
      {"memcpys", ToJson(slice.memcpys, true)},
      {"memsets", ToJson(slice.memsets, true)},
      {"graph_runs", ToJson(slice.graph_runs, false)},
      {"graph_launches", slice.graph_launches},
      {"synchronize_ns", slice.synchronize_ns},
      {"allocated_bytes", slice.allocated_bytes},
      {"metrics", MetricsJson(slice)},
      {"counters", Json::array()},
      {"health", ToJson(slice.health)},
      {"loss", analyze::HasLoss(slice.health) || KilledProcesses(slice) != 0},
      {"processes", Json::array()},
  };
  for (const analyze::CounterSeries& series : slice.metrics.counters) {
    json["counters"].push_back(ToJson(series));
  }
  for (const analyze::ProcessInfo& process : slice.processes) {
    json["processes"].push_back(ToJson(process));
  }
  return json;
}

}  // namespace

void WriteSummaryJson(const analyze::Profile& profile, std::ostream& out) {
  Json json = {{"schema", "migprof.summary/1"}, {"simulated", profile.simulated}, {"slices", Json::array()}};
  for (const analyze::SliceProfile& slice : profile.slices) {
    json["slices"].push_back(ToJson(slice));
  }
  // Bytes that are not UTF-8 become U+FFFD; without the handler dump() would throw.
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void WriteSummarySchema(std::ostream& out) { out << kSummarySchema; }

}  // namespace migprof::render
