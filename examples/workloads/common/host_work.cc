// SPDX-License-Identifier: Apache-2.0
#include "examples/workloads/common/host_work.h"

#include <dlfcn.h>

#include <chrono>

namespace workload {

void HostWork(uint64_t ns) {
  using Simulate = void (*)(uint64_t);
  static const auto simulate = reinterpret_cast<Simulate>(dlsym(RTLD_DEFAULT, "simgpu_host_work_ns"));
  if (simulate != nullptr) return simulate(ns);
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
  while (std::chrono::steady_clock::now() < end) {
  }
}

}  // namespace workload
