// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/call_recorder.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "libmigprof/base/clock.h"
#include "libmigprof/record/hooked_calls.h"
#include "libmigprof/record/python_thread_name.h"

namespace migprof::record {
namespace {

// For a counter that only this thread writes.
void CountUp(std::atomic<uint64_t>* counter) {
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// The first calls of a thread are timed each, so that those that are slow because they are the first count for
// themselves only. Then one in 9 to 24, at random, so that no loop meets the same call of it each time: reading the
// clock at each would cost a tenth of what recording costs.
constexpr uint32_t kTimedSingly = 48;
constexpr uint32_t kShortestGap = 9;
constexpr uint32_t kGapMask = 15;
// What took longer was another thread's time: this one was not running.
constexpr uint64_t kLongestNs = 100'000;

constexpr size_t kSystemNameBytes = 16;  // of a thread, with a zero at the end

uint64_t NextRandom(ThreadSlot* slot) {  // xorshift64
  uint64_t x = slot->random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return slot->random = x;
}

// Adds the time of a call to its thread's, for itself and those before it that were not timed, and chooses the next.
void NoteOwnTime(ThreadSlot* slot, uint64_t ns) {
  const uint64_t own = std::min(ns, kLongestNs) * slot->timed_weight;
  slot->own_ns.store(slot->own_ns.load(std::memory_order_relaxed) + own, std::memory_order_relaxed);
  if (slot->timed_singly < kTimedSingly) {
    ++slot->timed_singly;
    return;
  }
  // The high bits: the low ones choose the stacks that are recorded while these are sampled.
  slot->timed_weight = kShortestGap + static_cast<uint32_t>(NextRandom(slot) >> 32 & kGapMask);
  slot->until_timed = slot->timed_weight - 1;
}

}  // namespace

void CallRecorder::Enter(uint32_t callback_id, uint32_t correlation, uint32_t context) noexcept {
  ThreadSlot* const slot = slots_->Mine();
  if (slot == nullptr) [[unlikely]] {
    CounterOf(&untracked_, callback_id, context)->fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const SlotUse use(slot);
  if (!use.granted()) [[unlikely]] {
    CounterOf(&slot->dropped_calls, callback_id, context)->fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // A driver call inside a recorded driver call carries the same correlation id and is part of it.
  if (slot->open_correlation == correlation && correlation != 0) return;
  uint64_t start = 0;
  if (slot->until_timed == 0) {
    start = MonotonicNs();
  } else {
    --slot->until_timed;
  }
  // Hides from the compiler what it knows about `start`: it would make two copies of the call below, and a stack begins
  // with the place of that call.
  asm volatile("" : "+r"(start));
  Record(slot, callback_id, correlation, context);
  if (start == 0) [[likely]]
    return;
  NoteOwnTime(slot, MonotonicNs() - start);
}

std::atomic<uint64_t>* CallRecorder::CounterOf(LostCalls* lost, uint32_t callback_id, uint32_t context) const noexcept {
  auto& counters = format::GivesWork(CallClassOf(callback_id)) ? lost->of_device : lost->others_of_device;
  return &counters[CountedDevice(contexts_->DeviceOf(context))];
}

void CallRecorder::Record(ThreadSlot* slot, uint32_t callback_id, uint32_t correlation, uint32_t context) noexcept {
  slot->open_correlation = correlation;
  slot->open_epoch = epoch_.load(std::memory_order_relaxed);
  slot->open_context = context;
  slot->open_callback_id = callback_id;
  slot->open_captured = false;

  CallRecord record{};
  record.header = {sizeof(CallRecord), RingRecordKind::kCall, 0, correlation};
  record.time_ns = slot->open_time_ns = clock_();
  record.context = context;
  record.callback_id = callback_id;
  if (const uint32_t generation = generation_.load(std::memory_order_relaxed); slot->generation != generation)
      [[unlikely]]
    SendAllAgain(slot, generation);
  if (max_depth_ == 0) {
    record.header.flags = format::kCallStackMissing;
  } else {
    AddStacks(slot, &record);
  }
  if (RangeStack* const ranges = RangeStack::MineIfAny()) record.range_hash = SendRanges(slot, ranges);
  uint8_t* const room = slot->ring.Reserve(sizeof(record));
  if (room == nullptr) [[unlikely]] {
    slot->open_correlation = 0;  // nobody will ask for the outcome of a call that is not in the trace
    CountUp(CounterOf(&slot->dropped_calls, callback_id, context));
    return;
  }
  std::memcpy(room, &record, sizeof(record));
  slot->ring.Commit();
}

__attribute__((noinline, cold)) void CallRecorder::SendAllAgain(ThreadSlot* slot, uint32_t generation) noexcept {
  slot->sent_stacks.Clear();
  if ((slot->generation ^ generation) >> 16 != 0) {
    slot->sent_python_stacks.Clear();
    slot->sent_ranges.Clear();
    slot->python_stack.known_code.Clear();
  }
  slot->generation = generation;
}

// With system calls, as only a thread's first event may make them.
__attribute__((noinline, cold)) void CallRecorder::SendThreadName(void* self, ThreadSlot* slot) noexcept {
  char name[kMostThreadNameBytes];
  const PythonRuntime* const python = static_cast<CallRecorder*>(self)->python_;
  const PythonReader* const reader = python != nullptr ? python->reader() : nullptr;
  size_t length = reader != nullptr ? ReadPythonThreadName(*reader, &slot->python_stack.name_scratch, name) : 0;
  const bool is_pythons = length != 0;
  // A thread that is soon over is gone when the drain thread asks for its name.
  if (!is_pythons && prctl(PR_GET_NAME, name) == 0) length = strnlen(name, kSystemNameBytes);
  if (length == 0) return;
  const auto bytes = static_cast<uint32_t>((sizeof(ThreadNameRecord) + length + 7) / 8 * 8);
  uint8_t* const room = slot->ring.Reserve(bytes);
  if (room == nullptr) return;
  ThreadNameRecord record{};
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kThreadName, is_pythons,
                   static_cast<uint32_t>(length)};
  std::memcpy(room, &record, sizeof(record));
  std::memcpy(room + sizeof(record), name, length);
  slot->ring.Commit();
}

void CallRecorder::AddStacks(ThreadSlot* slot, CallRecord* record) noexcept {
  const StackDetail detail = StackDetail::Unpack(detail_.load(std::memory_order_relaxed));
  if (detail.sample_shift != 0 && !BuildsGraph(record->callback_id)) [[unlikely]] {
    // At random: a fixed stride would always meet the same calls of a loop.
    if ((NextRandom(slot) & ((uint64_t{1} << detail.sample_shift) - 1)) != 0) {
      record->header.flags = format::kCallStackSampledOut;
      return;
    }
    record->header.flags = static_cast<uint8_t>(detail.sample_shift << kCallFlagBits);
  }
  const NativeStack stack = CaptureNativeStack(&slot->native_stack, max_depth_, check_stacks_);
  record->stack_hash = stack.hash;
  if (stack.truncated) record->header.flags |= format::kCallStackTruncated;
  if (stack.depth == 0 || (!slot->sent_stacks.Contains(stack.hash) && !SendStack(slot, stack))) {
    record->stack_hash = 0;
    record->header.flags = format::kCallStackMissing;
  }
  if (python_ != nullptr) AddPythonStack(slot, detail.python_lines, record);
}

void CallRecorder::Exit(uint32_t correlation, uint32_t result) noexcept {
  ThreadSlot* const slot = slots_->Mine();
  if (slot == nullptr || slot->open_correlation != correlation) return;
  const SlotUse use(slot);
  if (!use.granted()) [[unlikely]]
    return;  // of a call that was not recorded either
  slot->open_correlation = 0;
  if (result != 0) [[unlikely]] {
    PushOutcome(slot, correlation, format::CallOutcome::kFailed, result);
  } else if (format::MayBlock(CallClassOf(slot->open_callback_id)) && !slot->open_captured) {
    PushOutcome(slot, correlation, format::CallOutcome::kReturned, clock_() - slot->open_time_ns);
  }
}

void CallRecorder::Captured(ThreadSlot* slot, uint64_t graph_node) noexcept {
  PushOutcome(slot, slot->open_correlation, format::CallOutcome::kCaptured, graph_node);
}

bool CallRecorder::SendStack(ThreadSlot* slot, const NativeStack& stack) noexcept {
  const uint32_t frame_bytes = stack.depth * sizeof(uint64_t);
  const uint32_t bytes = sizeof(StackRecord) + frame_bytes;
  uint8_t* const room = slot->ring.Reserve(bytes);
  if (room == nullptr) return false;
  StackRecord record{};
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kStack, 0, 0};
  record.hash = stack.hash;
  std::memcpy(room, &record, sizeof(record));
  stack.CopyFrames(reinterpret_cast<uint64_t*>(room + sizeof(record)));
  slot->ring.Commit();
  slot->sent_stacks.Insert(stack.hash);
  return true;
}

void CallRecorder::AddPythonStack(ThreadSlot* slot, bool lines, CallRecord* record) noexcept {
  const PythonReader* const reader = python_->reader();
  if (reader == nullptr) return;
  const PythonStack stack = CapturePythonStack(*reader, &slot->python_stack, &slot->ring, lines);
  if (stack.nonsense) [[unlikely]]
    python_->Distrust();
  if (stack.depth != 0 && (slot->sent_python_stacks.Contains(stack.hash) || SendPythonStack(slot, stack))) {
    record->python_stack_hash = stack.hash;
    if (stack.truncated) record->header.flags |= format::kCallStackTruncated;
  } else if (stack.depth != 0 || stack.lost) {
    record->header.flags |= format::kCallPythonLost;
  }
}

bool CallRecorder::SendPythonStack(ThreadSlot* slot, const PythonStack& stack) noexcept {
  const uint32_t frame_bytes = stack.depth * sizeof(PythonFrame);
  const uint32_t bytes = sizeof(PythonStackRecord) + frame_bytes;
  uint8_t* const room = slot->ring.Reserve(bytes);
  if (room == nullptr) return false;
  PythonStackRecord record{};
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kPythonStack, 0, 0};
  record.hash = stack.hash;
  std::memcpy(room, &record, sizeof(record));
  std::memcpy(room + sizeof(record), stack.frames, frame_bytes);
  slot->ring.Commit();
  slot->sent_python_stacks.Insert(stack.hash);
  return true;
}

uint64_t CallRecorder::SendRanges(ThreadSlot* slot, RangeStack* ranges) noexcept {
  const uint64_t top = ranges->Top();
  if (top == 0 || slot->sent_ranges.Contains(top)) [[likely]]
    return top;
  uint64_t parent = 0;
  for (uint32_t i = 0; i < ranges->depth(); ++i) {
    const RangeStack::Range& range = (*ranges)[i];
    if (!slot->sent_ranges.Contains(range.hash) && !SendRange(slot, range, parent)) {
      CountUp(&slot->dropped_ranges);
      return parent;  // the ranges around it are known
    }
    parent = range.hash;
  }
  return top;
}

bool CallRecorder::SendRange(ThreadSlot* slot, const RangeStack::Range& range, uint64_t parent) noexcept {
  const std::string_view domain = range.domain != nullptr ? range.domain->text() : std::string_view();
  const auto bytes = static_cast<uint32_t>((sizeof(RangeRecord) + domain.size() + range.length + 7) / 8 * 8);
  uint8_t* const room = slot->ring.Reserve(bytes);
  if (room == nullptr) return false;
  RangeRecord record{};
  record.header = {static_cast<uint16_t>(bytes), RingRecordKind::kRange, range.start != 0, 0};
  record.hash = range.hash;
  record.parent_hash = parent;
  record.domain_length = static_cast<uint16_t>(domain.size());
  record.name_length = range.length;
  std::memcpy(room, &record, sizeof(record));
  // Of nothing not even the address may be given to memcpy.
  if (!domain.empty()) std::memcpy(room + sizeof(record), domain.data(), domain.size());
  if (range.length != 0) std::memcpy(room + sizeof(record) + domain.size(), range.text, range.length);
  slot->ring.Commit();
  slot->sent_ranges.Insert(range.hash);
  return true;
}

void CallRecorder::PushOutcome(ThreadSlot* slot, uint32_t correlation, format::CallOutcome outcome,
                               uint64_t detail) noexcept {
  OutcomeRecord record{};
  record.header = {sizeof(OutcomeRecord), RingRecordKind::kOutcome, static_cast<uint8_t>(outcome), correlation};
  record.detail = detail;
  record.context = slot->open_context;
  uint8_t* const room = slot->ring.Reserve(sizeof(record));
  if (room == nullptr) return CountUp(&slot->dropped_outcomes);
  std::memcpy(room, &record, sizeof(record));
  slot->ring.Commit();
}

}  // namespace migprof::record
