// SPDX-License-Identifier: Apache-2.0
// The workloads' own record of where they call CUDA from: the ground truth that a profiler's stacks are compared with.
#pragma once

#include <cstdint>

namespace workload {

// The address of the instruction it stands at.
inline __attribute__((always_inline)) uint64_t CodeAddress() {
  uint64_t address;
#if defined(__x86_64__)
  asm volatile("lea 0(%%rip), %0" : "=r"(address)::"memory");
#elif defined(__aarch64__)
  asm volatile("adr %0, ." : "=r"(address)::"memory");
#else
#error "no way to read the program counter on this architecture"
#endif
  return address;
}

// Appends a line of JSON to the file named by WORKLOAD_CALLS, if it is set:
//   {"pid", "tid", "sequence" (of the thread, from 0), "work", "function", "file", "line",
//    "module", "low", "high"}
// A call whose return address, as an offset in `module`, lies in (low, high] was made here. `work` is the kernel's
// (mangled) name, or "memcpy HtoD" and the like.
void LogCall(const char* work, const char* function, const char* file, int line, uint64_t low, uint64_t high);

// Writes out what was logged. Called at exit by itself; to be called before _exit and the like.
void FlushCallLog();

}  // namespace workload

// Makes `call`, which gives the GPU the work named `work`, and logs the place.
#define LOGGED_CALL(work, call)                                                                            \
  do {                                                                                                     \
    const uint64_t logged_call_low = ::workload::CodeAddress();                                            \
    call;                                                                                                  \
    ::workload::LogCall((work), __func__, __FILE__, __LINE__, logged_call_low, ::workload::CodeAddress()); \
  } while (false)
