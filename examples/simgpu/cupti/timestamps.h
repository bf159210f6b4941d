// SPDX-License-Identifier: Apache-2.0
// The clock in which records are written: the driver's, or one the client brought.
#pragma once

#include <cupti_activity.h>

#include <cstdint>

namespace simgpu::cupti {

// Takes the client's clock for all records from now on; null: the driver's. The two are taken to run at the same speed:
// their distance is measured once, here.
void UseClientClock(CUpti_TimestampCallbackFunc clock);

// A time of the driver as records show it.
uint64_t RecordTime(uint64_t driver_ns);

uint64_t RecordNowNs();

}  // namespace simgpu::cupti
