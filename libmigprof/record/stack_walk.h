// SPDX-License-Identifier: Apache-2.0
// Walking the calling thread's stack by unwind rules, on x86-64 and aarch64. Builds on the thread's last capture: where
// the walk reaches a frame that was there before, with the same registers, the frames outside it are not walked again
// but compared with memory, which is several times faster and proves the same.
//
// Why that is sound: the registers of a caller follow from those of the frame inside it, by the rule of its address,
// and from the words of memory that the rule names. If the registers of one frame and those words are what they were,
// the caller's registers are what they were; and so on outwards. Nobody else writes this stack meanwhile.
// Which words those are is a matter of the frame inside. So they are remembered with the caller, and where the walk
// reaches a known frame from another one than the last time, the words it came by take the place of the old ones.
#pragma once

#include <cstdint>

#include "libmigprof/record/native_stack.h"

namespace migprof::record {

struct Registers {
  uint64_t sp, ip, bp;
};

enum class WalkResult {
  kComplete,  // state->frames holds the whole stack
  kTooDeep,   // … its innermost kMaxNativeDepth frames
  kBroken,    // the stack cannot be followed to its end; state->frames holds the innermost part
  kUnable,    // not to be walked by rules: nothing in state->frames
};

// `at`: the innermost frame, a function on the calling thread's stack, as it will be when what it has called returns.
WalkResult WalkStack(NativeStackState* state, Registers at) noexcept;

// What a frame contributes to the hash of a stack, `index` being its distance from the outermost frame. The hash of a
// stack is the sum over its frames: equal prefixes have equal sums, and the frames' own hashes do not wait for each
// other.
inline uint64_t FrameHash(uint64_t ip, uint64_t index) {
  uint64_t hash = (ip + index * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
  hash ^= hash >> 32;
  hash *= 0x94d049bb133111eb;
  return hash ^ hash >> 29;
}

}  // namespace migprof::record
