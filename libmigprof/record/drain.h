// SPDX-License-Identifier: Apache-2.0
// One round of emptying: rings and activity buffers into trace files.
#pragma once

#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "libmigprof/base/error.h"
#include "libmigprof/record/activity_buffers.h"
#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/counter_sampler.h"
#include "libmigprof/record/cupti_api.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/governor.h"
#include "libmigprof/record/gpu_tracer.h"
#include "libmigprof/record/graph_log.h"
#include "libmigprof/record/pause_log.h"
#include "libmigprof/record/python_runtime.h"
#include "libmigprof/record/record_sizes.h"
#include "libmigprof/record/slice_files.h"
#include "libmigprof/record/takeover_watch.h"

namespace migprof::record {

// Owned and called by the drain thread only.
class Drain : private ActivitySink {
 public:
  struct Parts {
    const CuptiApi* cupti;
    const RecordSizes* record_sizes;
    ThreadSlots* slots;
    ContextTable* contexts;
    ActivityBuffers* buffers;
    CallRecorder* calls;
    GpuTracer* tracer;
    SliceFiles* files;
    Definitions* definitions;
    PythonRuntime* python;  // null: no Python frames are asked for
    uint32_t budget_ppm;    // as for Governor
    const CounterSampler* counters;
    PauseLog* pauses;
    size_t graph_log_bytes;
    uint64_t most_memory_bytes;  // of the whole recorder, to be stated in the traces
  };

  explicit Drain(const Parts& parts);

  // Takes everything that threads and CUPTI have handed over. Returns whether there was anything; `*error` is set when
  // a file could not be made.
  bool Collect(Error* error);

  // Whether some file has so much waiting that Write is due now.
  bool is_full();

  // Asks CUPTI for what is complete (or, `forced`, for all it has), and writes all that is known to the files.
  Error Write(bool forced);

  // Write(false), and what is in the window now stays.
  Error Dump();

  // Callbacks record nothing any more: takes what they have recorded, and notes the time, on CUPTI's clock. And: they
  // are about to record again.
  Error Stop(uint64_t now_ns);
  void Start(uint64_t now_ns);

  // Another client has CUPTI, as the last Write found.
  enum class Takeover : uint8_t { kNone, kActivity, kSubscription };
  Takeover takeover() const { return takeover_; }
  // Nothing more comes. Notes the time, on CUPTI's clock.
  Error EndForTakeover(uint64_t now_ns);

  // Write(true), and the trailer that says the process ended well.
  Error Finish();

  // After Finish, when the program launched more: amends what the files say was lost. Any one thread.
  Error AddLateCalls();

  // Instead of all of the above, after one of them has failed or thrown: takes what threads and CUPTI hand over, counts
  // it, and keeps nothing.
  void Discard() noexcept;

  // The last call after that: tries to say in the files how much is missing, with `error`, the reason as an errno.
  Error FinishFailed(int error);

  // When what waits for a disk has waited in vain, and the process ends.
  struct GivenUp {
    uint64_t launches = 0;
    uint64_t activities = 0;
    bool is_stated = true;  // the files say so
  };
  // Has files end early, so that they can say how much is missing, and with which error as above.
  GivenUp GiveUpWaiting(int error);

 private:
  void OnKernel(const KernelActivity& kernel) override;
  void OnTransfer(const TransferActivity& transfer) override;
  void OnGraphRun(const GraphRunActivity& run) override;
  void OnAllocation(const AllocationActivity& allocation) override;
  void OnSynchronization(const SynchronizationActivity& synchronization) override;
  void OnContext(const ContextActivity& context) override;
  void OnMigDevice(const DeviceActivity& device) override;
  void OnUnknownRecord() override;

  void Govern();
  void NoteUnloadedCode();
  // Application threads say again what changed its meaning, or was forgotten.
  void AnnounceGeneration();
  void InternApis();
  // To be called every now and then while there is more to take: keeps rows and definitions within their memory.
  void MakeRoom();
  void ForgetDefinitions();
  void ForgetIn(CallEvent* call, uint32_t last);
  void RenewCarriedCalls();
  bool CollectRings();
  void TranslateBuffers(ActivityBuffer* buffer);
  void TakeRecord(ThreadSlot& slot, const RingRecordHeader* header);
  void TakeCall(const ThreadSlot& slot, const CallRecord& call);
  void TakeGraphNodes(const ThreadSlot& slot, const GraphNodesRecord& nodes);
  SliceFile* FileOfCall(uint32_t context);
  SliceFile* FileOfActivity(uint32_t context, uint32_t device);
  void NoteLosses();
  void NotePauses();
  bool IsUnrecorded(uint32_t correlation);
  void ReportFatalError();
  void CheckSubscription();
  bool WatchedFlush(bool forced);
  void JudgeTakeover(bool was_idle);
  uint64_t Losses() const;
  void CountUnreadCalls(ThreadSlot* slot);
  size_t CountedDeviceOf(uint32_t context) const;
  uint64_t LateCalls(size_t device) const;
  uint64_t DroppedOtherCalls(size_t device) const;
  Error WriteTrailer(uint32_t ordinal, SliceFile* file);
  Error WriteTrailers();
  // Gives up the end of a file until there is room for a trailer. Returns whether there was.
  bool CutBackForTrailer(uint32_t ordinal, SliceFile* file);
  Counters CountersOf(uint32_t ordinal, const SliceFile& file) const;

  struct Api {
    uint32_t name;  // in StringIndex
    format::CallClass call_class;
  };

  Parts parts_;
  std::unordered_map<uint32_t, Api> apis_;  // by callback id
  GraphLog graph_log_;
  std::unordered_map<const ThreadSlot*, CallEvent> last_calls_;  // that may have made graph nodes
  Governor governor_;
  uint32_t records_until_look_ = 0;
  uint32_t kernels_until_look_ = 0;
  TakeoverWatch watch_;
  Takeover takeover_ = Takeover::kNone;
  uint64_t taken_over_ns_ = 0;  // CLOCK_REALTIME
  uint64_t buffer_transfers_ = 0;
  uint64_t losses_ = 0;
  uint64_t end_ns_ = 0;  // of the recording, on CUPTI's clock
  uint64_t calls_ = 0;
  uint64_t activities_ = 0;
  uint64_t stacks_lost_ = 0;
  uint64_t python_stacks_lost_ = 0;
  uint64_t carried_stacks_lost_ = 0;  // of calls that later files must tell of
  uint64_t unrouted_calls_ = 0;
  uint64_t unrouted_activities_ = 0;
  uint64_t noted_unrouted_activities_ = 0;  // of them, told to a file
  uint64_t unknown_records_ = 0;
  uint64_t unrecorded_activities_ = 0;
  uint64_t dropped_activities_ = 0;
  PerDevice<uint64_t> dropped_calls_{};      // as last seen
  PerDevice<uint64_t> new_dropped_calls_{};  // not yet told to a file
  PerDevice<uint64_t> unread_calls_{};       // that came too late for the last round, or got lost in it
  uint64_t unplaced_losses_ = 0;             // calls and activities of a device that is not known, one of several
  uint64_t unstated_losses_ = 0;             // of files that cannot say so themselves
  int stopped_by_ = 0;                       // see FinishFailed
  uint64_t new_dropped_activities_ = 0;
  uint64_t dropped_graph_nodes_ = 0;
  uint64_t new_dropped_graph_nodes_ = 0;
};

}  // namespace migprof::record
