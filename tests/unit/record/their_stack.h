// SPDX-License-Identifier: Apache-2.0
// What libunwind says of the calling function's stack, to compare with.
#pragma once

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <cstdint>

namespace migprof::record {

// Inlined, so that no frame of its own is in it. Writes at most `most` return addresses, innermost first.
__attribute__((always_inline)) inline int TheirStack(uint64_t* frames, int most) {
  const int depth = unw_backtrace(reinterpret_cast<void**>(frames), most);
#if defined(__aarch64__)
  // Version 1.6 gives addresses inside of the call there, where all instructions have four bytes.
  for (int i = 0; i < depth; ++i) frames[i] = (frames[i] + 3) & ~uint64_t{3};
#endif
  return depth;
}

}  // namespace migprof::record
