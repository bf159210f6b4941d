// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/drain.h"

#include <ctime>

#include "libmigprof/base/clock.h"
#include "libmigprof/record/activity_translate.h"
#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

Drain::Drain(const Parts& parts) : parts_(parts) {
  for (const HookedCall& call : kHookedCalls) {
    apis_[call.callback_id] = {parts_.definitions->strings.Intern(PublicName(call.name)), call.call_class};
  }
  parts_.buffers->Restock();
}

bool Drain::Collect(Error* error) {
  // In this order a call reaches its file no later than the activity it caused: whatever is in a completed buffer now
  // was called for before, so its call is in a ring.
  ActivityBuffer* const completed = parts_.buffers->TakeCompleted();
  const bool had_calls = CollectRings();
  TranslateBuffers(completed);
  *error = parts_.files->error();
  return had_calls || completed != nullptr;
}

bool Drain::CollectRings() {
  bool any = false;
  parts_.slots->ForEach([&](ThreadSlot* slot) {
    // Looked at before the ring is emptied: what a retired thread left is then all there will be.
    const bool retired = slot->state.load(std::memory_order_acquire) == ThreadSlot::State::kRetired;
    any |= slot->ring.Drain([&](const RingRecordHeader* record) { TakeRecord(*slot, record); }) != 0;
    if (retired) slot->state.store(ThreadSlot::State::kFree, std::memory_order_release);
  });
  return any;
}

void Drain::TranslateBuffers(ActivityBuffer* buffer) {
  while (buffer != nullptr) {
    ActivityBuffer* const next = buffer->next;
    activities_ += TranslateActivities(*parts_.cupti, *parts_.record_sizes, buffer->data(), buffer->valid, this);
    parts_.buffers->Recycle(buffer);
    buffer = next;
  }
  parts_.buffers->Restock();
}

void Drain::TakeRecord(const ThreadSlot& slot, const RingRecordHeader* header) {
  switch (header->kind) {
    case RingRecordKind::kCall:
      return TakeCall(slot, *reinterpret_cast<const CallRecord*>(header));
    case RingRecordKind::kStack: {
      const auto* stack = reinterpret_cast<const StackRecord*>(header);
      return parts_.definitions->stacks.Define(stack->hash, {stack->frames(), stack->depth()});
    }
    case RingRecordKind::kOutcome: {
      const auto* outcome = reinterpret_cast<const OutcomeRecord*>(header);
      if (SliceFile* file = FileOfCall(outcome->context)) {
        file->AddOutcome(header->correlation, static_cast<format::CallOutcome>(header->flags), outcome->detail);
      }
      return;
    }
    case RingRecordKind::kPadding:
      return;
  }
}

void Drain::TakeCall(const ThreadSlot& slot, const CallRecord& call) {
  ++calls_;
  SliceFile* const file = FileOfCall(call.context);
  if (file == nullptr) {
    ++unrouted_calls_;
    return;
  }
  parts_.definitions->threads.Note(slot.serial, slot.system_thread_id);
  const auto api = apis_.find(call.callback_id);
  if (api == apis_.end()) return;
  CallEvent event{.correlation = call.header.correlation,
                  .time_ns = call.time_ns,
                  .thread = slot.serial,
                  .stack_node = parts_.definitions->stacks.Find(call.stack_hash),
                  .api = api->second.name,
                  .call_class = api->second.call_class,
                  .flags = call.header.flags};
  if (event.stack_node == 0) {
    event.flags |= format::kCallStackMissing;
    ++stacks_lost_;
  }
  file->AddCall(event);
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

void Drain::OnKernel(const KernelActivity& kernel) {
  SliceFile* const file = FileOfActivity(kernel.context, kernel.device);
  file != nullptr ? file->AddKernel(kernel) : void(++unrouted_activities_);
}

void Drain::OnTransfer(const TransferActivity& transfer) {
  SliceFile* const file = FileOfActivity(transfer.context, transfer.device);
  file != nullptr ? file->AddTransfer(transfer) : void(++unrouted_activities_);
}

void Drain::OnAllocation(const AllocationActivity& allocation) {
  SliceFile* const file = FileOfActivity(allocation.context, allocation.device);
  file != nullptr ? file->AddAllocation(allocation) : void(++unrouted_activities_);
}

void Drain::OnSynchronization(const SynchronizationActivity& synchronization) {
  SliceFile* const file = FileOfCall(synchronization.context);
  file != nullptr ? file->AddSynchronization(synchronization) : void(++unrouted_activities_);
}

void Drain::OnContext(const ContextActivity& context) { parts_.contexts->Add(context.context, context.device); }

void Drain::OnMigDevice(const DeviceActivity& device) { parts_.files->NoteMigDevice(device); }

void Drain::OnUnknownRecord() { ++unknown_records_; }

bool Drain::is_full() {
  bool full = false;
  parts_.files->ForEach([&](uint32_t, SliceFile* file) { full |= file->is_full(); });
  return full;
}

// Adds what was lost since the last time to the files of the devices it belongs to.
void Drain::NoteLosses() {
  for (size_t device = 0; device < kCountedDevices; ++device) {
    uint64_t dropped = parts_.calls->untracked(static_cast<uint32_t>(device));
    parts_.slots->ForEach(
        [&](ThreadSlot* slot) { dropped += slot->dropped_calls[device].load(std::memory_order_relaxed); });
    new_dropped_calls_[device] += dropped - dropped_calls_[device];
    dropped_calls_[device] = dropped;
  }
  const uint64_t dropped_activities = parts_.tracer->TakeDroppedRecords();
  dropped_activities_ += dropped_activities;
  new_dropped_activities_ += dropped_activities;
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    file->AddLostCalls(std::exchange(new_dropped_calls_[CountedDevice(ordinal)], 0));
    // CUPTI does not say whose records it dropped: the first device's file carries them for the process.
    file->AddLostActivities(std::exchange(new_dropped_activities_, 0));
  });
}

Counters Drain::CountersOf(uint32_t ordinal) {
  uint64_t dropped_outcomes = 0;
  parts_.slots->ForEach(
      [&](ThreadSlot* slot) { dropped_outcomes += slot->dropped_outcomes.load(std::memory_order_relaxed); });
  return {{"device.dropped_calls", dropped_calls_[CountedDevice(ordinal)]},
          {"process.calls", calls_},
          {"process.activities", activities_},
          {"process.dropped_activities", dropped_activities_},
          {"process.dropped_outcomes", dropped_outcomes},
          {"process.stacks_lost", stacks_lost_},
          {"process.unrouted_calls", unrouted_calls_},
          {"process.unrouted_activities", unrouted_activities_},
          {"process.unknown_records", unknown_records_},
          {"process.unknown_contexts", parts_.tracer->unknown_contexts()},
          {"process.refused_buffers", parts_.buffers->refused()},
          {"process.drain_cpu_ns", ClockNs(CLOCK_THREAD_CPUTIME_ID)}};
}

Error Drain::Write(bool forced) {
  parts_.tracer->Flush(forced);
  Error error;
  Collect(&error);
  if (!error.ok()) return error;
  parts_.definitions->frames.RefreshModules();
  parts_.calls->SetGeneration(parts_.definitions->frames.generation());
  parts_.definitions->frames.ResolveNames(/*at_end=*/forced);
  NoteLosses();
  uint64_t cupti_ns = 0;
  parts_.cupti->get_timestamp(&cupti_ns);
  const ClockSample clocks{cupti_ns, RealtimeNs(), MonotonicNs()};
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    if (file->is_empty()) return;  // an idle process writes nothing
    file->AddClockSample(clocks);
    Error written = file->Flush();
    if (written.ok()) written = file->WriteCounters(format::ChunkKind::kCounters, CountersOf(ordinal));
    if (error.ok()) error = written;
  });
  return error;
}

Error Drain::Finish() {
  Error error = Write(/*forced=*/true);
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    const Error written = file->WriteCounters(format::ChunkKind::kTrailer, CountersOf(ordinal));
    if (error.ok()) error = written;
  });
  return error;
}

}  // namespace migprof::record
