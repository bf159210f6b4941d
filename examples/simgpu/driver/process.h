// SPDX-License-Identifier: Apache-2.0
// The state of the driver in this process: whether it is initialised, its devices, the profiler that watches it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "driver/device.h"
#include "simgpu_private.h"

namespace simgpu::driver {

// Reasons why a call may not go straight to its body. All clear once cuInit has succeeded and nothing is out of the
// ordinary.
enum Gate : uint32_t {
  kGateUninitialized = 1,
  kGateForkedChild = 2,       // of a process that had called cuInit
  kGateInjectedFailures = 4,  // SIMGPU_FAULTS names functions
  kGateLedgerOfCalls = 8,     // SIMGPU_LEDGER_CALLS: calls go into the ledger too
};

class Process {
 public:
  static Process& Get();

  // cuInit: injects a profiler, enumerates the devices. Every thread, any number of times.
  CUresult Initialize();

  bool initialized() const { return (gate.load(std::memory_order_acquire) & kGateUninitialized) == 0; }
  bool forked() const { return (gate.load(std::memory_order_relaxed) & kGateForkedChild) != 0; }
  // What cuInit says in a forked child: 3 where the parent had devices, 304 where it had none.
  CUresult ForkedInitResult() const {
    return parent_had_devices_ ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_OPERATING_SYSTEM;
  }

  // Null when `ordinal` names none.
  Device* DeviceAt(CUdevice ordinal) const;
  const std::vector<std::unique_ptr<Device>>& devices() const { return devices_; }
  const std::vector<DeviceRef>& device_refs() const { return device_refs_; }

  uint32_t NewCorrelationId() {
    const uint32_t id = next_correlation_id_.fetch_add(1, std::memory_order_relaxed);
    return id != 0 ? id : NewCorrelationId();  // 0 means none
  }

  std::atomic<uint32_t> gate;
  std::atomic<Tool*> tool{nullptr};

 private:
  Process();
  CUresult EnumerateDevices();
  static void AfterForkInChild();

  std::atomic<uint32_t> next_correlation_id_{1};
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<DeviceRef> device_refs_;
  CUresult result_ = CUDA_ERROR_NOT_INITIALIZED;
  bool enumerated_ = false;
  bool parent_had_devices_ = false;
};

// The call in progress on this thread.
extern thread_local ThreadCall t_call;

inline Tool* AttachedTool() { return Process::Get().tool.load(std::memory_order_acquire); }

}  // namespace simgpu::driver
