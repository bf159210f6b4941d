// SPDX-License-Identifier: Apache-2.0
// A program that makes the simulated CUPTI write every kind of record it knows.
#pragma once

#include <cupti.h>

#include <initializer_list>

namespace simgpu::test {

inline constexpr std::initializer_list<CUpti_ActivityKind> kEveryKind = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                                                         CUPTI_ACTIVITY_KIND_KERNEL,
                                                                         CUPTI_ACTIVITY_KIND_MEMCPY,
                                                                         CUPTI_ACTIVITY_KIND_MEMCPY2,
                                                                         CUPTI_ACTIVITY_KIND_MEMSET,
                                                                         CUPTI_ACTIVITY_KIND_DRIVER,
                                                                         CUPTI_ACTIVITY_KIND_RUNTIME,
                                                                         CUPTI_ACTIVITY_KIND_DEVICE,
                                                                         CUPTI_ACTIVITY_KIND_CONTEXT,
                                                                         CUPTI_ACTIVITY_KIND_STREAM,
                                                                         CUPTI_ACTIVITY_KIND_MEMORY2,
                                                                         CUPTI_ACTIVITY_KIND_MEMORY_POOL,
                                                                         CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
                                                                         CUPTI_ACTIVITY_KIND_CUDA_EVENT,
                                                                         CUPTI_ACTIVITY_KIND_GRAPH_TRACE,
                                                                         CUPTI_ACTIVITY_KIND_OVERHEAD,
                                                                         CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION};

// Enables all kinds, does something of each, and flushes. An ActivityRecorder has to be there. Needs two devices.
void EmitEveryKind();

}  // namespace simgpu::test
