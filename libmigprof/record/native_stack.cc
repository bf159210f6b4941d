// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/native_stack.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

#if defined(__SANITIZE_THREAD__)
#include <execinfo.h>
#else
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

#include "libmigprof/record/stack_walk.h"
#include "libmigprof/record/unwind_info.h"
#include "libmigprof/record/unwind_machine.h"

namespace migprof::record {
namespace {

constexpr uint32_t kOwnFrames = NativeStackState::kOwnFrames;

// unw_backtrace is the one libunwind call fit for this place: about 5 ns per frame when warm, where unw_step takes
// hundreds and a global lock.
int Backtrace(void** frames, int most) {
#if defined(__SANITIZE_THREAD__)
  // libunwind locks a mutex when a thread's storage is torn down, after ThreadSanitizer has forgotten the thread, which
  // crashes it.
  return backtrace(frames, most);
#else
  return unw_backtrace(frames, most);
#endif
}

uint64_t HashFrames(const uint64_t* frames, uint32_t depth) {
  uint64_t hash = 0;
  for (uint32_t i = 0; i < depth; ++i) hash += FrameHash(frames[depth - 1 - i], i);
  return hash;
}

uint64_t NotZero(uint64_t hash) { return hash != 0 ? hash : 1; }

// Fills `frames`, which has room for kOwnFrames more, by libunwind, beginning at the frame whose return address is
// `caller`. Returns the depth. Nothing large may be on the stack here: it can be a small one.
__attribute__((noinline)) uint32_t CaptureByLibunwind(uint64_t* frames, uint64_t caller, uint32_t max_depth) {
  const int found = Backtrace(reinterpret_cast<void**>(frames), static_cast<int>(max_depth + kOwnFrames));
  for (int i = 0; kSavesReturnAddress && i < found; ++i) {
    // libunwind 1.6 gives addresses inside of the call on aarch64, where all instructions have four bytes.
    frames[i] = ReturnAddress((frames[i] + 3) & ~uint64_t{3});
  }
  uint32_t own = 0;
  while (own < kOwnFrames && static_cast<int>(own) < found && frames[own] != caller) ++own;
  if (found <= 0 || own == kOwnFrames || static_cast<int>(own) == found) return 0;
  const uint32_t depth = std::min(static_cast<uint32_t>(found) - own, max_depth);
  std::memmove(frames, frames + own, depth * sizeof(uint64_t));
  return depth;
}

NativeStack Flat(const uint64_t* frames, uint32_t depth, bool truncated) {
  NativeStack stack{.depth = depth, .truncated = truncated};
  stack.hash = NotZero(HashFrames(frames, depth));
  stack.flat = frames;
  return stack;
}

void CopyInnermost(const NativeStackState& state, uint64_t* to, uint32_t depth) {
  for (uint32_t i = 0; i < depth; ++i) to[i] = state.frames[state.count - i].ip;
}

#if MIGPROF_WALKS_STACKS
// The bounds of the calling thread's own stack; none when they cannot be had, so that every capture goes by libunwind.
__attribute__((noinline, cold)) void LearnBounds(NativeStackState* state) {
  state->bounds_known = true;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* base = nullptr;
  size_t size = 0;
  if (pthread_attr_getstack(&attributes, &base, &size) == 0) {
    state->low = reinterpret_cast<uint64_t>(base);
    state->high = state->low + size;
    constexpr size_t kMostBytes = UINT32_MAX;  // what a distance can say; the outer end is where frames are
    if (size > kMostBytes) state->low = state->high - kMostBytes;
    state->high &= ~uint64_t{7};  // so that distances of words from it are multiples of words
  }
  pthread_attr_destroy(&attributes);
}

// Whether libunwind has enough of the stack that this is called on.
__attribute__((noinline)) bool HasRoomForLibunwind(const NativeStackState& state) {
  const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  if (here >= state.low && here < state.high) return here - state.low >= kLibunwindStackBytes;
  stack_t alternate;
  if (sigaltstack(nullptr, &alternate) != 0 || (alternate.ss_flags & SS_ONSTACK) == 0) return true;  // a fiber
  const uint64_t used = here - reinterpret_cast<uint64_t>(alternate.ss_sp);
  return used >= alternate.ss_size || used >= kLibunwindStackBytes;
}

// Whether nothing lies outside of a stack of which libunwind found `last` outermost. Where it finds no unwind
// information it follows the frame pointer, and ends when that leads nowhere.
bool IsEnd(uint64_t last) {
  const UnwindRule::Kind kind = FindDescribedRule(last, /*exact=*/false).kind;
  return kind == UnwindRule::Kind::kEnd || kind == UnwindRule::Kind::kStandard;
}

__attribute__((noinline)) NativeStack AskLibunwind(NativeStackState* state, uint64_t caller, uint32_t max_depth) {
  state->by_libunwind.store(state->by_libunwind.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!HasRoomForLibunwind(*state)) return {.truncated = true};
  const uint32_t depth = CaptureByLibunwind(state->flat, caller, max_depth);
  return Flat(state->flat, depth, depth == max_depth || depth == 0 || !IsEnd(state->flat[depth - 1]));
}

// Compares `stack` with what libunwind sees, if it can be asked.
__attribute__((noinline)) void Check(NativeStackState* state, const NativeStack& stack, uint64_t caller,
                                     uint32_t max_depth) {
  if (stack.depth == 0 || !HasRoomForLibunwind(*state)) return;
  const uint32_t depth = CaptureByLibunwind(state->theirs, caller, max_depth);
  bool equal = depth == stack.depth;
  for (uint32_t i = 0; equal && i < depth; ++i) equal = stack.FrameAt(i) == state->theirs[i];
  state->checked.fetch_add(1, std::memory_order_relaxed);
  state->different.fetch_add(equal ? 0 : 1, std::memory_order_relaxed);
}
#endif

}  // namespace

void NativeStack::CopyFrames(uint64_t* frames) const {
  if (flat != nullptr) {
    std::memcpy(frames, flat, depth * sizeof(uint64_t));
  } else {
    for (uint32_t i = 0; i < depth; ++i) frames[i] = FrameAt(i);
  }
}

void PrepareNativeStacks() { PrepareUnwindInfo(); }

void TakeOver(NativeStackState* state) noexcept {
  state->reusable = false;
#if MIGPROF_WALKS_STACKS
  state->low = state->high = 0;
  LearnBounds(state);
#endif
}

__attribute__((noinline)) NativeStack CaptureNativeStack(NativeStackState* state, uint32_t max_depth,
                                                         uint32_t check_every) noexcept {
  static_assert(sizeof(void*) == sizeof(uint64_t));
  const uint64_t caller = ReturnAddress(reinterpret_cast<uint64_t>(__builtin_return_address(0)));
  NativeStack stack;
#if MIGPROF_WALKS_STACKS
  if (!state->bounds_known) [[unlikely]]
    LearnBounds(state);
  // That this function asks for it makes its frame one with a frame pointer, and tells what the caller's registers are.
  const auto* const frame = static_cast<const uint64_t*>(__builtin_frame_address(0));
#if defined(__aarch64__)
  const auto sp = reinterpret_cast<uint64_t>(__builtin_dwarf_cfa());  // a frame pointer says nothing about it
#else
  const auto sp = reinterpret_cast<uint64_t>(frame + 2);
#endif
  const WalkResult result = WalkStack(state, {.sp = sp, .ip = caller, .bp = frame[0]});
  if (result == WalkResult::kUnable) [[unlikely]] {
    stack = AskLibunwind(state, caller, max_depth);
  } else if (result == WalkResult::kComplete && state->count <= max_depth) [[likely]] {
    stack.depth = state->count;
    stack.hash = NotZero(state->hashes[state->count]);
    stack.framed = state->frames;
  } else {
    const uint32_t depth = std::min(state->count, max_depth);
    CopyInnermost(*state, state->flat, depth);
    stack = Flat(state->flat, depth, true);
  }
  if (check_every != 0 && (state->until_check-- == 0)) [[unlikely]] {
    state->until_check = check_every - 1;
    Check(state, stack, caller, max_depth);
  }
#else
  (void)check_every;
  const uint32_t depth = CaptureByLibunwind(state->flat, caller, max_depth);
  stack = Flat(state->flat, depth, depth == max_depth);
#endif
  return stack;
}

}  // namespace migprof::record
