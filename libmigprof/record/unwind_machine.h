// SPDX-License-Identifier: Apache-2.0
// What unwinding must know of the processor, and of what the kernel does to a stack.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>

// Whether stacks are walked by rules. Else libunwind alone does it: on aarch64 clang tells no function where its
// caller's stack pointer is.
#if defined(__x86_64__) || (defined(__aarch64__) && !defined(__clang__))
#define MIGPROF_WALKS_STACKS 1
#else
#define MIGPROF_WALKS_STACKS 0
#endif

namespace migprof::record {

#if defined(__aarch64__)

inline constexpr bool kSavesReturnAddress = true;  // a call leaves it in a register, and the called function saves it
inline constexpr uint8_t kDwarfFramePointer = 29, kDwarfStackPointer = 31, kDwarfReturnAddress = 30;
inline constexpr uint64_t kRedZoneBytes = 0;

// Where the kernel leaves the registers of an interrupted function, seen from the stack pointer of its handler's
// caller.
inline constexpr uint64_t kInterruptedContext = sizeof(siginfo_t) + offsetof(ucontext_t, uc_mcontext);
inline constexpr uint64_t kInterruptedFramePointer = kInterruptedContext + offsetof(mcontext_t, regs) + 29 * 8;
inline constexpr uint64_t kInterruptedLink = kInterruptedContext + offsetof(mcontext_t, regs) + 30 * 8;
inline constexpr uint64_t kInterruptedStackPointer = kInterruptedContext + offsetof(mcontext_t, sp);
inline constexpr uint64_t kInterruptedProgramCounter = kInterruptedContext + offsetof(mcontext_t, pc);

// A saved return address as an address. Where pointers are authenticated it is signed in its unused upper bits; older
// processors take this instruction for one that does nothing.
inline uint64_t ReturnAddress(uint64_t saved) {
  register uint64_t link asm("x30") = saved;
  asm("hint #7" : "+r"(link));  // xpaclri
  return link;
}

#else

inline constexpr bool kSavesReturnAddress = false;
inline constexpr uint8_t kDwarfFramePointer = 6, kDwarfStackPointer = 7, kDwarfReturnAddress = 16;
// Below the stack pointer. Only a function that was interrupted can have something there: nothing writes there between
// where its epilogue takes a saved register back and where it returns.
inline constexpr uint64_t kRedZoneBytes = 128;

inline constexpr uint64_t kInterruptedFramePointer = 120, kInterruptedLink = 0;
inline constexpr uint64_t kInterruptedStackPointer = 160, kInterruptedProgramCounter = 168;

inline uint64_t ReturnAddress(uint64_t saved) { return saved; }

#endif

}  // namespace migprof::record
