// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/counter_rows.h"

#include <cstring>

namespace migprof::record {

CounterRows::Row CounterRows::RowOf(const mig::CounterReading& reading, uint64_t time_ns, uint64_t span_ns) {
  const mig::CounterInfo* const info = mig::FindCounter(static_cast<uint64_t>(reading.counter));
  const bool is_percent = info != nullptr && std::strcmp(info->unit, "percent") == 0;
  // Percent become parts per million. What no such number can stand for is said by a flag, and not bent into one.
  constexpr double kPpmPerPercent = 10'000;
  constexpr double kMost = 9e18;
  const double scaled = reading.value * (is_percent ? kPpmPerPercent : 1);
  uint64_t value = 0;
  uint64_t flags = reading.stale ? format::kCounterStale : 0;
  if (reading.error != 0) {
    flags |= format::kCounterRefused;
    value = static_cast<uint32_t>(reading.error);
  } else if (scaled >= 0 && scaled < kMost) {
    value = static_cast<uint64_t>(scaled + 0.5);
  } else {
    flags |= format::kCounterNotANumber;
  }
  return {time_ns, static_cast<uint64_t>(reading.counter), value, flags, reading.is_over_interval ? span_ns : 0};
}

}  // namespace migprof::record
