// SPDX-License-Identifier: Apache-2.0
// Sees every system call of a thread, from inside: the kernel's syscall user dispatch (Linux 5.11) turns those made
// while the selector says so into a signal, whose handler counts them and then makes them.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>

#include "tests/programs/hot_path/windows.h"

// Code from here to hot_path_exempt_end may make system calls at any time.
asm(R"(
.pushsection .text.hot_path_exempt, "ax", @progbits
.globl hot_path_exempt_begin
hot_path_exempt_begin:
.globl hot_path_system_call
hot_path_system_call:            # (number, const long arguments[6])
  mov %rdi, %rax
  mov %rsi, %r11
  mov (%r11), %rdi
  mov 8(%r11), %rsi
  mov 16(%r11), %rdx
  mov 24(%r11), %r10
  mov 32(%r11), %r8
  mov 40(%r11), %r9
  syscall
  ret
.globl hot_path_restore
hot_path_restore:                # where the handler returns to
  mov $15, %eax                  # rt_sigreturn
  syscall
  int3                           # the kernel looks at the address behind the instruction
.globl hot_path_exempt_end
hot_path_exempt_end:
.popsection
)");

extern "C" {
extern const char hot_path_exempt_begin[];
extern const char hot_path_exempt_end[];
long hot_path_system_call(long number, const long* arguments);
void hot_path_restore();
}

namespace hot_path {
namespace {

constexpr int kSetSyscallUserDispatch = 59;  // PR_SET_SYSCALL_USER_DISPATCH
constexpr int kOn = 1;

void OnSystemCall(int, siginfo_t* info, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Note("system call", reinterpret_cast<const void*>(registers[REG_RSP]), info->si_syscall);
  const long arguments[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                             registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
  registers[REG_RAX] = hot_path_system_call(info->si_syscall, arguments);
}

// The kernel's, because libc puts a restorer of its own into the other.
struct KernelSigaction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  unsigned long mask;
};

bool Install() {
  constexpr unsigned long kRestorer = 0x04000000;
  const KernelSigaction action = {&OnSystemCall, SA_SIGINFO | SA_NODEFER | kRestorer, &hot_path_restore, 0};
  return syscall(SYS_rt_sigaction, SIGSYS, &action, nullptr, sizeof(action.mask)) == 0;
}

}  // namespace

bool WatchSystemCalls(char* selector) {
  static const bool installed = Install();
  return installed && prctl(kSetSyscallUserDispatch, kOn, hot_path_exempt_begin,
                            hot_path_exempt_end - hot_path_exempt_begin, selector) == 0;
}

}  // namespace hot_path
