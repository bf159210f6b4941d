// SPDX-License-Identifier: Apache-2.0
// Capturing the native stack of the calling thread. Two ways give the same frames: libunwind, and a walk by cached
// rules that looks again only at what has changed since the thread's last capture.
#pragma once

#include <atomic>
#include <cstdint>

namespace migprof::record {

inline constexpr uint32_t kMaxNativeDepth = 512;

// What libunwind may take of the stack, with a margin: it is not asked where less is left, as far as that can be told.
#if defined(__aarch64__)
inline constexpr uint64_t kLibunwindStackBytes = 10240;  // a context alone is 4.5 KiB there
#else
inline constexpr uint64_t kLibunwindStackBytes = 6144;
#endif

// What a thread keeps between captures. Too large for a stack that may be nearly full, so it lives in the thread's
// slot, zeroed at first.
struct alignas(64) NativeStackState {
  // One frame as it was: the registers there, and where in memory they came from. Addresses on the stack
  // are distances from its end, so that a frame takes 24 bytes: with cold caches their number is what a capture costs.
  struct Frame {
    uint64_t ip, bp;
    uint64_t places;  // one word, because a copy made of words need not wait until they are in the cache

    // Distance of the stack pointer from `high`.
    uint32_t sp() const { return static_cast<uint32_t>(places); }
    // Where the others were saved. x86-64: the distance of the frame pointer's place, or 0: it is that of the frame
    // inside; the return address is always the word below `sp`. aarch64: the distance of the return address's place,
    // and in the lowest bits where the frame pointer is (PointerPlace), or 0: not known, the innermost frame and
    // interrupted ones.
    uint32_t slots() const { return static_cast<uint32_t>(places >> 32); }
  };

  // First what every capture needs: one cache line.
  uint64_t low = 0, high = 0;  // of the thread's own stack
  uint32_t count = 0;          // frames of the last capture; 0: nothing to build upon
  uint32_t generation = 0;     // of the rules they were found by
  bool reusable = false;       // they are a whole stack
  bool bounds_known = false;
  bool any_sp_slot = false;
  uint32_t until_check = 0;  // captures left before the next comparison

  // Read by the drain thread.
  std::atomic<uint64_t> by_libunwind{0};  // captures that took the slow way
  std::atomic<uint64_t> checked{0};       // captures compared with libunwind's
  std::atomic<uint64_t> different{0};     // of which were not equal

  // The last capture, outermost first, from 1 on; 0 is the end of the stack, where nothing is.
  Frame frames[kMaxNativeDepth + 1];
  uint64_t hashes[kMaxNativeDepth + 1];  // of the stack from its outermost frame to this one
  // Distance of the memory that holds the stack pointer, for callers of frames that realign the stack; 0 for others.
  // Only where any_sp_slot.
  uint32_t sp_slots[kMaxNativeDepth + 1];

  // What the walk meets, innermost first.
  Frame walked[kMaxNativeDepth];
  uint32_t walked_sp_slots[kMaxNativeDepth];

  // One or two frames of the recorder's own lie inside the first frame that is wanted.
  static constexpr uint32_t kOwnFrames = 4;
  uint64_t flat[kMaxNativeDepth + kOwnFrames];
  uint64_t theirs[kMaxNativeDepth + kOwnFrames];  // what libunwind says, where that is compared
};

struct NativeStack {
  uint32_t depth = 0;
  bool truncated = false;  // outer frames are missing
  uint64_t hash = 0;       // identifies the stack, never 0: equal frames, equal hash

  // Writes the `depth` return addresses, innermost first. Before the next capture with the same state.
  void CopyFrames(uint64_t* frames) const;
  // One of them.
  uint64_t FrameAt(uint32_t index) const { return flat != nullptr ? flat[index] : framed[depth - index].ip; }

  const uint64_t* flat = nullptr;                   // innermost first, or null and
  const NativeStackState::Frame* framed = nullptr;  // outermost first, from 1 on
};

// Once per process, before the first capture, not on a launching thread.
void PrepareNativeStacks();

// The calling thread is the owner of `state` from now on: what it must ask the system, it asks here.
void TakeOver(NativeStackState* state) noexcept;

// Captures at most `max_depth` (1 to kMaxNativeDepth) frames of the calling thread, from this function's caller
// outwards. Never in a signal handler that interrupted a capture. After TakeOver, or else the first capture, it makes
// no system call, takes no lock and allocates nothing, but where docs/injection-safety.md says so. `check_every`:
// compare every so many captures with libunwind's; 0 never.
NativeStack CaptureNativeStack(NativeStackState* state, uint32_t max_depth, uint32_t check_every = 0) noexcept;

}  // namespace migprof::record
