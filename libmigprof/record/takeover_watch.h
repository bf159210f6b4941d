// SPDX-License-Identifier: Apache-2.0
// Notices that another CUPTI client gets the activity that was asked for here: launches go on, but no kernel arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "libmigprof/format/trace_format.h"

namespace migprof::record {

// The activity API is the process's, not the subscriber's: whoever registers buffers last gets all records, and whoever
// switches a kind off does so for all. Nothing tells. That no kernel arrives proves little: CUPTI holds a buffer back
// until everything in it is done, and a kernel may take ten minutes. Proof is either of these:
//   - A flush while the GPU had nothing to do brought no kernel, though some were launched; several times over. It had
//     nothing to do when all work was followed by a cuCtxSynchronize that returned, and there is one context.
//   - More kernels were launched than CUDA queues and CUPTI's buffers hold, and CUPTI asked for no other buffer.
// Launches of graphs and copies prove nothing, since they may be empty, but count as work. Drain thread only.
class TakeoverWatch {
 public:
  // A call that gives work was entered, as read from its thread's ring. `time_ns` is CUPTI's.
  void NoteWork(uint32_t thread, uint32_t context, uint32_t correlation, bool is_kernel, uint64_t time_ns);
  // The work of that call, if it was the thread's last, will not come: it failed, or was captured.
  void NoteNoWork(uint32_t thread, uint32_t correlation);
  // cuCtxSynchronize was entered. And: that call, if it was the thread's last of these, returned without an error.
  void NoteSynchronizing(uint32_t thread, uint32_t correlation, uint64_t time_ns);
  void NoteReturned(uint32_t thread, uint32_t correlation);
  // The thread has ended, and makes no other call. Nothing of its own is kept: programs make threads without end.
  void NoteEnd(uint32_t thread);
  // Threads of which something is kept.
  size_t threads() const { return threads_.size(); }
  // A kernel has arrived.
  void NoteKernel() { kernels_ = 0; }
  // CUPTI asked for a buffer or completed one, since the last time. `held_bytes`: room in those it has now.
  void NoteBuffers(uint64_t held_bytes);

  // Whether all work that is known of is done.
  bool is_idle() const;
  // Enough kernels are missing that their absence may mean something.
  bool expects_kernels() const { return kernels_ >= kFewest; }
  // A flush is over, and what it brought was noted. `was_idle`: before it and after it is_idle was true, and no call
  // came in between. Returns whether it is proven that somebody else gets the activity. `now_ns`: CLOCK_MONOTONIC.
  bool JudgeFlush(bool was_idle, uint64_t now_ns);
  // Time of the first launch whose kernel is missing, on CUPTI's clock.
  uint64_t missing_since_ns() const { return first_missing_ns_; }

  // Recording pauses, or records were lost for reasons that are known: begins anew.
  void Forget();

 private:
  // Flushes with nothing to do, and the time they must span: CUPTI may deliver from a thread of its own, late.
  static constexpr uint32_t kFlushes = 3;
  // A thread that is cancelled inside of a launch, or jumps out of it, leaves one kernel missing.
  static constexpr uint64_t kFewest = 16;
  static constexpr uint64_t kSpanNs = 2'000'000'000;
  // A call of another thread had returned if it was entered so long before.
  static constexpr uint64_t kReturnedNs = 10'000'000;
  // CUDA queues about a thousand launches per stream, and then a launch blocks; on 32 connections to the GPU.
  static constexpr uint64_t kQueued = 32 * 1024;
  static constexpr uint64_t kKernelBytes = 200;  // the least that a record of one takes

  struct Thread {
    uint64_t last_work_ns = 0;
    uint64_t synchronized_ns = 0;  // entry of the newest cuCtxSynchronize that returned
    uint64_t synchronizing_ns = 0;
    uint32_t synchronizing = 0;  // correlation of one that was entered
    uint32_t last_correlation = 0;
    bool last_is_kernel = false;
  };

  Thread& Of(uint32_t thread);

  std::unordered_map<uint32_t, Thread> threads_;
  uint32_t newest_ = 0;  // rings are emptied one after the other, so that mostly the same thread is asked for
  Thread* newest_thread_ = nullptr;
  uint64_t synchronized_ns_ = 0;  // by any thread
  uint64_t ended_work_ns_ = 0;    // the last work of threads that ended without having synchronized after it
  uint32_t context_ = 0;
  bool several_contexts_ = false;
  uint64_t kernels_ = 0;  // launched since one arrived
  uint64_t first_missing_ns_ = 0;
  uint64_t unhoused_ = 0;  // kernels launched since CUPTI last did something with a buffer
  uint64_t held_bytes_ = 0;
  uint32_t idle_flushes_ = 0;
  uint64_t first_idle_flush_ns_ = 0;
};

}  // namespace migprof::record
