// SPDX-License-Identifier: Apache-2.0
// What application threads say to the drain thread. Lives only in memory, between two threads of one build.
#pragma once

#include <cstdint>

#include "libmigprof/record/spsc_ring.h"

namespace migprof::record {

// A CUDA API call was entered. `header.flags` holds format::kCallStack… bits.
struct CallRecord {
  RingRecordHeader header;
  uint64_t time_ns;     // CUPTI's clock
  uint64_t stack_hash;  // 0: no stack
  uint32_t context;     // CUPTI's context id
  uint32_t callback_id;
  uint64_t range_hash;  // of the innermost open range; 0: none
};
static_assert(sizeof(CallRecord) == 40);

// The frames behind a stack hash, innermost first; sent before the first call that uses them, and again whenever the
// thread does not remember having sent them.
struct StackRecord {
  RingRecordHeader header;
  uint64_t hash;
  // followed by (header.bytes - 16) / 8 return addresses

  uint32_t depth() const { return (header.bytes - sizeof(StackRecord)) / sizeof(uint64_t); }
  const uint64_t* frames() const { return reinterpret_cast<const uint64_t*>(this + 1); }
};
static_assert(sizeof(StackRecord) == 16);

// What became of a call that will have no GPU activity of its own. `header.flags` holds a format::CallOutcome.
struct OutcomeRecord {
  RingRecordHeader header;
  uint64_t detail;
  uint32_t context;
  uint32_t reserved;
};
static_assert(sizeof(OutcomeRecord) == 24);

// Something happened to `count` nodes of CUDA graphs with ids (and origins, if not 0) that follow each other.
// `header.flags` holds a format::GraphNodeEvent, `header.correlation` the recorded call it happened in, or 0.
struct GraphNodesRecord {
  RingRecordHeader header;
  uint64_t time_ns;  // CUPTI's clock, of the first
  uint64_t node;
  uint64_t origin;
  uint32_t context;
  uint32_t count;
};
static_assert(sizeof(GraphNodesRecord) == 40);

// The range behind a range hash; sent before the first call inside of it, after the ranges around it. `header.flags` is
// 1 for one that is started and ended, 0 for one that is pushed and popped.
struct RangeRecord {
  RingRecordHeader header;
  uint64_t hash;
  uint64_t parent_hash;  // of the range around it; 0: none
  uint16_t domain_length;
  uint16_t name_length;
  uint32_t reserved;
  // followed by domain and name

  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
};
static_assert(sizeof(RangeRecord) == 32);

}  // namespace migprof::record
