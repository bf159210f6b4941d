// SPDX-License-Identifier: Apache-2.0
// How to get from one frame to its caller, on x86-64 and aarch64, as one 64-bit word. Only the program counter, the
// stack pointer and the frame pointer (rbp, x29) are followed: that is all that compiled code needs, nearly everywhere.
#pragma once

#include <cstdint>

namespace migprof::record {

struct UnwindRule {
  enum class Kind : uint8_t {
    kNone,          // an empty place in a table
    kStandard,      // the fields below
    kEnd,           // the outermost frame of a thread or coroutine
    kSignal,        // the trampoline that returns from a signal handler
    kFramePointer,  // no unwind information here; the frame pointer is the best guess
    kUnknown,       // this reader cannot say
  };
  // The canonical frame address (CFA): the caller's stack pointer.
  enum class Cfa : uint8_t {
    kStackPointer,       // stack pointer + cfa_offset
    kFramePointer,       // frame pointer + cfa_offset
    kFramePointerMemory  // *(frame pointer + cfa_offset): frames that realign the stack; x86-64 only
  };
  // Where the caller's registers are. On x86-64 the return address is always the word below the CFA. On aarch64 it
  // comes in a register, which a function saves beside the frame pointer, mostly, and before it calls another.
  enum class Saved : uint8_t {
    kNothing,                // the frame pointer is unchanged. aarch64: and the return address is still in x30
    kPointerAtCfa,           // the frame pointer is at CFA + saved_offset. aarch64: the return address is still in x30
    kPointerAtPointer,       // x86-64: the frame pointer is in memory at rbp + saved_offset
    kPointerAndReturnAtCfa,  // aarch64: frame pointer at CFA + saved_offset, return address in the word above
    kReturnAndPointerAtCfa,  // aarch64: frame pointer at CFA + saved_offset, return address in the word below
    kReturnAtCfa,            // aarch64: the return address at CFA + saved_offset; the frame pointer is unchanged
  };

  Kind kind = Kind::kNone;
  Cfa cfa = Cfa::kStackPointer;
  Saved saved = Saved::kNothing;
  int32_t cfa_offset = 0;    // at most kMaxCfaOffset either way
  int32_t saved_offset = 0;  // at most kMaxSavedOffset either way

  static constexpr int32_t kMaxCfaOffset = (1 << 23) - 1;
  static constexpr int32_t kMaxSavedOffset = (1 << 19) - 1;
  static constexpr uint32_t kGenerations = 1 << 12;

  // One word, tagged with `generation` modulo kGenerations. Never 0.
  uint64_t Pack(uint32_t generation) const {
    return static_cast<uint64_t>(kind) | static_cast<uint64_t>(cfa) << 3 | static_cast<uint64_t>(saved) << 5 |
           uint64_t{generation % kGenerations} << 8 | (static_cast<uint64_t>(saved_offset) & 0xfffff) << 20 |
           static_cast<uint64_t>(cfa_offset) << 40;
  }
  static UnwindRule Unpack(uint64_t word) {
    UnwindRule rule;
    rule.kind = static_cast<Kind>(word & 7);
    rule.cfa = static_cast<Cfa>(word >> 3 & 3);
    rule.saved = static_cast<Saved>(word >> 5 & 7);
    rule.saved_offset = static_cast<int32_t>(static_cast<int64_t>(word << 24) >> 44);
    rule.cfa_offset = static_cast<int32_t>(static_cast<int64_t>(word) >> 40);
    return rule;
  }
  static uint32_t GenerationOf(uint64_t word) { return word >> 8 & (kGenerations - 1); }

  bool operator==(const UnwindRule&) const = default;
};

}  // namespace migprof::record
