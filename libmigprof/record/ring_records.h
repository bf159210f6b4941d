// SPDX-License-Identifier: Apache-2.0
// What application threads say to the drain thread. Lives only in memory, between two threads of one build.
#pragma once

#include <cstdint>

#include "libmigprof/record/spsc_ring.h"

namespace migprof::record {

// Whose records follow: the first that every owner of a slot sends.
struct OwnerRecord {
  RingRecordHeader header;
  uint32_t serial;
  uint32_t system_thread_id;
};
static_assert(sizeof(OwnerRecord) == 16);

// A CUDA API call was entered. `header.flags` holds format::kCallStack… bits and, above kCallFlagBits, the binary
// logarithm of how many calls the stack stands for.
inline constexpr unsigned kCallFlagBits = 4;
struct CallRecord {
  RingRecordHeader header;
  uint64_t time_ns;            // CUPTI's clock
  uint64_t stack_hash;         // 0: no stack
  uint64_t python_stack_hash;  // 0: no Python frames
  uint32_t context;            // CUPTI's context id
  uint32_t callback_id;
  uint64_t range_hash;  // of the innermost open range; 0: none
};
static_assert(sizeof(CallRecord) == 48);

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

// One frame of a Python stack.
inline constexpr int32_t kNoLine = INT32_MIN;
struct PythonFrame {
  uint64_t code;      // of the PythonCodeRecord
  int32_t lasti;      // offset of the running instruction in the code's bytes; -1 before the first; kNoLine: not asked
  uint32_t is_entry;  // 1: the outermost Python frame of one run of the interpreter's evaluation loop
};
static_assert(sizeof(PythonFrame) == 16);

// The Python frames behind a hash, innermost first; sent as a StackRecord is.
struct PythonStackRecord {
  RingRecordHeader header;
  uint64_t hash;
  // followed by (header.bytes - 16) / 16 frames

  uint32_t depth() const { return (header.bytes - sizeof(PythonStackRecord)) / sizeof(PythonFrame); }
  const PythonFrame* frames() const { return reinterpret_cast<const PythonFrame*>(this + 1); }
};
static_assert(sizeof(PythonStackRecord) == 16);

// A code object that a thread sees for the first time, copied because it may be freed before the drain thread looks.
// Followed, in the same ring and with nothing between, by PythonLinesRecords that hold `line_table_bytes` in all.
// `header.flags` holds a LineTableFormat, and kCutLineTable where only the first part of the table is sent.
inline constexpr uint8_t kCutLineTable = 0x80;
struct PythonCodeRecord {
  RingRecordHeader header;
  uint64_t code;  // hash of all that follows: equal code, equal number
  int32_t first_line;
  uint32_t line_table_bytes;
  uint32_t file_bytes;
  uint32_t name_bytes;
  // followed by file and name in UTF-8, and padding

  const char* file() const { return reinterpret_cast<const char*>(this + 1); }
  const char* name() const { return file() + file_bytes; }
};
static_assert(sizeof(PythonCodeRecord) == 32);

// A piece of the line table of the code object sent last. `header.correlation` holds the number of bytes, which follow.
struct PythonLinesRecord {
  RingRecordHeader header;

  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};
static_assert(sizeof(PythonLinesRecord) == 8);

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

// What the thread is called; sent before its first call. `header.correlation` holds the number of bytes, which follow;
// `header.flags` is 1 if it is Python's name for it, 0 if the system's at that time.
struct ThreadNameRecord {
  RingRecordHeader header;

  const char* text() const { return reinterpret_cast<const char*>(this + 1); }
};
static_assert(sizeof(ThreadNameRecord) == 8);

}  // namespace migprof::record
