// SPDX-License-Identifier: Apache-2.0
// What every exported function of the driver and of the runtime does around its own work, for a profiler: callbacks at
// its entry and exit, and an activity record.
#pragma once

#include <atomic>
#include <cstdint>

#include "simgpu_private.h"

// On every function that a library offers; everything else is hidden.
#define SIMGPU_EXPORT __attribute__((visibility("default")))

namespace simgpu {

// One exported function; written by generate/doors.py.
struct Entry {
  const char* name;
  uint32_t callback_id;
  bool per_thread_default_stream;  // a null stream means the calling thread's own
  bool before_initialization;      // may be called before cuInit
};

// Marks a call as in progress on its thread: it gets a correlation id, unless it is part of a call that has one.
class CallScope {
 public:
  template <class NewId>
  CallScope(ThreadCall* call, const Entry& entry, NewId new_id) : call_(call), before_(*call) {
    if (call->correlation_id == 0) call->correlation_id = new_id();
    call->per_thread_default_stream = entry.per_thread_default_stream;
  }
  ~CallScope() { *call_ = before_; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  ThreadCall* const call_;
  const ThreadCall before_;
};

// Runs `body` between the reports to `tool`, as far as it has an interest in the function. `context` fills in the
// current context, which may differ at entry and exit.
template <class Result, class Body, class FillContext>
Result RunReported(Tool* tool, uint8_t interest, ApiCall* call, uint64_t (*now_ns)(), FillContext fill_context,
                   Body&& body) {
  uint64_t correlation_data = 0;
  call->correlation_data = &correlation_data;
  call->start_ns = now_ns();
  fill_context(call);
  if ((interest & kInterestCallback) != 0) tool->Enter(*call);
  Result result = body();
  fill_context(call);
  if ((interest & kInterestCallback) != 0) tool->Exit(*call, &result);
  if ((interest & kInterestRecord) != 0) tool->Record(*call, now_ns(), static_cast<uint32_t>(result));
  return result;
}

}  // namespace simgpu
