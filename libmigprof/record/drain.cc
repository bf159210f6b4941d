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
  SliceFile* const file = FileOfCall(call.context);
  if (file != nullptr) {
    file->AddCall(event);
  } else if (event.call_class != format::CallClass::kGraphConstruction &&
             event.call_class != format::CallClass::kLoad) {
    ++unrouted_calls_;  // graphs may be built without a device, as graph_log_ knows, and code may be loaded for all
    if (parts_.files->error().ok()) {
      new_dropped_calls_[CountedDeviceOf(call.context)] += format::GivesWork(event.call_class);
    }
  }
  // A file that could not be finished when it was made counts what it was given, too.
  if (file != nullptr || parts_.files->error().ok()) unread -= format::GivesWork(api->second.call_class);
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
    Error written = file->Check();
    if (written.ok()) {
      if (file->is_empty()) return;  // an idle process writes nothing
      file->AddClockSample(clocks);
      written = file->Flush();
    }
    if (written.ok()) {
      written = file->WriteCounters(format::ChunkKind::kCounters, CountersOf(ordinal, *file));
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
