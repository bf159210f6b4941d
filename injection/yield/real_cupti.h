// SPDX-License-Identifier: Apache-2.0
// The functions of the libcupti that this process has loaded, behind those of the same names that stand before them.
#pragma once

#include <cupti.h>

namespace migprof::yield {

// `name` of the loaded libcupti, or null. Any thread.
void* FindReal(const char* name);

}  // namespace migprof::yield

// Calls the real function of that name, which the signature is taken from. Where there is none the answer is that of a
// CUPTI without a driver.
#define MIGPROF_REAL(function, ...)                                                         \
  ([&]() -> CUptiResult {                                                                   \
    static std::atomic<decltype(&function)> real_function{nullptr};                         \
    decltype(&function) found = real_function.load(std::memory_order_acquire);              \
    if (found == nullptr) {                                                                 \
      found = reinterpret_cast<decltype(&function)>(::migprof::yield::FindReal(#function)); \
      if (found == nullptr) return CUPTI_ERROR_NOT_INITIALIZED;                             \
      real_function.store(found, std::memory_order_release);                                \
    }                                                                                       \
    return found(__VA_ARGS__);                                                              \
  }())
