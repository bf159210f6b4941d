// SPDX-License-Identifier: Apache-2.0
#include "nvml/handles.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "base/faults.h"
#include "base/visible_devices.h"

namespace simgpu::nvml {
namespace {

std::atomic<int> g_initializations{0};

// By where the compute instance lies, so that unused slices leave holes as they do on a real GPU.
unsigned MigIndex(const DeviceRef& device) {
  return device.instance->placement_start + device.compute->placement_start;
}

std::unique_ptr<const Inventory> TakeInventory(const Topology* topology) {
  auto inventory = std::make_unique<Inventory>();
  inventory->topology = topology;
  for (uint32_t i = 0; i < topology->gpus.size(); ++i) {
    inventory->gpus.push_back({{i, &topology->gpus[i], nullptr, nullptr}, i});
  }
  for (const DeviceRef& device : AllDevices(*topology)) {
    if (device.is_mig()) inventory->mig_devices.push_back({device, MigIndex(device)});
  }
  for (const DeviceHandle& gpu : inventory->gpus) {
    for (const GpuInstance& instance : gpu.ref.gpu->instances) {
      inventory->gpu_instances.push_back({&gpu, &instance});
      for (const ComputeInstance& compute : instance.compute_instances) {
        inventory->compute_instances.push_back({&inventory->gpu_instances.back(), &compute});
      }
    }
  }
  return inventory;
}

bool Owns(const std::deque<DeviceHandle>& handles, const DeviceHandle* handle) {
  return std::any_of(handles.begin(), handles.end(), [&](const DeviceHandle& known) { return &known == handle; });
}

bool GpuIsLost() {
  static const uint64_t at_call = FaultNumber("nvml-gpu-lost");
  static std::atomic<uint64_t> calls{0};
  return at_call != 0 && calls.fetch_add(1, std::memory_order_relaxed) + 1 >= at_call;
}

}  // namespace

const Inventory* TheInventory() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  // Handles of what was there before are no longer valid, as on a GPU that was cut anew. Another thread may be in the
  // middle of a question about one, so that what they point to stays for the life of the process.
  static auto& inventories = *new std::vector<std::unique_ptr<const Inventory>>;
  const Topology* const topology = CurrentTopology();
  if (topology == nullptr) return nullptr;
  if (inventories.empty() || inventories.back()->topology != topology) inventories.push_back(TakeInventory(topology));
  return inventories.back().get();
}

nvmlReturn_t Initialize() {
  if (TheInventory() == nullptr) return NVML_ERROR_DRIVER_NOT_LOADED;
  g_initializations.fetch_add(1);
  return NVML_SUCCESS;
}

nvmlReturn_t Shutdown() {
  int count = g_initializations.load();
  while (count > 0 && !g_initializations.compare_exchange_weak(count, count - 1)) {
  }
  return count > 0 ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

std::optional<nvmlReturn_t> Refusal(const char* function) {
  if (HasInjectedFailures()) {
    if (const std::optional<int> code = InjectedFailure(function)) return *code;
  }
  if (g_initializations.load() == 0) return NVML_ERROR_UNINITIALIZED;
  return std::nullopt;
}

std::optional<nvmlReturn_t> Refusal(const char* function, nvmlDevice_t device, const DeviceHandle** handle) {
  if (const std::optional<nvmlReturn_t> refusal = Refusal(function)) return refusal;
  *handle = reinterpret_cast<const DeviceHandle*>(device);
  const Inventory& inventory = *TheInventory();
  if (!Owns(inventory.gpus, *handle) && !Owns(inventory.mig_devices, *handle)) return NVML_ERROR_INVALID_ARGUMENT;
  if (GpuIsLost()) return NVML_ERROR_GPU_IS_LOST;
  return std::nullopt;
}

bool IsPrivileged() { return !TheInventory()->topology->restricted && !FaultSwitch("nvml-no-permission"); }

nvmlReturn_t CopyText(const std::string& text, char* buffer, unsigned length) {
  if (buffer == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (text.size() >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return NVML_SUCCESS;
}

}  // namespace simgpu::nvml
