// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/top_json.h"

#include <optional>
#include <string>

#include "libmigprof/render/json_values.h"
#include "libmigprof/render/viewer_assets.h"

namespace migprof::render {
namespace {

Json ToJson(const mig::GpuProcess& process) {
  return {{"pid", process.pid},
          {"name", OrNull(process.name)},
          {"command_line", OrNull(process.command_line)},
          {"memory_bytes", OrNull(process.memory_bytes)},
          {"pod_uid", OrNull(process.workload.pod_uid)},
          {"pod", OrNull(process.workload.pod_name)},
          {"namespace", OrNull(process.workload.pod_namespace)},
          {"container", OrNull(process.workload.container_name)},
          {"slurm_job_id", OrNull(process.workload.slurm_job_id)}};
}

Json Counters(const mig::LiveSlice& slice) {
  Json counters = Json::object();
  for (const mig::LiveCounterInfo& info : mig::kLiveCounterTable) {
    Json& json = counters[info.name] = nullptr;
    const std::optional<mig::LiveValue>& value = slice.counter(info.id);
    if (value) json = {{"percent", value->percent}, {"stale", value->stale}, {"suspect", value->is_suspect()}};
  }
  return counters;
}

Json ToJson(const mig::LiveSlice& slice) {
  Json json = {{"gpu_index", slice.gpu_index},
               {"gpu_uuid", OrNull(slice.gpu_uuid)},
               {"gpu_name", OrNull(slice.gpu_name)},
               {"gpu_instance_id", OrNull(slice.gpu_instance_id)},
               {"gpu_instance_profile", OrNull(slice.gpu_instance_profile)},
               {"compute_instance_id", OrNull(slice.compute_instance_id)},
               {"profile", OrNull(slice.profile)},
               {"mig_uuid", OrNull(slice.mig_uuid)},
               {"sm_count", OrNull(slice.sm_count)},
               {"compute_instances_in_view", slice.siblings},
               {"first_seen_ns", slice.first_seen_ns},
               {"memory_bytes", OrNull(slice.memory_bytes)},
               {"memory_used_bytes", OrNull(slice.memory_used_bytes)},
               {"counters", Counters(slice)},
               {"counter_problem", NvmlRefusal(slice.counter_refusal)},
               {"sharing", mig::SharingName(mig::SharingOf(slice.use))},
               {"processes", nullptr}};
  if (slice.use.refusal != 0) return json;
  json["processes"] = Json::array();
  for (const mig::GpuProcess& process : slice.use.processes) json["processes"].push_back(ToJson(process));
  return json;
}

}  // namespace

void WriteTopJson(const mig::LiveSample& sample, int indent, std::ostream& out) {
  Json json = {
      {"schema", "migprof.top/1"}, {"simulated", sample.simulated},
      {"host", sample.host},       {"driver_version", OrNull(sample.driver_version)},
      {"time_ns", sample.time_ns}, {"interval_ns", sample.interval_ns == 0 ? Json(nullptr) : Json(sample.interval_ns)},
      {"took_ns", sample.took_ns}, {"problem", nullptr},
      {"gpus", Json::array()},     {"slices", Json::array()}};
  if (!sample.problem.empty()) {
    json["problem"] = {{"nvml_code", sample.problem_code == 0 ? Json(nullptr) : Json(sample.problem_code)},
                       {"text", sample.problem}};
  }
  for (const mig::LiveGpu& gpu : sample.gpus) {
    json["gpus"].push_back({{"index", gpu.index},
                            {"gpu_uuid", OrNull(gpu.uuid)},
                            {"gpu_name", OrNull(gpu.name)},
                            {"problem", NvmlRefusal(gpu.refusal)},
                            {"mig", gpu.is_mig},
                            {"slices", gpu.slices},
                            {"all_in_view", gpu.all_in_view}});
  }
  for (const mig::LiveSlice& slice : sample.slices) json["slices"].push_back(ToJson(slice));
  // Bytes that are not UTF-8 become U+FFFD; without the handler dump() would throw.
  out << json.dump(indent, ' ', false, Json::error_handler_t::replace) << '\n';
}

void WriteTopSchema(std::ostream& out) { out << kTopSchema; }

}  // namespace migprof::render
