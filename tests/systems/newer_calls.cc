// SPDX-License-Identifier: Apache-2.0
// What the programs of the tests call and older C libraries do not have, beside what injection/newer_libc.cc brings.
#include <sys/syscall.h>
#include <unistd.h>

extern "C" __attribute__((visibility("hidden"))) int close_range(unsigned first, unsigned last, int flags) noexcept {
  return static_cast<int>(syscall(SYS_close_range, first, last, flags));
}
