// SPDX-License-Identifier: Apache-2.0
// The subscription to CUPTI: which callbacks and activities are asked for, and what is done when they come.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "libmigprof/base/error.h"
#include "libmigprof/base/options.h"
#include "libmigprof/record/activity_buffers.h"
#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/context_table.h"
#include "libmigprof/record/cupti_api.h"
#include "libmigprof/record/graph_recorder.h"

namespace migprof::record {

// One per process, for its whole life: CUPTI's buffer callbacks carry no user data, and they may come at any time after
// they were registered.
class GpuTracer {
 public:
  // What Start needs; everything must live as long as the process.
  struct Parts {
    const CuptiApi* cupti;
    CallRecorder* calls;
    GraphRecorder* graphs;
    GraphDetail graph_detail;
    ContextTable* contexts;
    ActivityBuffers* buffers;
    const std::atomic<bool>* recording;  // callbacks do nothing while it is false …
    const std::atomic<bool>* paused;  // … and this too; while it is true they only follow what was begun, and graphs
  };

  // Subscribes and enables everything. On an error nothing stays enabled; `holder()` then names the tool that has
  // CUPTI, if that is why and CUPTI knows. Called once.
  Error Start(const Parts& parts);

  // Takes everything back that Start enabled, if anything. For when the rest of the recording cannot start.
  void Abandon();

  // Makes CUPTI hand over buffers: those whose work is complete, or, `forced`, all. Returns whether it did. May block;
  // drain thread only.
  bool Flush(bool forced);

  // Has CUPTI neither call back for calls nor record activity, until Rouse. It goes on telling of contexts and graph
  // nodes: what is recorded later relies on them. Drain thread.
  void Quiet();
  void Rouse();

  // Has CUPTI record no activity any more. Calls still come. Drain thread; never back.
  void EndActivities();

  // Whether CUPTI still knows this subscription: another client may have finalized CUPTI. Drain thread.
  bool IsSubscribed() const;

  // Another client has CUPTI: from now on CUPTI is called for nothing that could concern it, and calls are counted
  // only. Drain thread; never back.
  void StandDown();

  // Gives CUPTI up: nothing is asked of it any more, nor subscribed to, until TakeAgain, which fails as Start does
  // while another client has it. Drain thread.
  void LetGo();
  Error TakeAgain();

  // Gives buffers back that came here and are another client's. Before Start.
  void SetForeign(CUpti_BuffersCallbackCompleteFunc foreign) { foreign_ = foreign; }

  // From now on one record per graph launch instead of one per node. Drain thread; never back.
  void RecordGraphsAsAWhole();

  // Activity records that CUPTI dropped since the last call, in the whole process.
  uint64_t TakeDroppedRecords();

  // CUPTI has done with a buffer. Any thread.
  static void CUPTIAPI OnBufferCompleted(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes,
                                         size_t valid);

  const char* holder() const { return holder_; }
  // The error after which CUPTI gave up recording for good; 0 while it has not.
  int fatal_error() const { return fatal_error_.load(std::memory_order_relaxed); }
  // From now on calls are counted and nothing else.
  void CountOnly() { counting_.store(true, std::memory_order_release); }
  // Calls that give the GPU work and came after CountOnly, by CountedDevice.
  uint64_t late_calls(size_t device) const { return late_calls_[device].load(std::memory_order_relaxed); }
  // Buffers that CUPTI gave back here and were another client's.
  uint64_t foreign_buffers() const { return foreign_buffers_.load(std::memory_order_relaxed); }
  // Contexts that found the table full.
  uint64_t unknown_contexts() const { return unknown_contexts_.load(std::memory_order_relaxed); }

 private:
  Error Subscribe();
  void EnableCallbacks();
  void SwitchCalls(bool on);
  void SwitchActivities(bool on);
  void OnCallbackWhilePaused(CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) noexcept;
  void EnableResourceCallback(int id);
  Error EnableActivities();
  void OnApi(CUpti_CallbackId callback_id, const CUpti_CallbackData& data) noexcept;
  void OnGraphNode(CUpti_CallbackId callback_id, const CUpti_GraphData& graph) noexcept;
  void OnResource(CUpti_CallbackId callback_id, const CUpti_ResourceData& data) noexcept;
  void OnState(CUpti_CallbackId callback_id, const StateNotification& notification) noexcept;
  void CountLateCall(CUpti_CallbackId callback_id, const CUpti_CallbackData& data) noexcept;

  static void CUPTIAPI OnCallback(void* user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data);
  static void CUPTIAPI OnBufferRequested(uint8_t** buffer, size_t* bytes, size_t* most_records);

  Parts parts_{};
  CUpti_SubscriberHandle subscriber_ = nullptr;
  // CUPTI has been finalized, or is another's.
  bool has_no_cupti() const { return stood_down_ || let_go_ || fatal_error() != 0; }
  void DisableActivities();
  void PromiseZeroedBuffers(bool promise);

  bool with_nodes_ = false;
  bool stood_down_ = false;  // the drain thread's own, as the next
  bool let_go_ = false;
  char holder_[96] = {};
  std::atomic<uint64_t> unknown_contexts_{0};
  std::atomic<int> fatal_error_{0};
  std::atomic<bool> counting_{false};
  // CUPTI's buffer callbacks carry no user data.
  static std::atomic<uint64_t> foreign_buffers_;
  static CUpti_BuffersCallbackCompleteFunc foreign_;
  PerDevice<std::atomic<uint64_t>> late_calls_{};
};

}  // namespace migprof::record
