// SPDX-License-Identifier: Apache-2.0
// Capturing the native stack of the calling thread. The only door to the unwinder.
#pragma once

#include <cstdint>

namespace migprof::record {

inline constexpr uint32_t kMaxNativeDepth = 512;

struct NativeStack {
  const uint64_t* frames;  // return addresses, innermost first; valid until the next capture with the same state
  uint32_t depth;
  bool truncated;  // there were more than `max_depth` frames
  uint64_t hash;   // identifies the stack, never 0: equal frames, equal hash
};

// What a thread keeps between captures. Too large for a stack that may be nearly full, so it lives in the thread's
// slot.
struct NativeStackState {
  uint64_t frames[kMaxNativeDepth];
};

// Captures at most `max_depth` (1 to kMaxNativeDepth) frames of the calling thread, from this function's caller
// outwards. On the thread's own stack, never in a signal handler. Warm, it makes no system call and takes no lock; the
// first captures of a process and of a thread map memory.
NativeStack CaptureNativeStack(NativeStackState* state, uint32_t max_depth) noexcept;

}  // namespace migprof::record
