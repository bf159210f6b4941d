// SPDX-License-Identifier: Apache-2.0
// What happens to the nodes of CUDA graphs, as the threads that build graphs are told by CUPTI.
#pragma once

#include <cstdint>

#include "libmigprof/format/trace_format.h"
#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/thread_slot.h"

namespace migprof::record {

// Every method runs inside CUPTI's callback on the application's thread, under the rules of CallRecorder. Copying a
// graph tells of every node: nodes with ids that follow each other become one record, which waits in the thread's slot
// until the call ends.
class GraphRecorder {
 public:
  // The pointers must outlive the recorder. Without `with_nodes` it only tells of calls that were captured.
  GraphRecorder(ThreadSlots* slots, CallRecorder* calls, CallRecorder::Clock clock, bool with_nodes)
      : slots_(slots), calls_(calls), clock_(clock), with_nodes_(with_nodes) {}

  // A node was made. If the thread is inside a recorded call, by that call.
  void NodeCreated(uint64_t node) noexcept;

  // A node was cloned or updated from `origin`, or removed (origin 0).
  void NodeChanged(format::GraphNodeEvent event, uint64_t node, uint64_t origin) noexcept;

  // The call that the thread is inside of returns.
  void CallEnds() noexcept;

 private:
  void Add(ThreadSlot* slot, format::GraphNodeEvent event, uint64_t node, uint64_t origin) noexcept;
  static void Push(ThreadSlot* slot) noexcept;

  ThreadSlots* slots_;
  CallRecorder* calls_;
  CallRecorder::Clock clock_;
  bool with_nodes_;
};

}  // namespace migprof::record
