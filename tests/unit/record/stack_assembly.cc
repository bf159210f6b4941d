// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/record/stack_assembly.h"

#if defined(__aarch64__)

asm(R"(
.text
.globl migprof_test_call_with_frame_pointer
.type migprof_test_call_with_frame_pointer, @function
migprof_test_call_with_frame_pointer:
  stp x29, x30, [sp, #-16]!
  mov x29, sp
  mov x2, x0
  mov x0, x1
  blr x2
  nop  // so that the code does not say what the frame pointer is to tell
  ldp x29, x30, [sp], #16
  ret
.size migprof_test_call_with_frame_pointer, .-migprof_test_call_with_frame_pointer
.globl migprof_test_call_without_frame_pointer
.type migprof_test_call_without_frame_pointer, @function
migprof_test_call_without_frame_pointer:
  stp x29, x30, [sp, #-32]!
  mov x2, x0
  mov x0, x1
  blr x2
  ldp x29, x30, [sp], #32
  ret
.size migprof_test_call_without_frame_pointer, .-migprof_test_call_without_frame_pointer
)");

asm(R"(
.text
.macro migprof_test_with_frame_pointer name
.globl \name
.type \name, @function
\name:
  stp x29, x30, [sp, #-16]!
  mov x29, x1
  blr x0
  nop
  ldp x29, x30, [sp], #16
  ret
.size \name, .-\name
.endm

// No unwind information, and a frame pointer that is used for something else.
migprof_test_with_frame_pointer migprof_test_unknown_code

// Claims that its caller's stack pointer is where the frame pointer points.
.globl migprof_test_sp_by_bp
.type migprof_test_sp_by_bp, @function
migprof_test_sp_by_bp:
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  mov x29, x1
  .cfi_def_cfa x29, 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  blr x0
  nop
  ldp x29, x30, [sp], #16
  ret
  .cfi_endproc
.size migprof_test_sp_by_bp, .-migprof_test_sp_by_bp

// Claims that it saved its caller's registers far below its frame.
.globl migprof_test_bp_by_bp
.type migprof_test_bp_by_bp, @function
migprof_test_bp_by_bp:
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -500000
  .cfi_offset x30, -499992
  blr x0
  nop
  ldp x29, x30, [sp], #16
  ret
  .cfi_endproc
.size migprof_test_bp_by_bp, .-migprof_test_bp_by_bp
)");

#elif defined(__x86_64__)

asm(R"(
.text
.globl migprof_test_call_with_frame_pointer
.type migprof_test_call_with_frame_pointer, @function
migprof_test_call_with_frame_pointer:
  push %rbp
  mov %rsp, %rbp
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  pop %rbp
  ret
.size migprof_test_call_with_frame_pointer, .-migprof_test_call_with_frame_pointer
.globl migprof_test_call_without_frame_pointer
.type migprof_test_call_without_frame_pointer, @function
migprof_test_call_without_frame_pointer:
  sub $24, %rsp
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  add $24, %rsp
  ret
.size migprof_test_call_without_frame_pointer, .-migprof_test_call_without_frame_pointer
)");

asm(R"(
.text
.macro migprof_test_with_frame_pointer name
.globl \name
.type \name, @function
\name:
  push %rbp
  mov %rsi, %rbp
  call *%rdi
  pop %rbp
  ret
.size \name, .-\name
.endm

// No unwind information, and a frame pointer that is used for something else.
migprof_test_with_frame_pointer migprof_test_unknown_code

// Claims that its caller's stack pointer was saved where the frame pointer points.
.globl migprof_test_sp_by_bp
.type migprof_test_sp_by_bp, @function
migprof_test_sp_by_bp:
  .cfi_startproc
  push %rbp
  mov %rsi, %rbp
  .cfi_escape 0xf,0x3,0x76,0x0,0x6
  call *%rdi
  pop %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
.size migprof_test_sp_by_bp, .-migprof_test_sp_by_bp

// Claims that its caller's frame pointer was.
.globl migprof_test_bp_by_bp
.type migprof_test_bp_by_bp, @function
migprof_test_bp_by_bp:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  mov %rsi, %rbp
  .cfi_escape 0x10,0x6,0x2,0x76,0x0
  call *%rdi
  pop %rbp
  .cfi_def_cfa_offset 8
  .cfi_restore %rbp
  ret
  .cfi_endproc
.size migprof_test_bp_by_bp, .-migprof_test_bp_by_bp
)");

#endif
