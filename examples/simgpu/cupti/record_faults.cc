// SPDX-License-Identifier: Apache-2.0
#include "cupti/record_faults.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "base/faults.h"
#include "cupti/api_version.h"

namespace simgpu::cupti {
namespace {

// No process has so many.
constexpr uint32_t kForeignContext = 4'000'000;

struct StampOffsets {
  size_t start;
  size_t end;
};

// Where work of the GPU keeps its times; all zero for other kinds.
StampOffsets StampsOf(uint32_t kind) {
  switch (kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      return {offsetof(CUpti_ActivityKernel10, start), offsetof(CUpti_ActivityKernel10, end)};
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      return {offsetof(CUpti_ActivityMemcpy6, start), offsetof(CUpti_ActivityMemcpy6, end)};
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
      return {offsetof(CUpti_ActivityMemcpyPtoP4, start), offsetof(CUpti_ActivityMemcpyPtoP4, end)};
    case CUPTI_ACTIVITY_KIND_MEMSET:
      return {offsetof(CUpti_ActivityMemset4, start), offsetof(CUpti_ActivityMemset4, end)};
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
      return {offsetof(CUpti_ActivityGraphTrace2, start), offsetof(CUpti_ActivityGraphTrace2, end)};
    default:
      return {0, 0};
  }
}

uint32_t KindOf(const uint8_t* record) {
  uint32_t kind;
  std::memcpy(&kind, record, sizeof(kind));
  return kind;
}

void ClearIfLater(uint8_t* stamp, uint64_t now_ns) {
  uint64_t time_ns;
  std::memcpy(&time_ns, stamp, sizeof(time_ns));
  if (time_ns > now_ns) std::memset(stamp, 0, sizeof(time_ns));
}

}  // namespace

size_t BytesOfRecord(const uint8_t* record) {
  const uint32_t kind = KindOf(record);
  return kind == kUnknownKind ? kUnknownKindBytes : RecordBytes(kind);
}

void ClearIncomplete(uint8_t* buffer, size_t used, uint64_t now_ns) {
  for (size_t position = 0; position < used; position += BytesOfRecord(buffer + position)) {
    const uint32_t kind = KindOf(buffer + position);
    const StampOffsets stamps = StampsOf(kind);
    if (stamps.end == 0) continue;
    ClearIfLater(buffer + position + stamps.start, now_ns);
    ClearIfLater(buffer + position + stamps.end, now_ns);
    const bool is_kernel = kind == CUPTI_ACTIVITY_KIND_KERNEL || kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
    if (is_kernel) ClearIfLater(buffer + position + offsetof(CUpti_ActivityKernel10, completed), now_ns);
  }
}

void ShuffleIfAsked(uint8_t* buffer, size_t used) {
  static const uint64_t seed = FaultNumber("shuffle", 1);
  if (seed == 0) return;
  const std::vector<uint8_t> copy(buffer, buffer + used);
  std::vector<std::pair<size_t, size_t>> records;
  for (size_t position = 0; position < used;) {
    const size_t bytes = BytesOfRecord(copy.data() + position);
    records.emplace_back(position, bytes);
    position += bytes;
  }
  std::mt19937_64 random(seed);
  std::shuffle(records.begin(), records.end(), random);
  for (const auto& [position, bytes] : records) {
    std::memcpy(buffer, copy.data() + position, bytes);
    buffer += bytes;
  }
}

void SpoilIds(CUpti_ActivityKernel10* record) {
  static FaultEvery& zero = *new FaultEvery("zero-correlations");
  static FaultEvery& foreign = *new FaultEvery("foreign-contexts");
  if (zero.Due()) record->correlationId = 0;
  if (foreign.Due()) record->contextId = kForeignContext;
}

void SpoilStamps(CUpti_ActivityKernel10* record) {
  static FaultEvery& zero = *new FaultEvery("zero-stamps");
  static FaultEvery& swap = *new FaultEvery("swap-stamps");
  if (zero.Due()) record->start = record->end = record->completed = 0;
  if (swap.Due()) {
    // Packed members have no addresses to swap.
    const uint64_t start = record->start;
    record->start = record->end;
    record->end = start;
  }
}

}  // namespace simgpu::cupti
