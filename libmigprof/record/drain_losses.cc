// SPDX-License-Identifier: Apache-2.0
// What Drain says of what is missing, and what it does with calls that are not recorded any more: they came too late,
// or recording has failed.
#include <ctime>
#include <set>
#include <utility>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/memory_use.h"
#include "libmigprof/record/drain.h"
#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

// Adds what was lost since the last time to the files of the devices it belongs to. Of what belongs to none that is
// known, the only device of the process has it all; where there are several it is stated for the process.
void Drain::NoteLosses() {
  PerDevice<uint64_t> dropped{};
  uint64_t dropped_graph_nodes = 0;
  const auto add = [&](const LostCalls& lost) {
    for (size_t device = 0; device <= kUnknownDevice; ++device) {
      dropped[device] += lost.of_device[device].load(std::memory_order_relaxed);
    }
  };
  add(parts_.calls->untracked());
  parts_.slots->ForEach([&](const ThreadSlot* slot) {
    add(slot->dropped_calls);
    dropped_graph_nodes += slot->dropped_graph_nodes.load(std::memory_order_relaxed);
  });
  for (size_t device = 0; device <= kUnknownDevice; ++device) {
    new_dropped_calls_[device] += dropped[device] - std::exchange(dropped_calls_[device], dropped[device]);
  }
  // Graphs are the process's, and CUPTI does not say whose records it dropped.
  new_dropped_graph_nodes_ += dropped_graph_nodes - std::exchange(dropped_graph_nodes_, dropped_graph_nodes);
  const uint64_t dropped_activities = parts_.tracer->TakeDroppedRecords();
  dropped_activities_ += dropped_activities;
  new_dropped_activities_ += dropped_activities + unrouted_activities_ - noted_unrouted_activities_;
  noted_unrouted_activities_ = unrouted_activities_;
  // A device may be known by its losses only. The last counter is of any number of them.
  for (uint32_t device = 0; device + 1 < kCountedDevices; ++device) {
    if (new_dropped_calls_[device] != 0) parts_.files->ForDevice(device);
  }
  if (parts_.files->empty()) return;
  if (parts_.files->only_device() == nullptr) {
    unplaced_losses_ += std::exchange(new_dropped_calls_[kUnknownDevice], 0) +
                        std::exchange(new_dropped_graph_nodes_, 0) + std::exchange(new_dropped_activities_, 0);
  }
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    file->AddLostCalls(std::exchange(new_dropped_calls_[CountedDevice(ordinal)], 0));
    file->AddLostCalls(std::exchange(new_dropped_calls_[kUnknownDevice], 0));
    file->AddLostGraphNodes(std::exchange(new_dropped_graph_nodes_, 0));
    file->AddLostActivities(std::exchange(new_dropped_activities_, 0));
  });
}

uint64_t Drain::DroppedOtherCalls(size_t device) const {
  uint64_t dropped = parts_.calls->untracked().others_of_device[device].load(std::memory_order_relaxed);
  parts_.slots->ForEach([&](const ThreadSlot* slot) {
    dropped += slot->dropped_calls.others_of_device[device].load(std::memory_order_relaxed);
  });
  return dropped;
}

Counters Drain::CountersOf(uint32_t ordinal, const SliceFile& file) const {
  uint64_t dropped_outcomes = 0;
  uint64_t by_libunwind = 0;
  uint64_t checked = 0;
  uint64_t different = 0;
  uint64_t lost_ranges = RangeStack::overflowed();
  const size_t device = CountedDevice(ordinal);
  const bool is_only = parts_.files->only_device() != nullptr;
  parts_.slots->ForEach([&](ThreadSlot* slot) {
    dropped_outcomes += slot->dropped_outcomes.load(std::memory_order_relaxed);
    by_libunwind += slot->native_stack.by_libunwind.load(std::memory_order_relaxed);
    checked += slot->native_stack.checked.load(std::memory_order_relaxed);
    different += slot->native_stack.different.load(std::memory_order_relaxed);
    lost_ranges += slot->dropped_ranges.load(std::memory_order_relaxed);
  });
  uint64_t sampled_ms = 0;
  for (uint32_t level = 2; level < Governor::kLevels; ++level) sampled_ms += governor_.milliseconds_at(level);
  return {
      {"process.own_ns", governor_.own_ns()},
      {"process.own_share_ppm", governor_.largest_share_ppm()},
      {"process.budget_ppm", governor_.budget_ppm()},
      {"process.last_level_share_ppm", governor_.share_at_last_level_ppm()},
      {"process.budget_level", governor_.level()},
      {"process.budget_highest_level", governor_.highest_level()},
      {"process.ms_without_python_lines", governor_.milliseconds_at(1) + sampled_ms},
      {"process.ms_of_sampled_stacks", sampled_ms},
      {"process.ms_of_whole_graphs", governor_.milliseconds_of_whole_graphs()},
      {"device.dropped_calls", dropped_calls_[device]},
      {"device.late_calls", LateCalls(device) + (is_only ? LateCalls(kUnknownDevice) : 0) + file.unwritten_calls()},
      {"device.late_activities", file.unwritten_activities()},
      {"device.dropped_other_calls",
       DroppedOtherCalls(device) + (is_only ? DroppedOtherCalls(kUnknownDevice) : 0) + file.lost_other_calls()},
      {"process.unplaced_losses", unplaced_losses_ + unstated_losses_ +
                                      (is_only ? 0 : LateCalls(kUnknownDevice) + DroppedOtherCalls(kUnknownDevice))},
      {"process.calls", calls_},
      {"process.activities", activities_},
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

Error Drain::AddLateCalls() {
  parts_.slots->ForEach([&](ThreadSlot* slot) { CountUnreadCalls(slot); });
  bool any = false;
  for (size_t device = 0; device <= kUnknownDevice; ++device) any |= LateCalls(device) != 0;
  if (!any) return Error::None();
  Error error = WriteTrailers();
  if (error.ok()) error = parts_.files->WriteWaiting();
  if (!error.ok()) GiveUpWaiting(error.code);
  return error;
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
  return only != nullptr ? CountedDevice(*only) : kUnknownDevice;
}

uint64_t Drain::LateCalls(size_t device) const { return parts_.tracer->late_calls(device) + unread_calls_[device]; }

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

Error Drain::WriteTrailer(uint32_t ordinal, SliceFile* file) {
  Counters counters = CountersOf(ordinal, *file);
  if (end_ns_ != 0) counters.emplace_back("process.end_ns", end_ns_);
  return file->WriteCounters(format::ChunkKind::kTrailer, counters);
}

Error Drain::WriteTrailers() {
  Error error;
  parts_.files->UseReserve(true);
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    const Error written = WriteTrailer(ordinal, file);
    if (error.ok()) error = written;
  });
  return error;
}

Drain::GivenUp Drain::GiveUpWaiting(int error) {
  GivenUp given_up;
  stopped_by_ = error;
  unstated_losses_ = 0;
  std::set<const SliceFile*> unstated;
  parts_.files->UseReserve(true);
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    if (file->waiting_bytes() == 0) return;
    // A chunk that was begun has taken what room there was. If that is not enough for a trailer, some chunks before it
    // go as well.
    const bool is_stated = CutBackForTrailer(ordinal, file);
    const uint64_t launches = LateCalls(CountedDevice(ordinal)) + file->unwritten_calls();
    given_up.launches += launches;
    given_up.activities += file->unwritten_activities();
    if (is_stated) return;
    unstated.insert(file);
    unstated_losses_ += launches + file->unwritten_activities();
  });
  given_up.is_stated = unstated.empty();
  if (given_up.is_stated) return given_up;
  // Then the others of the process say so.
  parts_.files->ForEach([&](uint32_t ordinal, SliceFile* file) {
    if (unstated.contains(file)) return;
    const bool is_written = WriteTrailer(ordinal, file).ok() && file->waiting_bytes() == 0;
    if (!is_written) CutBackForTrailer(ordinal, file);
  });
  return given_up;
}

bool Drain::CutBackForTrailer(uint32_t ordinal, SliceFile* file) {
  while (file->CutBack()) {
    if (parts_.files->StateRotated(ordinal, file).ok() && WriteTrailer(ordinal, file).ok() &&
        file->waiting_bytes() == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace migprof::record
