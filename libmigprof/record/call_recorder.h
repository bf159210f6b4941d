// SPDX-License-Identifier: Apache-2.0
// The hot path: what happens on an application thread when it calls CUDA.
#pragma once

#include <atomic>
#include <cstdint>

#include "libmigprof/format/trace_format.h"
#include "libmigprof/record/context_table.h"
#include "libmigprof/record/governor.h"
#include "libmigprof/record/python_runtime.h"
#include "libmigprof/record/range_stack.h"
#include "libmigprof/record/ring_records.h"
#include "libmigprof/record/thread_slot.h"

namespace migprof::record {

// Every method runs on the thread that makes the call, inside CUPTI's callback: noexcept, no lock, no allocation and no
// system call after the thread's first event, no CUDA call ever. A record that finds no room is counted against its
// device.
class CallRecorder {
 public:
  using Clock = uint64_t (*)();  // CUPTI's time

  // All pointers must outlive the recorder. `max_depth` 0 records no stacks; without `python` they have no Python
  // frames; `check_stacks` compares one of so many with libunwind's, 0 none.
  CallRecorder(ThreadSlots* slots, const ContextTable* contexts, Clock clock, uint32_t max_depth,
               PythonRuntime* python = nullptr, uint32_t check_stacks = 0)
      : slots_(slots),
        contexts_(contexts),
        clock_(clock),
        max_depth_(max_depth),
        check_stacks_(check_stacks),
        python_(python) {
    slots->SetFirstEventHook(&SendThreadName, this);
  }

  void Enter(uint32_t callback_id, uint32_t correlation, uint32_t context) noexcept;
  // `result` is the CUresult of the call.
  void Exit(uint32_t correlation, uint32_t result) noexcept;
  // The call that `slot`, the thread's own, is inside of became node `graph_node` of a graph instead of running.
  void Captured(ThreadSlot* slot, uint64_t graph_node) noexcept;

  // Drain thread: how much of the stacks is recorded from now on.
  void SetDetail(const StackDetail& detail) { detail_.store(detail.Pack(), std::memory_order_relaxed); }

  // Drain thread: code went from the process, so that stacks that were sent before must be sent again; or definitions
  // were forgotten, so that everything must. Both grow, and only whether they changed counts.
  void SetGeneration(uint32_t code, uint32_t definitions) {
    generation_.store(definitions << 16 | (code & 0xffff), std::memory_order_relaxed);
  }

  // Drain thread: recording starts again. Calls whose return was missed while it was stopped are over.
  void StartEpoch() { epoch_.fetch_add(1, std::memory_order_relaxed); }
  // Forgets a call that `slot`, the thread's own, is not inside of any more.
  void ForgetMissedReturn(ThreadSlot* slot) const noexcept {
    if (slot->open_epoch != epoch_.load(std::memory_order_relaxed)) slot->open_correlation = 0;
  }

  // Calls of threads for which there was no slot; never reset.
  const LostCalls& untracked() const { return untracked_; }

 private:
  std::atomic<uint64_t>* CounterOf(LostCalls* lost, uint32_t callback_id, uint32_t context) const noexcept;
  // Returns the hash of the innermost range that the drain thread knows now.
  uint64_t SendRanges(ThreadSlot* slot, RangeStack* ranges) noexcept;
  bool SendRange(ThreadSlot* slot, const RangeStack::Range& range, uint64_t parent) noexcept;
  void Record(ThreadSlot* slot, uint32_t callback_id, uint32_t correlation, uint32_t context) noexcept;
  // Says what the thread of `slot`, the calling one, is called.
  static void SendThreadName(void* self, ThreadSlot* slot) noexcept;
  void AddStacks(ThreadSlot* slot, CallRecord* record) noexcept;
  static void SendAllAgain(ThreadSlot* slot, uint32_t generation) noexcept;
  bool SendStack(ThreadSlot* slot, const NativeStack& stack) noexcept;
  void AddPythonStack(ThreadSlot* slot, bool lines, CallRecord* record) noexcept;
  bool SendPythonStack(ThreadSlot* slot, const PythonStack& stack) noexcept;
  void PushOutcome(ThreadSlot* slot, uint32_t correlation, format::CallOutcome outcome, uint64_t detail) noexcept;

  ThreadSlots* slots_;
  const ContextTable* contexts_;
  Clock clock_;
  uint32_t max_depth_;
  uint32_t check_stacks_;
  PythonRuntime* python_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<uint32_t> epoch_{0};
  std::atomic<uint32_t> detail_{0};
  LostCalls untracked_;
};

}  // namespace migprof::record
