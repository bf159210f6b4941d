// SPDX-License-Identifier: Apache-2.0
// What every exported function of libcudart does before and after its own work. Used by the generated doors.cc.
#pragma once

#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>
#include <cupti_runtime_cbid.h>
// Needs the types of cuda_runtime_api.h.
#include <generated_cuda_runtime_api_meta.h>

#include "base/door.h"
#include "base/faults.h"
#include "cudart/driver_calls.h"
#include "cudart/registration.h"
#include "cudart/state.h"

namespace simgpu::runtime {

using simgpu::Entry;

// The answer of a function that has no body; names it on stderr the first time.
cudaError_t NotSimulated(const Entry& entry);

// The error that SIMGPU_FAULTS has for this call, or cudaSuccess. A profiler sees the call all the same.
cudaError_t FaultOf(const Entry& entry);

// Host time that a runtime call adds to those of the driver it makes.
uint64_t RuntimeCallNs();

template <class Body>
[[gnu::noinline]] cudaError_t RunWatched(Tool* tool, uint8_t interest, const Entry& entry, const void* parameters,
                                         const void* kernel, Body&& body) {
  Driver& driver = *LinkedDriver();
  ApiCall call = {};
  call.domain = CUPTI_CB_DOMAIN_RUNTIME_API;
  call.callback_id = entry.callback_id;
  call.function = entry.name;
  call.parameters = parameters;
  call.symbol = kernel != nullptr ? KernelName(kernel) : nullptr;
  call.correlation_id = driver.CurrentCall()->correlation_id;
  const auto fill_context = [&](ApiCall* filled) {
    filled->context = driver.CurrentContext();
    filled->context_id = 0;
    if (filled->context != nullptr) driver.ContextId(filled->context, &filled->context_id);
  };
  return RunReported<cudaError_t>(
      tool, interest, &call, [] { return LinkedDriver()->NowNs(); }, fill_context, body);
}

template <class Body>
cudaError_t Pass(const Entry& entry, const void* parameters, const void* kernel, Body&& body) {
  if (const cudaError_t refusal = Start(); refusal != cudaSuccess) return refusal;
  const cudaError_t fault = HasInjectedFailures() ? FaultOf(entry) : cudaSuccess;
  Driver& driver = *LinkedDriver();
  const CallScope scope(driver.CurrentCall(), entry, [&] { return driver.NewCorrelationId(); });
  Tool* const tool = driver.AttachedTool();
  uint8_t interest = kNoInterest;
  if (tool != nullptr) interest = tool->interest.runtime[entry.callback_id].load(std::memory_order_relaxed);
  const auto timed_body = [&] {
    driver.SpendHostTime(RuntimeCallNs());
    return fault == cudaSuccess ? body() : Fail(fault);
  };
  if (interest == kNoInterest) return timed_body();
  return RunWatched(tool, interest, entry, parameters, kernel, timed_body);
}

}  // namespace simgpu::runtime
