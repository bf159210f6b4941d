// SPDX-License-Identifier: Apache-2.0
#include "nvml/usage.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>

#include "base/process_board.h"
#include "nvml/handles.h"
#include "simgpu_private.h"

namespace simgpu::nvml {
namespace {

// The driver of this very process, if it uses CUDA.
Driver* DriverInUse() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  const auto find = reinterpret_cast<Driver* (*)(uint32_t)>(dlsym(library, "simgpu_driver"));
  Driver* const driver = find != nullptr ? find(kInterfaceVersion) : nullptr;
  return driver != nullptr && driver->Initialized() ? driver : nullptr;
}

void AddOwnUse(std::vector<ProcessUse>* uses) {
  Driver* const driver = DriverInUse();
  if (driver == nullptr) return;
  const std::vector<ContextFacts> contexts = driver->Contexts();
  for (uint32_t i = 0; i < driver->Devices().size(); ++i) {
    const bool has_context =
        std::any_of(contexts.begin(), contexts.end(), [&](const ContextFacts& c) { return c.device == i; });
    uses->push_back(
        {static_cast<uint32_t>(getpid()), driver->Devices()[i], driver->MemoryInUse(i), has_context, IsMpsClient()});
  }
}

const DeviceRef* FindDevice(const std::string& uuid) {
  for (const std::deque<DeviceHandle>* handles : {&TheInventory()->gpus, &TheInventory()->mig_devices}) {
    for (const DeviceHandle& handle : *handles) {
      if (handle.ref.uuid_text() == uuid) return &handle.ref;
    }
  }
  return nullptr;
}

std::vector<ProcessUse> AllUses() {
  std::vector<ProcessUse> uses;
  AddOwnUse(&uses);
  for (const ForeignUse& foreign : ReadForeignUse()) {
    const DeviceRef* const device = FindDevice(foreign.device);
    if (device != nullptr) uses.push_back({foreign.pid, *device, foreign.bytes, true, foreign.mps_client});
  }
  return uses;
}

// Topologies are read once per library, so that devices are compared by what they are called.
bool Covers(const DeviceRef& device, const DeviceRef& used) {
  return device.gpu_index == used.gpu_index && (!device.is_mig() || device.compute->uuid == used.compute->uuid);
}

bool SharesMemory(const DeviceRef& device, const DeviceRef& used) {
  return device.gpu_index == used.gpu_index && (!device.is_mig() || device.instance->id == used.instance->id);
}

}  // namespace

std::vector<ProcessUse> UsesOf(const DeviceRef& device) {
  std::vector<ProcessUse> uses = AllUses();
  std::erase_if(uses, [&](const ProcessUse& use) { return !use.has_context || !Covers(device, use.device); });
  return uses;
}

uint64_t MemoryInUse(const DeviceRef& device) {
  uint64_t bytes = 0;
  for (const ProcessUse& use : AllUses()) {
    if (SharesMemory(device, use.device)) bytes += use.bytes;
  }
  return std::min(bytes, device.memory_bytes());
}

}  // namespace simgpu::nvml
