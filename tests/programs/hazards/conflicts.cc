// SPDX-License-Identifier: Apache-2.0
// A program that brings functions of the names that migprof's library is built from, as one would that is linked with
// other versions of them. Whoever calls one of these did not mean it.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/programs/hazards/hazards.h"

namespace {

[[noreturn]] void Trap(const char* name) {
  std::fprintf(stderr, "%s of the program was called\n", name);
  std::abort();
}

}  // namespace

#define TRAP(name) \
  extern "C" __attribute__((visibility("default"), used)) long name() { Trap(#name); }

TRAP(ZSTD_compress)
TRAP(ZSTD_compress2)
TRAP(ZSTD_compressCCtx)
TRAP(ZSTD_createCCtx)
TRAP(ZSTD_CCtx_setParameter)
TRAP(ZSTD_compressBound)
TRAP(ZSTD_isError)
TRAP(XXH3_64bits)
TRAP(XXH64)
TRAP(unw_backtrace)
TRAP(unw_getcontext)
TRAP(unw_step)
#if defined(__aarch64__)
TRAP(_Uaarch64_getcontext)
TRAP(_ULaarch64_init_local)
TRAP(_ULaarch64_step)
TRAP(_ULaarch64_tdep_trace)
#else
TRAP(_Ux86_64_getcontext)
TRAP(_ULx86_64_init_local)
TRAP(_ULx86_64_step)
TRAP(_ULx86_64_tdep_trace)
#endif
TRAP(backtrace)

namespace absl::lts_20220623::container_internal {
__attribute__((visibility("default"), used)) void PrepareInsertNonSoo() { Trap("absl"); }
}  // namespace absl::lts_20220623::container_internal

int main() {
  hazards::Gpu& gpu = hazards::NewGpu();
  int caught = 0;
  for (int i = 0; i < 20; ++i) {
    gpu.Launch(5);
    try {
      throw i;
    } catch (int) {
      ++caught;
    }
  }
  usleep(100'000);
  std::printf("%d caught\n", caught);
  return 0;
}
