// SPDX-License-Identifier: Apache-2.0
// How to get from one frame to its caller, on x86-64, as one 64-bit word. Only the program counter, the stack pointer
// and the frame pointer are followed: that is all that compiled code needs, nearly everywhere.
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
  // The canonical frame address (CFA): the caller's stack pointer. The return address is the word below it.
  enum class Cfa : uint8_t {
    kStackPointer,       // rsp + cfa_offset
    kFramePointer,       // rbp + cfa_offset
    kFramePointerMemory  // *(rbp + cfa_offset): frames that realign the stack
  };
  // Where the caller's frame pointer is.
  enum class SavedRbp : uint8_t {
    kUnchanged,
    kAtCfa,           // in memory at CFA + rbp_offset
    kAtFramePointer,  // in memory at rbp + rbp_offset
  };

  Kind kind = Kind::kNone;
  Cfa cfa = Cfa::kStackPointer;
  SavedRbp rbp = SavedRbp::kUnchanged;
  int32_t cfa_offset = 0;  // at most kMaxCfaOffset either way
  int32_t rbp_offset = 0;  // at most kMaxRbpOffset either way

  static constexpr int32_t kMaxCfaOffset = (1 << 23) - 1;
  static constexpr int32_t kMaxRbpOffset = (1 << 19) - 1;
  static constexpr uint32_t kGenerations = 1 << 13;

  // One word, tagged with `generation` modulo kGenerations. Never 0.
  uint64_t Pack(uint32_t generation) const {
    return static_cast<uint64_t>(kind) | static_cast<uint64_t>(cfa) << 3 | static_cast<uint64_t>(rbp) << 5 |
           uint64_t{generation % kGenerations} << 7 | (static_cast<uint64_t>(rbp_offset) & 0xfffff) << 20 |
           static_cast<uint64_t>(cfa_offset) << 40;
  }
  static UnwindRule Unpack(uint64_t word) {
    UnwindRule rule;
    rule.kind = static_cast<Kind>(word & 7);
    rule.cfa = static_cast<Cfa>(word >> 3 & 3);
    rule.rbp = static_cast<SavedRbp>(word >> 5 & 3);
    rule.rbp_offset = static_cast<int32_t>(static_cast<int64_t>(word << 24) >> 44);
    rule.cfa_offset = static_cast<int32_t>(static_cast<int64_t>(word) >> 40);
    return rule;
  }
  static uint32_t GenerationOf(uint64_t word) { return word >> 7 & (kGenerations - 1); }

  bool operator==(const UnwindRule&) const = default;
};

}  // namespace migprof::record
