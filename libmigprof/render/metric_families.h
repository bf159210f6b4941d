// SPDX-License-Identifier: Apache-2.0
// Building families of metrics of slices; shared by what is live and what was recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libmigprof/render/openmetrics.h"

namespace migprof::render {

// The names are those of dcgm-exporter where it has one, so that its series can be joined with these.
inline constexpr char kGpuLabel[] = "gpu";
inline constexpr char kGpuUuidLabel[] = "UUID";
inline constexpr char kGpuInstanceLabel[] = "GPU_I_ID";
inline constexpr char kGpuInstanceProfileLabel[] = "GPU_I_PROFILE";
inline constexpr char kHostLabel[] = "Hostname";
inline constexpr char kPodLabel[] = "pod";
inline constexpr char kNamespaceLabel[] = "namespace";
inline constexpr char kContainerLabel[] = "container";
inline constexpr char kPodUidLabel[] = "pod_uid";
inline constexpr char kPciLabel[] = "pci_bus_id";
// What dcgm-exporter has no label for, or one that promtool objects to (modelName).
inline constexpr char kModelLabel[] = "gpu_name";
inline constexpr char kComputeInstanceLabel[] = "compute_instance_id";
inline constexpr char kMigUuidLabel[] = "mig_uuid";
inline constexpr char kProfileLabel[] = "profile";
inline constexpr char kSimulatedLabel[] = "simulated";

inline std::string IdText(const std::optional<uint32_t>& id) { return id ? std::to_string(*id) : ""; }

inline MetricFamily& AddFamily(std::string name, MetricType type, std::string unit, std::string help,
                               std::vector<MetricFamily>* families) {
  return families->emplace_back(MetricFamily{std::move(name), type, std::move(unit), std::move(help), {}});
}

inline Labels With(Labels labels, std::initializer_list<std::pair<std::string, std::string>> more) {
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

}  // namespace migprof::render
