// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/drain.h"

#include <ctime>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/memory_use.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/record/activity_translate.h"
#include "libmigprof/record/hooked_calls.h"
#include "libmigprof/record/rule_cache.h"

namespace migprof::record {
namespace {

bool SynchronizesContext(uint32_t callback_id) {
  constexpr uint32_t kCtxSynchronize = 17;
  constexpr uint32_t kCtxSynchronizeV2 = 800;
  return callback_id == kCtxSynchronize || callback_id == kCtxSynchronizeV2;
}

}  // namespace

Drain::Drain(const Parts& parts) : parts_(parts), governor_(parts.budget_ppm) {
  InternApis();
  graph_log_.LimitMemory(parts.graph_log_bytes);
  parts_.buffers->Restock();
}

bool Drain::Collect(Error* error) {
  NoteUnloadedCode();
  Govern();
  // In this order a call reaches its file no later than the activity it caused: whatever is in a completed buffer now
  // was called for before, so its call is in a ring.
  ActivityBuffer* const completed = parts_.buffers->TakeCompleted();
  const bool had_calls = CollectRings();
  TranslateBuffers(completed);
  if (parts_.python != nullptr) {
    parts_.python->Find(parts_.definitions->now().frames.modules());
    parts_.python->ReportDistrust();
  }
  *error = parts_.files->error();
  return had_calls || completed != nullptr;
}

void Drain::Govern() {
  if (!governor_.Update(parts_.slots, MonotonicNs())) return;
  const StackDetail detail = Governor::DetailOf(governor_.level());
  parts_.calls->SetDetail(detail);
  if (!detail.single_graph_nodes) parts_.tracer->RecordGraphsAsAWhole();
}

void Drain::NoteUnloadedCode() {
  FrameIndex& frames = parts_.definitions->now().frames;
  const uint32_t before = frames.generation();
  frames.RefreshModules();
  if (frames.generation() == before) return;
  RuleCache::OfProcess().StartGeneration();
  AnnounceGeneration();
}

bool Drain::CollectRings() {
  bool any = false;
  parts_.slots->ForEach([&](ThreadSlot* slot) {
    // Looked at before the ring is emptied: what a retired thread left is then all there will be.
    const bool retired = slot->state.load(std::memory_order_acquire) == ThreadSlot::State::kRetired;
    any |= slot->ring.Drain([&](const RingRecordHeader* record) { TakeRecord(*slot, record); }) != 0;
    ThreadSlot::State state = ThreadSlot::State::kRetired;  // unless another thread has taken it meanwhile
    if (retired) slot->state.compare_exchange_strong(state, ThreadSlot::State::kFree, std::memory_order_release);
    parts_.files->WriteFull();
  });
  return any;
}

void Drain::TranslateBuffers(ActivityBuffer* buffer) {
  while (buffer != nullptr) {
    ActivityBuffer* const next = buffer->next;
    MakeRoom();
    activities_ += TranslateActivities(*parts_.cupti, *parts_.record_sizes, buffer->data(), buffer->valid, this);
    parts_.buffers->Recycle(buffer);
    parts_.files->WriteFull();
    buffer = next;
  }
  parts_.buffers->Restock();
}

void Drain::TakeRecord(ThreadSlot& slot, const RingRecordHeader* header) {
  constexpr uint32_t kRecordsBetweenLooks = 64;
  // What defines something takes the most, and is rare.
  const bool defines = header->kind != RingRecordKind::kCall && header->kind != RingRecordKind::kOutcome;
  if (defines || records_until_look_-- == 0) [[unlikely]] {
    records_until_look_ = kRecordsBetweenLooks;
    MakeRoom();
  }
  switch (header->kind) {
    case RingRecordKind::kCall:
      return TakeCall(slot, *reinterpret_cast<const CallRecord*>(header));
    case RingRecordKind::kStack: {
      const auto* stack = reinterpret_cast<const StackRecord*>(header);
      return parts_.definitions->now().stacks.Define(stack->hash, {stack->frames(), stack->depth()});
    }
    case RingRecordKind::kPythonCode:
      return parts_.definitions->now().python.AddCode(slot.read_serial,
                                                      *reinterpret_cast<const PythonCodeRecord*>(header));
    case RingRecordKind::kPythonLines:
      return parts_.definitions->now().python.AddLines(slot.read_serial,
                                                       *reinterpret_cast<const PythonLinesRecord*>(header));
    case RingRecordKind::kPythonStack: {
      const auto* stack = reinterpret_cast<const PythonStackRecord*>(header);
      return parts_.definitions->now().python.DefineStack(stack->hash, {stack->frames(), stack->depth()});
    }
    case RingRecordKind::kOutcome: {
      const auto* outcome = reinterpret_cast<const OutcomeRecord*>(header);
      if (static_cast<format::CallOutcome>(header->flags) == format::CallOutcome::kReturned) {
        watch_.NoteReturned(slot.read_serial, header->correlation);
      } else {
        watch_.NoteNoWork(slot.read_serial, header->correlation);
      }
      if (SliceFile* file = FileOfCall(outcome->context)) {
        file->AddOutcome(header->correlation, static_cast<format::CallOutcome>(header->flags), outcome->detail);
      }
      return;
    }
    case RingRecordKind::kRange: {
      const auto& range = *reinterpret_cast<const RangeRecord*>(header);
      return parts_.definitions->now().ranges.Define(
          range.hash, parts_.definitions->RenewRange(parts_.definitions->FindRange(range.parent_hash)),
          {range.text(), range.domain_length}, {range.text() + range.domain_length, range.name_length},
          header->flags != 0);
    }
    case RingRecordKind::kGraphNodes:
      return TakeGraphNodes(slot, *reinterpret_cast<const GraphNodesRecord*>(header));
    case RingRecordKind::kOwner: {
      const auto& owner = *reinterpret_cast<const OwnerRecord*>(header);
      if (slot.read_serial != owner.serial) watch_.NoteEnd(slot.read_serial);
      slot.read_serial = owner.serial;
      slot.read_thread_id = owner.system_thread_id;
      return;
    }
    case RingRecordKind::kThreadName:
      return parts_.definitions->now().threads.Name(
          slot.read_serial, {reinterpret_cast<const ThreadNameRecord*>(header)->text(), header->correlation},
          header->flags != 0);
    case RingRecordKind::kPadding:
      return;
  }
}

void Drain::TakeCall(const ThreadSlot& slot, const CallRecord& call) {
  ++calls_;
  const auto api = apis_.find(call.callback_id);
  if (api == apis_.end()) return;
  if (format::GivesWork(api->second.call_class)) {
    watch_.NoteWork(slot.read_serial, call.context, call.header.correlation,
                    api->second.call_class == format::CallClass::kKernelLaunch, call.time_ns);
  } else if (SynchronizesContext(call.callback_id)) {
    watch_.NoteSynchronizing(slot.read_serial, call.header.correlation, call.time_ns);
  }
  // Until it is in the file it is a call that may get lost: there may be no memory for what it needs.
  uint64_t& unread = unread_calls_[CountedDeviceOf(call.context)];
  unread += format::GivesWork(api->second.call_class);
  parts_.pauses->NoteCall(call.header.correlation);
  parts_.definitions->now().threads.Note(slot.read_serial, slot.read_thread_id);
  CallEvent event{.correlation = call.header.correlation,
                  .time_ns = call.time_ns,
                  .thread = slot.read_serial,
                  .stack_node = parts_.definitions->FindStack(call.stack_hash),
                  .api = api->second.name,
                  .call_class = api->second.call_class,
                  .flags = call.header.flags & ((1u << kCallFlagBits) - 1),
                  .python_node = parts_.definitions->FindPythonStack(call.python_stack_hash),
                  .range_node = parts_.definitions->FindRange(call.range_hash),
                  .stands_for = 1u << (call.header.flags >> kCallFlagBits)};
  if (event.stack_node == 0 && (event.flags & format::kCallStackSampledOut) == 0) {
    event.flags |= format::kCallStackMissing;
    ++stacks_lost_;
  }
  python_stacks_lost_ += (event.flags & format::kCallPythonLost) != 0;
  last_calls_[&slot] = event;
  if (event.call_class == format::CallClass::kAllocate && parts_.files->is_bounded()) {
    parts_.files->live_allocations()->NoteCall(event);
  }
  if (SliceFile* const file = FileOfCall(call.context)) {
    file->AddCall(event);
  } else if (event.call_class != format::CallClass::kGraphConstruction &&
             event.call_class != format::CallClass::kLoad) {
    ++unrouted_calls_;  // graphs may be built without a device, as graph_log_ knows, and code may be loaded for all
    new_unrouted_calls_ += format::GivesWork(event.call_class);
  }
  if (parts_.files->error().ok()) unread -= format::GivesWork(api->second.call_class);
}

void Drain::TakeGraphNodes(const ThreadSlot& slot, const GraphNodesRecord& record) {
  const GraphNodesEvent nodes{.node = record.node,
                              .time_ns = record.time_ns,
                              .event = static_cast<format::GraphNodeEvent>(record.header.flags),
                              .origin = record.origin,
                              .correlation = record.header.correlation,
                              .count = record.count};
  const CallEvent* call = nullptr;
  if (nodes.event == format::GraphNodeEvent::kCreated && nodes.correlation != 0) {
    const auto last = last_calls_.find(&slot);
    if (last != last_calls_.end() && last->second.correlation == nodes.correlation) call = &last->second;
  }
  graph_log_.Add(nodes, call, FileOfCall(record.context));
  if (parts_.files->is_bounded()) parts_.files->live_graph_nodes()->Note(nodes, call);
}

SliceFile* Drain::FileOfCall(uint32_t context) {
  if (const auto device = parts_.contexts->DeviceOf(context)) return parts_.files->ForDevice(*device);
  // A call before any context was seen, or with none current. With one device there is no doubt where it belongs.
  const uint32_t* only = parts_.files->only_device();
  return only != nullptr ? parts_.files->ForDevice(*only) : nullptr;
}

SliceFile* Drain::FileOfActivity(uint32_t context, uint32_t device) {
  // By context, like the call that caused it, so that both are in one file. The device is the fall-back; of host memory
  // it is not a device at all.
  constexpr uint32_t kMostDevices = 256;
  if (const auto known = parts_.contexts->DeviceOf(context)) return parts_.files->ForDevice(*known);
  if (device < kMostDevices) return parts_.files->ForDevice(device);
  return FileOfCall(context);
}

bool Drain::IsUnrecorded(uint32_t correlation) {
  if (!parts_.pauses->IsUnrecorded(correlation)) [[likely]]
    return false;
  ++unrecorded_activities_;
  return true;
}

void Drain::OnKernel(const KernelActivity& kernel) {
  watch_.NoteKernel();
  if (kernels_until_look_-- == 0) [[unlikely]] {
    kernels_until_look_ = ShapeIndex::kBetweenLooks - 1;
    MakeRoom();
  }
  if (IsUnrecorded(kernel.correlation)) return;
  SliceFile* const file = FileOfActivity(kernel.context, kernel.device);
  if (file != nullptr && kernel.graph_node != 0) graph_log_.Complete(file);
  file != nullptr ? file->AddKernel(kernel) : void(++unrouted_activities_);
}

void Drain::OnTransfer(const TransferActivity& transfer) {
  if (IsUnrecorded(transfer.correlation)) return;
  SliceFile* const file = FileOfActivity(transfer.context, transfer.device);
  if (file != nullptr && transfer.graph_node != 0) graph_log_.Complete(file);
  file != nullptr ? file->AddTransfer(transfer) : void(++unrouted_activities_);
}

void Drain::OnGraphRun(const GraphRunActivity& run) {
  if (IsUnrecorded(run.correlation)) return;
  SliceFile* const file = FileOfActivity(run.context, run.device);
  file != nullptr ? file->AddGraphRun(run) : void(++unrouted_activities_);
}

void Drain::OnAllocation(const AllocationActivity& allocation) {
  SliceFile* const file = FileOfActivity(allocation.context, allocation.device);
  if (file == nullptr) return void(++unrouted_activities_);
  file->AddAllocation(allocation);
  if (parts_.files->is_bounded()) parts_.files->live_allocations()->Note(file->device(), allocation);
}

void Drain::OnSynchronization(const SynchronizationActivity& synchronization) {
  if (IsUnrecorded(synchronization.correlation)) return;
  SliceFile* const file = FileOfCall(synchronization.context);
  file != nullptr ? file->AddSynchronization(synchronization) : void(++unrouted_activities_);
}

void Drain::OnContext(const ContextActivity& context) { parts_.contexts->Add(context.context, context.device); }

void Drain::OnMigDevice(const DeviceActivity& device) { parts_.files->NoteMigDevice(device); }

void Drain::OnUnknownRecord() {
  ++unknown_records_;
  watch_.NoteKernel();  // perhaps: of a version that is not understood
}

bool Drain::is_full() {
  bool full = false;
  parts_.files->ForEach([&](uint32_t, SliceFile* file) { full |= file->is_full(); });
  return full;
}

// Adds what was lost since the last time to the files of the devices it belongs to.
void Drain::NoteLosses() {
  for (size_t device = 0; device < kCountedDevices; ++device) {
    uint64_t dropped = parts_.calls->untracked().of_device[device].load(std::memory_order_relaxed);
    parts_.slots->ForEach(
        [&](ThreadSlot* slot) { dropped += slot->dropped_calls.of_device[device].load(std::memory_order_relaxed); });
    new_dropped_calls_[device] += dropped - dropped_calls_[device];
    dropped_calls_[device] = dropped;
  }
  uint64_t dropped_graph_nodes = 0;
  parts_.slots->ForEach(
      [&](ThreadSlot* slot) { dropped_graph_nodes += slot->dropped_graph_nodes.load(std::memory_order_relaxed); });
  new_dropped_graph_nodes_ += dropped_graph_nodes - std::exchange(dropped_graph_nodes_, dropped_graph_nodes);
  const uint64_t dropped_activities = parts_.tracer->TakeDroppedRecords();
  dropped_activities_ += dropped_activities;
  new_dropped_activities_ += dropped_activities + unrouted_activities_ - noted_unrouted_activities_;
  noted_unrouted_activities_ = unrouted_activities_;
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    file->AddLostCalls(std::exchange(new_dropped_calls_[CountedDevice(ordinal)], 0));
    file->AddLostCalls(std::exchange(new_unrouted_calls_, 0));  // whose they are is not known: the first device's
    // Graphs are the process's, and CUPTI does not say whose records it dropped: the first device's file carries them.
    file->AddLostGraphNodes(std::exchange(new_dropped_graph_nodes_, 0));
    file->AddLostActivities(std::exchange(new_dropped_activities_, 0));
  });
}

Counters Drain::CountersOf(uint32_t ordinal, uint64_t unwritten_calls) {
  uint64_t dropped_outcomes = 0;
  uint64_t by_libunwind = 0;
  uint64_t checked = 0;
  uint64_t different = 0;
  uint64_t lost_ranges = RangeStack::overflowed();
  uint64_t dropped_other_calls = parts_.calls->untracked().others.load(std::memory_order_relaxed);
  parts_.slots->ForEach([&](ThreadSlot* slot) {
    dropped_outcomes += slot->dropped_outcomes.load(std::memory_order_relaxed);
    by_libunwind += slot->native_stack.by_libunwind.load(std::memory_order_relaxed);
    checked += slot->native_stack.checked.load(std::memory_order_relaxed);
    different += slot->native_stack.different.load(std::memory_order_relaxed);
    lost_ranges += slot->dropped_ranges.load(std::memory_order_relaxed);
    dropped_other_calls += slot->dropped_calls.others.load(std::memory_order_relaxed);
  });
  uint64_t sampled_ms = 0;
  for (uint32_t level = 2; level < Governor::kLevels; ++level) sampled_ms += governor_.milliseconds_at(level);
  return {{"process.own_ns", governor_.own_ns()},
          {"process.own_share_ppm", governor_.largest_share_ppm()},
          {"process.budget_ppm", governor_.budget_ppm()},
          {"process.last_level_share_ppm", governor_.share_at_last_level_ppm()},
          {"process.budget_level", governor_.level()},
          {"process.budget_highest_level", governor_.highest_level()},
          {"process.ms_without_python_lines", governor_.milliseconds_at(1) + sampled_ms},
          {"process.ms_of_sampled_stacks", sampled_ms},
          {"process.ms_of_whole_graphs", governor_.milliseconds_of_whole_graphs()},
          {"device.dropped_calls", dropped_calls_[CountedDevice(ordinal)]},
          {"device.late_calls", LateCalls(ordinal) + unwritten_calls},
          {"process.calls", calls_},
          {"process.activities", activities_},
          {"process.dropped_other_calls", dropped_other_calls},
          {"process.dropped_activities", dropped_activities_},
          {"process.dropped_outcomes", dropped_outcomes},
          {"process.dropped_graph_nodes", dropped_graph_nodes_},
          {"process.forgotten_graph_events", graph_log_.forgotten()},
          {"process.rows_without_room", parts_.files->rows_without_room()},
          {"process.forgotten_carried",
           parts_.files->live_graph_nodes()->forgotten() + parts_.files->live_allocations()->forgotten()},
          {"process.carried_stacks_lost", carried_stacks_lost_},
          {"process.ranges_lost", lost_ranges},
          {"process.stacks_lost", stacks_lost_},
          {"process.stacks_by_libunwind", by_libunwind},
          {"process.stacks_checked", checked},
          {"process.stacks_different", different},
          {"process.python_stacks_lost", python_stacks_lost_},
          {"process.unrouted_calls", unrouted_calls_},
          {"process.unrouted_activities", unrouted_activities_},
          {"process.unknown_records", unknown_records_},
          {"process.stops", parts_.pauses->stops()},
          {"process.unrecorded_activities", unrecorded_activities_},
          {"process.unknown_contexts", parts_.tracer->unknown_contexts()},
          {"process.foreign_buffers", parts_.tracer->foreign_buffers()},
          {"process.takeover", static_cast<uint64_t>(takeover_)},
          {"process.taken_over_ns", taken_over_ns_},
          {"process.cupti_fatal_error", static_cast<uint64_t>(parts_.tracer->fatal_error())},
          {"process.stopped_by_error", static_cast<uint64_t>(stopped_by_)},
          {"process.memory_bytes", MemoryUse::bytes()},
          {"process.memory_peak_bytes", MemoryUse::peak_bytes()},
          {"process.memory_most_bytes", parts_.most_memory_bytes},
          {"process.small_rings", parts_.slots->small_rings()},
          {"process.threads_without_ring", parts_.slots->refused()},
          {"process.definitions_forgotten", parts_.definitions->times_forgotten()},
          {"process.refused_buffers", parts_.buffers->refused()},
          {"process.counter_samples", parts_.counters->samples()},
          {"process.slow_counter_samples", parts_.counters->slow_samples()},
          {"process.counter_cpu_ns", parts_.counters->cpu_ns()},
          {"process.drain_cpu_ns", ClockNs(CLOCK_THREAD_CPUTIME_ID)}};
}

void Drain::NotePauses() {
  if (!parts_.pauses->TakeChange()) return;
  parts_.files->ForEach([&](uint32_t, SliceFile* file) { file->AddPause(parts_.pauses->pauses().back()); });
}

Error Drain::Stop(uint64_t now_ns) {
  Error error;
  Collect(&error);
  NotePauses();  // the one before
  parts_.pauses->Stop(now_ns);
  return error.ok() ? Write(/*forced=*/false) : error;
}

void Drain::Start(uint64_t now_ns) {
  watch_.Forget();
  parts_.pauses->Start(now_ns);
}

void Drain::ReportFatalError() {
  if (parts_.tracer->fatal_error() == 0) return;
  static LogOnce log;
  log.Print("recording stops: CUPTI gave up after a fatal error (%d)", parts_.tracer->fatal_error());
}

Error Drain::Write(bool forced) {
  ReportFatalError();
  CheckSubscription();
  const bool was_idle = WatchedFlush(forced);
  Error error;
  Collect(&error);
  if (!error.ok()) return error;
  parts_.definitions->now().frames.ResolveNames(/*at_end=*/forced);
  NoteLosses();
  NotePauses();
  if (takeover_ == Takeover::kNone && !forced) JudgeTakeover(was_idle);
  governor_.Measure(parts_.slots, MonotonicNs());
  const ClockSample clocks{parts_.cupti->Now(), RealtimeNs(), MonotonicNs()};
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    if (file->is_empty()) return;  // an idle process writes nothing
    file->AddClockSample(clocks);
    Error written = file->Flush();
    if (written.ok()) {
      written = file->WriteCounters(format::ChunkKind::kCounters, CountersOf(ordinal, file->unwritten_calls()));
    }
    if (error.ok()) error = written;
  });
  return error.ok() ? parts_.files->Rotate() : error;
}

Error Drain::Dump() {
  const Error error = Write(/*forced=*/false);
  return error.ok() ? parts_.files->KeepWindow() : error;
}

Error Drain::Finish() {
  end_ns_ = parts_.cupti->Now();
  parts_.pauses->Start(end_ns_);  // what comes later is nobody's
  const Error error = Write(/*forced=*/true);
  const Error trailers = WriteTrailers();
  return error.ok() ? trailers : error;
}

}  // namespace migprof::record
