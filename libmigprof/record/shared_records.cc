// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/shared_records.h"

#include <cstring>
#include <optional>

#include "libmigprof/record/cupti_layout.h"

namespace migprof::record {
namespace {

using layout::Load;

// Of the kinds that the recorder asks for; 0 for those of them that are of no call.
std::optional<uint32_t> CorrelationOf(const CUpti_Activity* record) {
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      return Load<uint32_t>(record, layout::kernel::kCorrelation);
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      return Load<uint32_t>(record, layout::memcpy_record::kCorrelation);
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
      return Load<uint32_t>(record, layout::memcpy_peer::kCorrelation);
    case CUPTI_ACTIVITY_KIND_MEMSET:
      return Load<uint32_t>(record, layout::memset_record::kCorrelation);
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
      return Load<uint32_t>(record, layout::graph_trace::kCorrelation);
    case CUPTI_ACTIVITY_KIND_MEMORY2:
      return Load<uint32_t>(record, layout::memory::kCorrelation);
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
      return Load<uint32_t>(record, layout::synchronization::kCorrelation);
    case CUPTI_ACTIVITY_KIND_CONTEXT:
    case CUPTI_ACTIVITY_KIND_DEVICE:
      return 0;
    default:
      return std::nullopt;
  }
}

bool IsUpTo(uint32_t correlation, uint32_t last) { return static_cast<int32_t>(correlation - last) <= 0; }

// Calls `visit` with each record and its size.
template <typename Visitor>
void ForEachRecord(const CuptiApi& cupti, const uint8_t* data, size_t bytes, Visitor&& visit) {
  auto* const begin = const_cast<uint8_t*>(data);  // CUPTI only reads
  CUpti_Activity* record = nullptr;
  if (cupti.activity_get_next_record(begin, bytes, &record) != CUPTI_SUCCESS) return;
  for (;;) {
    const CUpti_Activity* const current = record;
    const bool more = cupti.activity_get_next_record(begin, bytes, &record) == CUPTI_SUCCESS;
    const auto* const end = more ? reinterpret_cast<const uint8_t*>(record) : data + bytes;
    visit(current, static_cast<size_t>(end - reinterpret_cast<const uint8_t*>(current)));
    if (!more) return;
  }
}

}  // namespace

size_t CopyNewer(const CuptiApi& cupti, const uint8_t* data, size_t bytes, uint32_t last_own, uint8_t* to,
                 size_t room) {
  size_t copied = 0;
  ForEachRecord(cupti, data, bytes, [&](const CUpti_Activity* record, size_t size) {
    const std::optional<uint32_t> correlation = CorrelationOf(record);
    if (correlation && (*correlation == 0 || IsUpTo(*correlation, last_own))) return;
    if (to != nullptr && copied + size > room) return;
    if (to != nullptr) std::memcpy(to + copied, record, size);
    copied += size;
  });
  return copied;
}

void AdoptRecords(const CuptiApi& cupti, const uint8_t* data, size_t bytes, ActivityBuffers* buffers) {
  ActivityBuffer* buffer = nullptr;
  size_t used = 0;
  ForEachRecord(cupti, data, bytes, [&](const CUpti_Activity* record, size_t size) {
    if (buffer != nullptr && used + size > buffer->capacity) {
      buffers->Complete(buffer, used);
      buffer = nullptr;
    }
    if (buffer == nullptr) {
      used = 0;
      buffer = buffers->Take();
      if (buffer == nullptr) return;  // counted as refused
    }
    std::memcpy(buffer->data() + used, record, size);
    used += size;
  });
  if (buffer != nullptr) buffers->Complete(buffer, used);
}

}  // namespace migprof::record
