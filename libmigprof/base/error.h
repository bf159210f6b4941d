// SPDX-License-Identifier: Apache-2.0
// The error type of the injected half: a code and a static sentence, never an allocation.
#pragma once

namespace migprof {

// Success is `what == nullptr`. `what` must point to static storage; `code` is the errno, CUDA, CUPTI or NVML value
// that caused it, or 0 where there is none. Cheap to copy, safe on any thread.
struct [[nodiscard]] Error {
  const char* what = nullptr;
  int code = 0;

  static constexpr Error None() { return {}; }
  constexpr bool ok() const { return what == nullptr; }
};

}  // namespace migprof
