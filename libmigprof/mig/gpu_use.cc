// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/gpu_use.h"

#include <algorithm>
#include <vector>

#include "libmigprof/mig/nvml_ask.h"

namespace migprof::mig {
namespace {

using ListProcesses = int (*)(NvmlDevice, uint32_t*, NvmlProcessInfo*);

constexpr uint32_t kMostProcesses = 1u << 16;
// Processes start between the question how many there are and the next.
constexpr uint32_t kSpareRoom = 16;
constexpr int kAttempts = 4;

int AskProcesses(ListProcesses list, NvmlDevice device, std::vector<NvmlProcessInfo>* processes) {
  processes->clear();
  int result = kNvmlInsufficientSize;
  for (int attempt = 0; attempt < kAttempts && result == kNvmlInsufficientSize; ++attempt) {
    uint32_t count = static_cast<uint32_t>(processes->size());
    result = Ask(list, device, &count, processes->empty() ? nullptr : processes->data());
    if (result == kNvmlInsufficientSize) {
      processes->resize(std::min(count, kMostProcesses) + kSpareRoom);
    } else {
      processes->resize(result == kNvmlSuccess ? std::min<size_t>(count, processes->size()) : 0);
    }
  }
  if (result != kNvmlSuccess) processes->clear();
  return result;
}

bool IsElsewhere(uint32_t told, std::optional<uint32_t> wanted) {
  return wanted && told != kNvmlNoInstance && told != *wanted;
}

}  // namespace

Use ReadUse(const NvmlApi& nvml, const ProcessNames& names, NvmlDevice device, std::optional<uint32_t> gpu_instance_id,
            std::optional<uint32_t> compute_instance_id) {
  Use use;
  const auto add = [&](const NvmlProcessInfo& info, bool is_mps_client) {
    if (IsElsewhere(info.gpu_instance_id, gpu_instance_id) ||
        IsElsewhere(info.compute_instance_id, compute_instance_id)) {
      return;
    }
    const auto is_same = [&](const GpuProcess& known) { return known.pid == info.pid; };
    auto process = std::find_if(use.processes.begin(), use.processes.end(), is_same);
    if (process == use.processes.end()) {
      process = use.processes.emplace(process);
      process->pid = info.pid;
    }
    process->mps_client = process->mps_client || is_mps_client;
    if (info.used_gpu_memory != kNvmlValueNotAvailable) process->memory_bytes = info.used_gpu_memory;
  };
  std::vector<NvmlProcessInfo> infos;
  use.refusal = AskProcesses(nvml.device_get_compute_running_processes, device, &infos);
  if (use.refusal != kNvmlSuccess) return use;
  for (const NvmlProcessInfo& info : infos) add(info, false);
  // Old drivers do not tell MPS clients apart. Then only the name of the server does.
  AskProcesses(nvml.device_get_mps_compute_running_processes, device, &infos);
  for (const NvmlProcessInfo& info : infos) add(info, true);
  for (GpuProcess& process : use.processes) names.Describe(&process);
  const auto by_pid = [](const GpuProcess& a, const GpuProcess& b) { return a.pid < b.pid; };
  std::sort(use.processes.begin(), use.processes.end(), by_pid);
  return use;
}

}  // namespace migprof::mig
