// SPDX-License-Identifier: Apache-2.0
// Which CUPTI this library pretends to be.
#pragma once

#include <cupti_activity.h>

#include <cstddef>
#include <cstdint>

namespace simgpu::cupti {

constexpr uint32_t kApi118 = 18;
constexpr uint32_t kApi124 = 22;
constexpr uint32_t kApi125 = 23;
constexpr uint32_t kApi130 = 130001;

// SIMGPU_CUPTI_API, or what this library was built as.
uint32_t ApiVersion();

// Bytes of a record of `kind`, as far as it reaches in this version; 0 for a kind that has no records.
size_t RecordBytes(uint32_t kind);

}  // namespace simgpu::cupti
