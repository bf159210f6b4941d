// SPDX-License-Identifier: Apache-2.0
#include "driver/door.h"

#include <mutex>
#include <set>
#include <string>

#include "base/complain.h"
#include "base/faults.h"

namespace simgpu::driver {

std::atomic<uint64_t> g_driver_call_ns{TimeModel{}.driver_call_ns};

CUresult Refusal(const Entry& entry, uint32_t gate) {
  const bool works_at_all = (gate & (kGateForkedChild | kGateUninitialized)) == 0;
  return works_at_all || entry.before_initialization ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult FaultOf(const Entry& entry, uint32_t gate) {
  if ((gate & kGateInjectedFailures) == 0) return CUDA_SUCCESS;
  return static_cast<CUresult>(InjectedFailure(entry.name).value_or(CUDA_SUCCESS));
}

CUresult NotSimulated(const Entry& entry) {
  static std::mutex& mutex = *new std::mutex;
  static std::set<std::string>& said = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  if (said.insert(entry.name).second) Complain("%s is not simulated; it returns CUDA_ERROR_NOT_SUPPORTED", entry.name);
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace simgpu::driver
