// SPDX-License-Identifier: Apache-2.0
// Walking the calling thread's stack by unwind rules, on x86-64. Builds on the thread's last capture: where the walk
// reaches a frame that was there before, with the same registers, the frames outside it are not walked again but
// compared with memory, which is several times faster and proves the same.
//
// Why that is sound: the registers of a caller follow from those of the frame inside it, by the rule of its address,
// and from the words of memory that the rule names. If the registers of one frame and those words are what they were,
// the caller's registers are what they were; and so on outwards. Nobody else writes this stack meanwhile.
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

// `at`: the registers at an instruction of a function on the calling thread's stack; that function is not part of the
// result, its caller is the innermost frame.
WalkResult WalkStack(NativeStackState* state, Registers at) noexcept;

// The hash of a stack to which one more frame is added on the inside.
inline uint64_t AddFrameToHash(uint64_t hash, uint64_t ip) {
  const auto product = static_cast<unsigned __int128>(hash ^ ip ^ 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
inline constexpr uint64_t kEmptyStackHash = 1;

}  // namespace migprof::record
