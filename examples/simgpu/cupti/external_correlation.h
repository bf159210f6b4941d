// SPDX-License-Identifier: Apache-2.0
// Ids of the client's own that go with the calls a thread makes.
#pragma once

#include <cupti_activity.h>

#include <cstdint>

namespace simgpu::cupti {

CUptiResult PushExternalId(CUpti_ExternalCorrelationKind kind, uint64_t id);
// CUPTI_ERROR_QUEUE_EMPTY when nothing was pushed.
CUptiResult PopExternalId(CUpti_ExternalCorrelationKind kind, uint64_t* last);

// Ties the top ids of the calling thread to a call, whose own record comes next.
void WriteExternalCorrelations(uint32_t correlation_id);

}  // namespace simgpu::cupti
