// SPDX-License-Identifier: Apache-2.0
#include "cudart/door.h"

#include <mutex>
#include <set>
#include <string>

#include "base/complain.h"
#include "base/faults.h"

namespace simgpu::runtime {

cudaError_t FaultOf(const Entry& entry) {
  return static_cast<cudaError_t>(InjectedFailure(entry.name).value_or(cudaSuccess));
}

cudaError_t NotSimulated(const Entry& entry) {
  static std::mutex& mutex = *new std::mutex;
  static std::set<std::string>& said = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  if (said.insert(entry.name).second) Complain("%s is not simulated; it returns cudaErrorNotSupported", entry.name);
  return Fail(cudaErrorNotSupported);
}

uint64_t RuntimeCallNs() {
  static const uint64_t ns = [] {
    const Topology* const topology = LinkedDriver()->TopologyOrNull();
    return (topology != nullptr ? topology->model : TimeModel{}).runtime_call_ns;
  }();
  return ns;
}

}  // namespace simgpu::runtime
