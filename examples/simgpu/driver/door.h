// SPDX-License-Identifier: Apache-2.0
// What every exported function of libcuda.so.1 does before and after its own work. Used by the generated doors.cc.
#pragma once

#include <cuda.h>
#include <cudaProfiler.h>
#include <cupti_driver_cbid.h>
// Needs the types of cuda.h.
#include <generated_cuda_meta.h>
#include <exception>

#include "base/door.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/process.h"

namespace simgpu::driver {

using simgpu::Entry;

// Host time of one driver call.
extern std::atomic<uint64_t> g_driver_call_ns;

// The error with which a call has to be turned away, or CUDA_SUCCESS.
CUresult Refusal(const Entry& entry, uint32_t gate);

// The error that SIMGPU_FAULTS has for this call, or CUDA_SUCCESS. A profiler sees the call all the same.
CUresult FaultOf(const Entry& entry, uint32_t gate);

// Writes a call of the calling thread into the ledger.
void NoteCall(const Entry& entry, uint64_t start_ns, uint64_t end_ns);

// The answer of a function that has no body; names it on stderr the first time.
CUresult NotSimulated(const Entry& entry);

// The name of the kernel that a launch is about.
const char* KernelName(const void* function_or_kernel);

template <class Body>
[[gnu::noinline]] CUresult RunWatched(Tool* tool, uint8_t interest, const Entry& entry, const void* parameters,
                                      const void* kernel, Body&& body) {
  ApiCall call = {};
  call.domain = CUPTI_CB_DOMAIN_DRIVER_API;
  call.callback_id = entry.callback_id;
  call.function = entry.name;
  call.parameters = parameters;
  call.symbol = kernel != nullptr ? KernelName(kernel) : nullptr;
  call.correlation_id = t_call.correlation_id;
  const auto fill_context = [](ApiCall* filled) {
    Context* const context = CurrentContext();
    filled->context = HandleOf(context);
    filled->context_id = context != nullptr ? context->id : 0;
  };
  return RunReported<CUresult>(
      tool, interest, &call, [] { return Clock::Get().NowNs(); }, fill_context, body);
}

template <class Body>
inline CUresult Pass(const Entry& entry, const void* parameters, const void* kernel, Body&& body) {
  Process& process = Process::Get();
  CUresult fault = CUDA_SUCCESS;
  if (const uint32_t gate = process.gate.load(std::memory_order_acquire); gate != 0) [[unlikely]] {
    if (const CUresult refusal = Refusal(entry, gate); refusal != CUDA_SUCCESS) return refusal;
    fault = FaultOf(entry, gate);
  }
  if (t_call.in_host_function) [[unlikely]]
    return CUDA_ERROR_NOT_PERMITTED;
  const CallScope scope(&t_call, entry, [&] { return process.NewCorrelationId(); });
  Clock& clock = Clock::Get();
  Tool* const tool = process.tool.load(std::memory_order_acquire);
  uint8_t interest = kNoInterest;
  if (tool != nullptr) interest = tool->interest.driver[entry.callback_id].load(std::memory_order_relaxed);
  const auto guarded_body = [&] {
    if (fault != CUDA_SUCCESS) return fault;
    try {
      return body();
    } catch (const std::exception&) {  // no memory, no thread to be had
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
  };
  const auto timed_body = [&] {
    const bool noted = (process.gate.load(std::memory_order_relaxed) & kGateLedgerOfCalls) != 0;
    const uint64_t start = noted ? clock.NowNs() : 0;
    clock.Spend(g_driver_call_ns.load(std::memory_order_relaxed));
    const CUresult result = guarded_body();
    if (noted) [[unlikely]]
      NoteCall(entry, start, clock.NowNs());
    return result;
  };
  if (interest == kNoInterest) [[likely]]
    return timed_body();
  return RunWatched(tool, interest, entry, parameters, kernel, timed_body);
}

}  // namespace simgpu::driver
