// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/topology_json.h"

#include <optional>
#include <string>

#include "libmigprof/render/json_values.h"
#include "libmigprof/render/viewer_assets.h"

namespace migprof::render {
namespace {

Json PlacementJson(const std::optional<mig::Placement>& placement) {
  if (!placement) return nullptr;
  return {{"start", placement->start}, {"size", placement->size}};
}

Json ToJson(const mig::GpuProcess& process) {
  return {{"pid", process.pid},
          {"name", OrNull(process.name)},
          {"command_line", OrNull(process.command_line)},
          {"memory_bytes", OrNull(process.memory_bytes)},
          {"mps", process.mps_server   ? Json("server")
                  : process.mps_client ? Json("client")
                                       : Json(nullptr)},
          {"pod_uid", OrNull(process.workload.pod_uid)},
          {"container_id", OrNull(process.workload.container_id)},
          {"slurm_job_id", OrNull(process.workload.slurm_job_id)},
          {"slurm_step", OrNull(process.workload.slurm_step)}};
}

// `use` as the two fields "sharing" and "processes" of `json`.
void AddUse(const mig::Use& use, Json* json) {
  (*json)["sharing"] = mig::SharingName(mig::SharingOf(use));
  Json& processes = (*json)["processes"] = nullptr;
  if (use.refusal != 0) return;
  processes = Json::array();
  for (const mig::GpuProcess& process : use.processes) processes.push_back(ToJson(process));
}

Json ToJson(const mig::GpuInstance& instance, const mig::ComputeInstance& compute) {
  Json json = {{"compute_instance_id", OrNull(compute.id)},
               {"mig_uuid", OrNull(compute.uuid)},
               {"profile", OrNull(compute.profile)},
               {"sm_count", OrNull(compute.sm_count)},
               {"compute_slices", OrNull(compute.slices)},
               {"placement", PlacementJson(compute.placement)},
               {"shares_gpu_instance", OrNull(mig::SharesGpuInstance(instance, compute))}};
  AddUse(compute.use, &json);
  return json;
}

Json ToJson(const mig::GpuInstance& instance) {
  Json json = {{"gpu_instance_id", OrNull(instance.id)},
               {"profile", OrNull(instance.profile)},
               {"compute_slices", OrNull(instance.slices)},
               {"memory_bytes", OrNull(instance.memory_bytes)},
               {"memory_used_bytes", OrNull(instance.memory_used_bytes)},
               {"placement", PlacementJson(instance.placement)},
               {"compute_instances", Json::array()}};
  for (const mig::ComputeInstance& compute : instance.compute_instances) {
    json["compute_instances"].push_back(ToJson(instance, compute));
  }
  return json;
}

Json ToJson(const mig::Gpu& gpu) {
  const bool is_mig = gpu.mode == mig::MigMode::kOn;
  Json json = {{"index", gpu.index},
               {"gpu_uuid", OrNull(gpu.uuid)},
               {"gpu_name", OrNull(gpu.name)},
               {"pci_bus_id", OrNull(gpu.pci_bus_id)},
               {"problem", NvmlRefusal(gpu.refusal)},
               {"mig_mode", mig::MigModeName(gpu.mode)},
               {"mig_mode_pending", mig::MigModeName(gpu.pending)},
               {"sm_count", OrNull(gpu.sm_count)},
               {"memory_bytes", OrNull(gpu.memory_bytes)},
               {"memory_used_bytes", OrNull(gpu.memory_used_bytes)},
               {"compute_slices", OrNull(gpu.compute_slices)},
               {"memory_slices", OrNull(gpu.memory_slices)},
               {"uncovered_compute_slices", OrNull(mig::UncoveredComputeSlices(gpu))},
               {"all_in_view", is_mig && gpu.refusal == 0 ? Json(gpu.listing_refusal == 0) : Json(nullptr)},
               {"listing_problem", is_mig ? NvmlRefusal(gpu.listing_refusal) : Json(nullptr)},
               {"gpu_instances", Json::array()}};
  for (const mig::GpuInstance& instance : gpu.gpu_instances) json["gpu_instances"].push_back(ToJson(instance));
  if (is_mig || gpu.refusal != 0) {
    json["sharing"] = nullptr;
    json["processes"] = nullptr;
  } else {
    AddUse(gpu.use, &json);
  }
  return json;
}

}  // namespace

void WriteTopologyJson(const mig::Host& host, std::ostream& out) {
  Json json = {{"schema", "migprof.slices/1"},
               {"simulated", host.simulated},
               {"host", host.name},
               {"driver_version", OrNull(host.driver_version)},
               {"cuda_version", OrNull(host.cuda_version)},
               {"problem", nullptr},
               {"gpus", Json::array()}};
  if (!host.problem.empty()) {
    json["problem"] = {{"nvml_code", host.problem_code == 0 ? Json(nullptr) : Json(host.problem_code)},
                       {"text", host.problem}};
  }
  for (const mig::Gpu& gpu : host.gpus) json["gpus"].push_back(ToJson(gpu));
  // Bytes that are not UTF-8 become U+FFFD; without the handler dump() would throw.
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void WriteTopologySchema(std::ostream& out) { out << kSlicesSchema; }

}  // namespace migprof::render
