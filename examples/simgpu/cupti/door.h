// SPDX-License-Identifier: Apache-2.0
// What every exported function of libcupti does before its own work. Used by the generated doors.cc.
#pragma once

#include <cupti.h>

#include <cstdint>
#include <exception>

#define SIMGPU_EXPORT __attribute__((visibility("default")))

namespace simgpu::cupti {

struct Entry {
  const char* name;
  uint32_t since;     // first CUPTI API version that has it; 0: all that are simulated
  bool needs_driver;  // fails where there is no simulated driver to watch
};

// The error with which a call has to be turned away, or CUPTI_SUCCESS.
CUptiResult Refusal(const Entry& entry);

// The answer of a function that has no body; names it on stderr the first time.
CUptiResult NotSimulated(const Entry& entry);

template <class Body>
CUptiResult Pass(const Entry& entry, Body&& body) {
  const CUptiResult refusal = Refusal(entry);
  if (refusal != CUPTI_SUCCESS) return refusal;
  try {
    return body();
  } catch (const std::exception&) {  // no memory, no thread to be had
    return CUPTI_ERROR_OUT_OF_MEMORY;
  }
}

}  // namespace simgpu::cupti
