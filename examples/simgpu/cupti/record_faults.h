// SPDX-License-Identifier: Apache-2.0
// What can be wrong with records that a profiler gets, and can be made so by SIMGPU_FAULTS; and what is wrong with them
// when a flush is forced.
#pragma once

#include <cupti_activity.h>

#include <cstddef>
#include <cstdint>

namespace simgpu::cupti {

// The kind of the records that "unknown-kind" puts between others, and their size: newer than any client knows.
constexpr uint32_t kUnknownKind = 120;
constexpr size_t kUnknownKindBytes = 48;

// Bytes of the record at `record` that this library wrote, whatever its kind; 0 when it is none.
size_t BytesOfRecord(const uint8_t* record);

// Sets the times of all records that are not done at `now_ns` to 0, as in a forced flush.
void ClearIncomplete(uint8_t* buffer, size_t used, uint64_t now_ns);

// Puts the records of a buffer into another order while "shuffle" is on.
void ShuffleIfAsked(uint8_t* buffer, size_t used);

// zero-correlations and foreign-contexts.
void SpoilIds(CUpti_ActivityKernel10* record);

// Changes the stamps of every n-th kernel record while "zero-stamps" or "swap-stamps" is on.
void SpoilStamps(CUpti_ActivityKernel10* record);

}  // namespace simgpu::cupti
