// SPDX-License-Identifier: Apache-2.0
// CUPTI activity records -> activity.h. The only place that knows their layout; the walk itself is CUPTI's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libmigprof/record/activity.h"
#include "libmigprof/record/cupti_api.h"
#include "libmigprof/record/record_sizes.h"

namespace migprof::record {

// Reports every record in the first `valid_bytes` of `data`, in the order of the buffer. Returns how many there were.
// Pure but for the call of cuptiActivityGetNextRecord.
uint64_t TranslateActivities(const CuptiApi& api, const RecordSizes& sizes, uint8_t* data, size_t valid_bytes,
                             ActivitySink* sink);

}  // namespace migprof::record
