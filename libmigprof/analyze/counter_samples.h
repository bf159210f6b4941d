// SPDX-License-Identifier: Apache-2.0
// What NVML said from time to time, as it stands in a trace file.
#pragma once

#include <cstdint>
#include <vector>

#include "libmigprof/analyze/trace_scan.h"
#include "libmigprof/mig/counter.h"

namespace migprof::analyze {

struct CounterSample {
  const mig::CounterInfo* counter = nullptr;
  uint64_t time_ns = 0;
  uint64_t span_ns = 0;  // the value is about so much time before time_ns; 0: about that moment
  double value = 0;      // bytes or percent; means nothing when it is refused or no number
  uint64_t error = 0;    // with which NVML refused
  bool refused = false;
  bool not_a_number = false;
  bool stale = false;
};

// Adds those of one file to `samples`, half a kilobyte for each time the slice was sampled. What cannot be read is left
// out: it is reported when the file is read for its events.
void ReadCounterSamples(const TraceScan& scan, std::vector<CounterSample>* samples);

}  // namespace migprof::analyze
