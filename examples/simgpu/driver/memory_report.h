// SPDX-License-Identifier: Apache-2.0
// Telling a profiler of memory that was taken or given back.
#pragma once

#include <cstdint>

#include "driver/memory.h"

namespace simgpu::driver {

// `stream_id` is 0 for a call that belongs to no stream.
void ReportAllocation(const Allocation& allocation, uint32_t stream_id = 0);
void ReportRelease(const Allocation& allocation, uint32_t stream_id = 0);

}  // namespace simgpu::driver
