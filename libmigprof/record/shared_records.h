// SPDX-License-Identifier: Apache-2.0
// Buffers that hold records of two CUPTI clients, because CUPTI had them when one gave way to the other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libmigprof/record/activity_buffers.h"
#include "libmigprof/record/cupti_api.h"

namespace migprof::record {

// Copies the records of `data` that are not of calls up to `last_own`, a correlation id, to `to`, as far as there is
// room. Returns their bytes; with `to` null, as if there were room. Of kinds without such an id, those that the
// recorder does not ask for. Any thread.
size_t CopyNewer(const CuptiApi& cupti, const uint8_t* data, size_t bytes, uint32_t last_own, uint8_t* to, size_t room);

// Copies all records into `buffers`, as if CUPTI had written them there. Any thread.
void AdoptRecords(const CuptiApi& cupti, const uint8_t* data, size_t bytes, ActivityBuffers* buffers);

}  // namespace migprof::record
