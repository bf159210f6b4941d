// SPDX-License-Identifier: Apache-2.0
// What Drain does with calls that are not recorded any more: they came too late, or recording has failed.
#include "libmigprof/record/drain.h"
#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

Error Drain::AddLateCalls() {
  parts_.slots->ForEach([&](ThreadSlot* slot) { CountUnreadCalls(slot); });
  bool any = false;
  for (uint32_t device = 0; device < kCountedDevices; ++device) any |= LateCalls(device) != 0;
  return any ? WriteTrailers() : Error::None();
}

// A thread that was stopped by the scheduler in the middle of recording a call comes too late for the last round.
void Drain::CountUnreadCalls(ThreadSlot* slot) {
  slot->ring.Drain([&](const RingRecordHeader* header) {
    if (header->kind != RingRecordKind::kCall) return;
    const auto& call = *reinterpret_cast<const CallRecord*>(header);
    const auto api = apis_.find(call.callback_id);
    if (api == apis_.end() || !format::GivesWork(api->second.call_class)) return;
    ++unread_calls_[CountedDeviceOf(call.context)];
  });
}

size_t Drain::CountedDeviceOf(uint32_t context) const {
  if (const auto device = parts_.contexts->DeviceOf(context)) return CountedDevice(*device);
  const uint32_t* const only = parts_.files->only_device();
  return CountedDevice(only != nullptr ? *only : 0);
}

uint64_t Drain::LateCalls(uint32_t device) const {
  return parts_.tracer->late_calls(device) + unread_calls_[CountedDevice(device)];
}

void Drain::Discard() noexcept {
  for (ActivityBuffer* buffer = parts_.buffers->TakeCompleted(); buffer != nullptr;) {
    ActivityBuffer* const next = buffer->next;
    parts_.buffers->Recycle(buffer);
    buffer = next;
  }
  parts_.slots->ForEach([&](ThreadSlot* slot) {
    const bool retired = slot->state.load(std::memory_order_acquire) == ThreadSlot::State::kRetired;
    CountUnreadCalls(slot);
    ThreadSlot::State state = ThreadSlot::State::kRetired;  // unless another thread has taken it meanwhile
    if (retired) slot->state.compare_exchange_strong(state, ThreadSlot::State::kFree, std::memory_order_release);
  });
}

Error Drain::FinishFailed(int error) {
  stopped_by_ = error;
  Discard();
  NoteLosses();
  return WriteTrailers();
}

Error Drain::WriteTrailers() {
  Error error;
  parts_.files->UseReserve(true);
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    Counters counters = CountersOf(ordinal, file->unwritten_calls());
    if (end_ns_ != 0) counters.emplace_back("process.end_ns", end_ns_);
    const Error written = file->WriteCounters(format::ChunkKind::kTrailer, counters);
    if (error.ok()) error = written;
  });
  return error;
}

}  // namespace migprof::record
