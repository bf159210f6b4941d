// SPDX-License-Identifier: Apache-2.0
// Writing activity records. Each is filled in its newest form and cut to the size of the version that is emulated.
#pragma once

#include <cupti_activity.h>

#include <cstdint>

#include "simgpu_private.h"

namespace simgpu::cupti {

// Writes a finished record of any kind; `complete_ns` is when it is complete, in the driver's time, or 0.
void WriteRecord(const void* record, uint64_t complete_ns);

void WriteKernel(const Work& work);
void WriteCopy(const Work& work);
void WriteMemset(const Work& work);
void WriteGraphTrace(const GraphLaunch& launch);

void WriteApi(const ApiCall& call, uint64_t end_ns, uint32_t result);
void WriteSynchronization(const Synchronization& synchronization);
void WriteCudaEvent(const EventRecord& event);
void WriteMemory(const MemoryOperation& operation);
void WritePool(const PoolOperation& operation);

void WriteDevice(const DeviceRef& device, uint32_t ordinal, bool visible);
void WriteContext(const ContextFacts& context);
void WriteStream(const StreamFacts& stream);
void WriteFlushOverhead(uint64_t start_ns, uint64_t end_ns);

// The id by which records name the calling thread.
uint32_t ThreadId();

}  // namespace simgpu::cupti
