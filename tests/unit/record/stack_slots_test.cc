// SPDX-License-Identifier: Apache-2.0
// Stacks of which every frame that a capture remembers is still in memory, return address and all, but is no longer
// the caller: only the place where a function saved its caller's registers tells. Built by hand, so that it happens
// each time; compilers make such functions for alloca, over-aligned variables and saved registers.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/stack_walk.h"
#include "libmigprof/record/unwind_machine.h"
#include "tests/unit/record/their_stack.h"

#if MIGPROF_WALKS_STACKS && !defined(__SANITIZE_THREAD__)

// outer(middle, inner, bytes) → middle(inner, bytes) → inner(), which captures. All have unwind information.
// *_near and *_far* differ in the room they leave between their caller and `middle`, in which they write nothing.
#if defined(__aarch64__)
asm(R"(
.text
.macro migprof_test_caller name, room
.globl \name
.type \name, @function
\name:
  .cfi_startproc
  sub sp, sp, #(\room + 16)
  .cfi_adjust_cfa_offset (\room + 16)
  stp x29, x30, [sp, #\room]
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  mov x3, x0
  mov x0, x1
  mov x1, x2
  blr x3
  ldp x29, x30, [sp, #\room]
  .cfi_restore x29
  .cfi_restore x30
  add sp, sp, #(\room + 16)
  .cfi_adjust_cfa_offset -(\room + 16)
  ret
  .cfi_endproc
.size \name, .-\name
.endm
migprof_test_caller migprof_test_near, 0
migprof_test_caller migprof_test_far16, 16
migprof_test_caller migprof_test_far64, 64

// Finds its own caller by the stack pointer. Its locals are not written.
.globl migprof_test_by_sp
.type migprof_test_by_sp, @function
migprof_test_by_sp:
  .cfi_startproc
  sub sp, sp, #64
  .cfi_adjust_cfa_offset 64
  stp x29, x30, [sp, #48]
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  blr x0
  ldp x29, x30, [sp, #48]
  .cfi_restore x29
  .cfi_restore x30
  add sp, sp, #64
  .cfi_adjust_cfa_offset -64
  ret
  .cfi_endproc
.size migprof_test_by_sp, .-migprof_test_by_sp

// Finds its own caller by the frame pointer, and takes `bytes` more, as alloca does.
.globl migprof_test_by_bp
.type migprof_test_by_bp, @function
migprof_test_by_bp:
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  mov x29, sp
  .cfi_def_cfa_register x29
  sub sp, sp, x1
  blr x0
  mov sp, x29
  .cfi_def_cfa_register sp
  ldp x29, x30, [sp], #16
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc
.size migprof_test_by_bp, .-migprof_test_by_bp

// Saves nothing but where it returns to.
.globl migprof_test_plain
.type migprof_test_plain, @function
migprof_test_plain:
  .cfi_startproc
  str x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x30, -16
  bl migprof_test_capture
  ldr x30, [sp], #16
  .cfi_def_cfa_offset 0
  .cfi_restore x30
  ret
  .cfi_endproc
.size migprof_test_plain, .-migprof_test_plain

// Uses the frame pointer for something else, and saves its registers in the order that clang may choose.
.globl migprof_test_saves_bp
.type migprof_test_saves_bp, @function
migprof_test_saves_bp:
  .cfi_startproc
  stp x30, x29, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x30, -16
  .cfi_offset x29, -8
  mov x29, #42
  bl migprof_test_capture
  ldp x30, x29, [sp], #16
  .cfi_def_cfa_offset 0
  .cfi_restore x30
  .cfi_restore x29
  ret
  .cfi_endproc
.size migprof_test_saves_bp, .-migprof_test_saves_bp

// Aligns what it calls from, so that callers at different places give frames at one place.
.globl migprof_test_realigns
.type migprof_test_realigns, @function
migprof_test_realigns:
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  mov x29, sp
  .cfi_def_cfa_register x29
  and x9, x29, #-512
  mov sp, x9
  bl migprof_test_capture
  mov sp, x29
  .cfi_def_cfa_register sp
  ldp x29, x30, [sp], #16
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc
.size migprof_test_realigns, .-migprof_test_realigns
)");
#else
asm(R"(
.text
.macro migprof_test_caller name, room
.globl \name
.type \name, @function
\name:
  .cfi_startproc
  sub $\room, %rsp
  .cfi_adjust_cfa_offset \room
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  call *%rax
  add $\room, %rsp
  .cfi_adjust_cfa_offset -\room
  ret
  .cfi_endproc
.size \name, .-\name
.endm
migprof_test_caller migprof_test_near, 8
migprof_test_caller migprof_test_far16, 24
migprof_test_caller migprof_test_far64, 72

// Finds its own caller by the stack pointer. Its locals are not written.
.globl migprof_test_by_sp
.type migprof_test_by_sp, @function
migprof_test_by_sp:
  .cfi_startproc
  sub $56, %rsp
  .cfi_adjust_cfa_offset 56
  call *%rdi
  add $56, %rsp
  .cfi_adjust_cfa_offset -56
  ret
  .cfi_endproc
.size migprof_test_by_sp, .-migprof_test_by_sp

// Finds its own caller by the frame pointer, and takes `bytes` more, as alloca does.
.globl migprof_test_by_bp
.type migprof_test_by_bp, @function
migprof_test_by_bp:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  sub %rsi, %rsp
  call *%rdi
  mov %rbp, %rsp
  pop %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
.size migprof_test_by_bp, .-migprof_test_by_bp

// Saves no register.
.globl migprof_test_plain
.type migprof_test_plain, @function
migprof_test_plain:
  .cfi_startproc
  sub $8, %rsp
  .cfi_def_cfa_offset 16
  call migprof_test_capture
  add $8, %rsp
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size migprof_test_plain, .-migprof_test_plain

// Uses the frame pointer for something else.
.globl migprof_test_saves_bp
.type migprof_test_saves_bp, @function
migprof_test_saves_bp:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  mov $42, %ebp
  sub $16, %rsp
  .cfi_def_cfa_offset 32
  call migprof_test_capture
  add $16, %rsp
  .cfi_def_cfa_offset 16
  pop %rbp
  .cfi_restore %rbp
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size migprof_test_saves_bp, .-migprof_test_saves_bp

// Aligns its frame, as GCC does it, so that callers at different places give one frame.
.globl migprof_test_realigns
.type migprof_test_realigns, @function
migprof_test_realigns:
  .cfi_startproc
  lea 8(%rsp), %r10
  .cfi_def_cfa %r10, 0
  and $-512, %rsp
  push -8(%r10)
  push %rbp
  .cfi_escape 0x10,0x6,0x2,0x76,0
  mov %rsp, %rbp
  push %r10
  .cfi_escape 0xf,0x3,0x76,0x78,0x6
  sub $24, %rsp
  call migprof_test_capture
  add $24, %rsp
  pop %r10
  .cfi_def_cfa %r10, 0
  pop %rbp
  lea -8(%r10), %rsp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
.size migprof_test_realigns, .-migprof_test_realigns
)");
#endif

using Inner = void (*)();
using Middle = void (*)(Inner, long);
using Outer = void (*)(Middle, Inner, long);
extern "C" {
void migprof_test_near(Middle, Inner, long);
void migprof_test_far16(Middle, Inner, long);
void migprof_test_far64(Middle, Inner, long);
void migprof_test_by_sp(Inner, long);
void migprof_test_by_bp(Inner, long);
void migprof_test_plain();
void migprof_test_saves_bp();
void migprof_test_realigns();
}

namespace migprof::record {
namespace {

NativeStackState* g_state = nullptr;
std::vector<uint64_t> g_ours, g_theirs;

}  // namespace

extern "C" __attribute__((noinline, used)) void migprof_test_capture() {
  const NativeStack stack = CaptureNativeStack(g_state, kMaxNativeDepth);
  g_ours.resize(stack.depth);
  stack.CopyFrames(g_ours.data());
  g_theirs.resize(kMaxNativeDepth);
  g_theirs.resize(static_cast<size_t>(TheirStack(g_theirs.data(), static_cast<int>(kMaxNativeDepth))));
  g_theirs[0] = g_ours[0];  // this function, at two calls
  uint64_t hash = 0;
  for (uint32_t i = 0; i < stack.depth; ++i) hash += FrameHash(g_ours[stack.depth - 1 - i], i);
  EXPECT_EQ(stack.hash, hash);
}

namespace {

class StackSlotsTest : public testing::Test {
 protected:
  void SetUp() override {
    PrepareNativeStacks();
    state_ = std::make_unique<NativeStackState>();
    TakeOver(state_.get());
    g_state = state_.get();
  }

  // Captures below `outer`, `deeper` bytes farther down. Each from one place, so that nothing outside differs.
  __attribute__((noinline)) void Capture(Outer outer, Middle middle, Inner inner, long bytes, size_t deeper,
                                         const char* what) {
    auto* const room = static_cast<volatile char*>(__builtin_alloca(deeper + 16));
    room[0] = 0;
    outer(middle, inner, bytes);
    room[1] = 0;
    EXPECT_EQ(g_ours, g_theirs) << what << ", " << deeper << " bytes deeper";
  }
  std::unique_ptr<NativeStackState> state_;
};

// The stack pointer of a realigned frame's caller is compared where the frame saved it.
TEST_F(StackSlotsTest, CallerOfARealignedFrame_IsAtItsSavedStackPointer) {
  for (size_t deeper = 0; deeper < 1024; deeper += 16) {
    Capture(&migprof_test_near, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "near");
    Capture(&migprof_test_far16, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "far");
    Capture(&migprof_test_near, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "near again");
  }
  EXPECT_EQ(state_->by_libunwind.load(), 0u);
}

// … also when the frame was taken over from a capture that differed farther out.
TEST_F(StackSlotsTest, SavedStackPointer_IsKeptWhenOuterFramesChange) {
  for (size_t deeper = 0; deeper < 1024; deeper += 16) {
    Outer outer = &migprof_test_near;
    for (int i = 0; i < 4; ++i) {
      // Two calls: all that differs between the first two captures is this function's own return address.
      if (i % 2 == 0) {
        Capture(outer, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "one call");
      } else {
        Capture(outer, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "other call");
      }
      if (i == 1) outer = &migprof_test_far16;
    }
  }
}

// The frame at which a walk meets the remembered ones has another callee than it had: what the new callee saved, and
// where, is what has to be compared the next time.
TEST_F(StackSlotsTest, MetFrame_IsKnownByWhatItsNewCalleeSaved) {
  for (size_t deeper = 0; deeper < 1024; deeper += 16) {
    Capture(&migprof_test_far64, &migprof_test_by_bp, &migprof_test_plain, 0, deeper, "plain");
    Capture(&migprof_test_far64, &migprof_test_by_bp, &migprof_test_saves_bp, 0, deeper, "saves");
    Capture(&migprof_test_near, &migprof_test_by_bp, &migprof_test_saves_bp, 64, deeper, "saves, elsewhere");
  }
  for (size_t deeper = 0; deeper < 1024; deeper += 16) {
    Capture(&migprof_test_near, &migprof_test_by_sp, &migprof_test_plain, 0, deeper, "plain");
    Capture(&migprof_test_near, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "realigns");
    Capture(&migprof_test_far16, &migprof_test_by_sp, &migprof_test_realigns, 0, deeper, "realigns, elsewhere");
  }
}

}  // namespace
}  // namespace migprof::record

#endif
