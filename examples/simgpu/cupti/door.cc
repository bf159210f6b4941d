// SPDX-License-Identifier: Apache-2.0
#include "cupti/door.h"

#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/complain.h"
#include "base/faults.h"
#include "cupti/api_version.h"
#include "cupti/driver_link.h"

namespace simgpu::cupti {

CUptiResult Refusal(const Entry& entry) {
  if (HasInjectedFailures()) {
    if (const std::optional<int> code = InjectedFailure(entry.name)) return static_cast<CUptiResult>(*code);
  }
  if (entry.since > ApiVersion()) return CUPTI_ERROR_NOT_SUPPORTED;
  if (!entry.needs_driver) return CUPTI_SUCCESS;
  Driver* const driver = LinkedDriver();
  // The documentation promises NOT_INITIALIZED; 13.0 says UNKNOWN.
  if (driver == nullptr || FaultSwitch("old-driver")) {
    return ApiVersion() >= kApi130 ? CUPTI_ERROR_UNKNOWN : CUPTI_ERROR_NOT_INITIALIZED;
  }
  // A driver without a GPU is one that cannot be initialised.
  const Topology* const topology = driver->TopologyOrNull();
  const bool usable = !driver->Forked() && topology != nullptr && !topology->gpus.empty();
  return usable ? CUPTI_SUCCESS : CUPTI_ERROR_NOT_INITIALIZED;
}

CUptiResult NotSimulated(const Entry& entry) {
  static std::mutex& mutex = *new std::mutex;
  static std::set<std::string>& said = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  if (said.insert(entry.name).second) Complain("%s is not simulated; it returns CUPTI_ERROR_NOT_SUPPORTED", entry.name);
  return CUPTI_ERROR_NOT_SUPPORTED;
}

}  // namespace simgpu::cupti
