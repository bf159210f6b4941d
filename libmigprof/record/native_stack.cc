// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/native_stack.h"

#if defined(__SANITIZE_THREAD__)
#include <execinfo.h>
#else
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

#include "libmigprof/base/hash.h"

namespace migprof::record {
namespace {

int Backtrace(void** frames, int most) {
#if defined(__SANITIZE_THREAD__)
  // libunwind locks a mutex when a thread's storage is torn down, after ThreadSanitizer has forgotten the thread, which
  // crashes it.
  return backtrace(frames, most);
#else
  return unw_backtrace(frames, most);
#endif
}

}  // namespace

// unw_backtrace is the one libunwind call fit for this place: about 5 ns per frame when warm, where unw_step takes
// hundreds and a global lock.
NativeStack CaptureNativeStack(NativeStackState* state, uint32_t max_depth) noexcept {
  static_assert(sizeof(void*) == sizeof(uint64_t));
  const int depth = Backtrace(reinterpret_cast<void**>(state->frames), static_cast<int>(max_depth));
  NativeStack stack{state->frames, depth > 0 ? static_cast<uint32_t>(depth) : 0, false, 0};
  stack.truncated = stack.depth == max_depth;
  const uint64_t hash = HashBytes(stack.frames, stack.depth * sizeof(uint64_t));
  stack.hash = hash != 0 ? hash : 1;
  return stack;
}

}  // namespace migprof::record
