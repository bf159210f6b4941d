// SPDX-License-Identifier: Apache-2.0
#include "cupti/timestamps.h"

#include <atomic>
#include <ctime>

#include "cupti/driver_link.h"

namespace simgpu::cupti {
namespace {

// Client time minus driver time, modulo 2^64.
std::atomic<uint64_t> g_offset_ns{0};

uint64_t DriverNowNs() {
  if (Driver* const driver = LinkedDriver()) return driver->NowNs();
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

void UseClientClock(CUpti_TimestampCallbackFunc clock) {
  g_offset_ns.store(clock != nullptr ? clock() - DriverNowNs() : 0, std::memory_order_relaxed);
}

uint64_t RecordTime(uint64_t driver_ns) { return driver_ns + g_offset_ns.load(std::memory_order_relaxed); }

uint64_t RecordNowNs() { return RecordTime(DriverNowNs()); }

}  // namespace simgpu::cupti
