// SPDX-License-Identifier: Apache-2.0
#include "driver/process.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

#include "base/faults.h"
#include "base/visible_devices.h"
#include "driver/door.h"
#include "driver/injection.h"

namespace simgpu::driver {

thread_local ThreadCall t_call;

namespace {

// Close to where the 32 bits of a correlation id wrap around.
constexpr uint32_t kHighCorrelationId = UINT32_MAX - 200;

std::optional<std::string> Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

Process& Process::Get() {
  static Process& process = *new Process;  // for the life of the process
  return process;
}

Process::Process() : gate(kGateUninitialized) {
  if (HasInjectedFailures()) gate |= kGateInjectedFailures;
  if (Environment("SIMGPU_LEDGER_CALLS") == "1") gate |= kGateLedgerOfCalls;
  if (FaultSwitch("high-correlation-ids")) next_correlation_id_ = kHighCorrelationId;
}

Device* Process::DeviceAt(CUdevice ordinal) const {
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= devices_.size()) return nullptr;
  return devices_[static_cast<size_t>(ordinal)].get();
}

CUresult Process::Initialize() {
  // Recursive: a profiler may call cuInit while it is being injected. That call has to return without waiting for this
  // one.
  static std::recursive_mutex& mutex = *new std::recursive_mutex;
  static thread_local bool injecting = false;
  if (forked()) return ForkedInitResult();
  if (injecting) return CUDA_ERROR_NOT_INITIALIZED;
  const std::lock_guard lock(mutex);
  injecting = true;
  InjectProfiler();
  injecting = false;
  if (enumerated_) return result_;
  enumerated_ = true;
  result_ = EnumerateDevices();
  parent_had_devices_ = result_ == CUDA_SUCCESS;
  pthread_atfork(nullptr, nullptr, &Process::AfterForkInChild);
  if (result_ == CUDA_SUCCESS) {
    gate.fetch_and(~static_cast<uint32_t>(kGateUninitialized), std::memory_order_release);
    if (Tool* const attached = AttachedTool()) attached->DriverInitialized();
  }
  return result_;
}

CUresult Process::EnumerateDevices() {
  const Topology* const topology = ProcessTopology();
  if (topology == nullptr) return CUDA_ERROR_NO_DEVICE;
  g_driver_call_ns.store(topology->model.driver_call_ns, std::memory_order_relaxed);
  device_refs_ = VisibleDevices(*topology, Environment("CUDA_VISIBLE_DEVICES"));
  for (size_t i = 0; i < device_refs_.size(); ++i) {
    devices_.push_back(std::make_unique<Device>(static_cast<uint32_t>(i), device_refs_[i]));
  }
  if (PostedUse* const posted = PostUse(device_refs_)) {
    for (size_t i = 0; i < devices_.size(); ++i) {
      devices_[i]->posted = &posted[i];
      devices_[i]->arena.PostUsedTo(&posted[i].bytes);
    }
  }
  return devices_.empty() ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
}

void Process::AfterForkInChild() { Get().gate.fetch_or(kGateForkedChild, std::memory_order_relaxed); }

}  // namespace simgpu::driver
