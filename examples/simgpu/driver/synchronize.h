// SPDX-License-Identifier: Apache-2.0
// Waiting for the GPU.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace simgpu::driver {

struct Context;
struct Event;
struct Stream;

// Each blocks until the work is done, lets the clock get there, and reports the wait to a profiler.
CUresult SynchronizeContext(Context* context);
CUresult SynchronizeStream(Stream* stream);
CUresult SynchronizeEvent(Event* event);

// The wait at the end of a synchronous copy: no report of its own.
void WaitForStream(Stream* stream);

// Reports that the GPU was made to wait, or that the host did, from `start_ns` until now.
void ReportSynchronization(uint32_t type, const Context& context, uint32_t stream_id, uint32_t event_id,
                           uint64_t start_ns, CUresult result);

}  // namespace simgpu::driver
