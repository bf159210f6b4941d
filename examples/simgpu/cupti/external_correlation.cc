// SPDX-License-Identifier: Apache-2.0
#include "cupti/external_correlation.h"

#include "cupti/activity_kinds.h"
#include "cupti/records.h"

namespace simgpu::cupti {
namespace {

// Without a destructor: calls are still made after the destructors of thread-local objects have run.
struct IdStack {
  static constexpr uint32_t kMaxDepth = 64;
  uint64_t ids[kMaxDepth];
  uint32_t depth;
};
thread_local IdStack t_stacks[CUPTI_EXTERNAL_CORRELATION_KIND_SIZE];

bool IsKind(CUpti_ExternalCorrelationKind kind) {
  return kind > CUPTI_EXTERNAL_CORRELATION_KIND_INVALID && kind < CUPTI_EXTERNAL_CORRELATION_KIND_SIZE;
}

}  // namespace

CUptiResult PushExternalId(CUpti_ExternalCorrelationKind kind, uint64_t id) {
  if (!IsKind(kind)) return CUPTI_ERROR_INVALID_PARAMETER;
  IdStack& stack = t_stacks[kind];
  if (stack.depth == IdStack::kMaxDepth) return CUPTI_ERROR_MAX_LIMIT_REACHED;
  stack.ids[stack.depth++] = id;
  return CUPTI_SUCCESS;
}

CUptiResult PopExternalId(CUpti_ExternalCorrelationKind kind, uint64_t* last) {
  if (!IsKind(kind)) return CUPTI_ERROR_INVALID_PARAMETER;
  IdStack& stack = t_stacks[kind];
  if (stack.depth == 0) return CUPTI_ERROR_QUEUE_EMPTY;
  --stack.depth;
  if (last != nullptr) *last = stack.ids[stack.depth];
  return CUPTI_SUCCESS;
}

void WriteExternalCorrelations(uint32_t correlation_id) {
  if (!ActivityKinds::Get().IsEnabled(CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION)) return;
  for (uint32_t kind = 1; kind < CUPTI_EXTERNAL_CORRELATION_KIND_SIZE; ++kind) {
    const IdStack& stack = t_stacks[kind];
    if (stack.depth == 0) continue;
    CUpti_ActivityExternalCorrelation record = {};
    record.kind = CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION;
    record.externalKind = static_cast<CUpti_ExternalCorrelationKind>(kind);
    record.externalId = stack.ids[stack.depth - 1];
    record.correlationId = correlation_id;
    WriteRecord(&record, 0);
  }
}

}  // namespace simgpu::cupti
