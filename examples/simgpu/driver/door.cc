// SPDX-License-Identifier: Apache-2.0
#include "driver/door.h"

#include <unistd.h>

#include <mutex>
#include <set>
#include <string>

#include "base/complain.h"
#include "base/faults.h"
#include "driver/ledger.h"

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

void NoteCall(const Entry& entry, uint64_t start_ns, uint64_t end_ns) {
  Ledger* const ledger = Ledger::ForProcess();
  if (ledger == nullptr) return;
  const Context* const context = CurrentContext();
  ledger->AppendCall(context != nullptr ? std::string_view(context->device->slice) : std::string_view(),
                     {entry.name, start_ns, end_ns, t_call.correlation_id, static_cast<uint32_t>(gettid())});
}

CUresult NotSimulated(const Entry& entry) {
  static std::mutex& mutex = *new std::mutex;
  static std::set<std::string>& said = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  if (said.insert(entry.name).second) Complain("%s is not simulated; it returns CUDA_ERROR_NOT_SUPPORTED", entry.name);
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace simgpu::driver
