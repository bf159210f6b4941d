// SPDX-License-Identifier: Apache-2.0
// Whether what NVML says of a slice can be true. docs/metrics.md says why the thresholds are what they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libmigprof/analyze/counter_samples.h"

namespace migprof::analyze {

// A sample, and what was measured in the span it is about, in percent of it.
struct CheckedSample {
  CounterSample sample;
  std::optional<double> busy_percent;    // kernels, copies and memsets
  std::optional<double> kernel_percent;  // kernels alone
};

// All reasons not to believe the samples of one counter, as a sentence; empty when there are none. `capacity_bytes`:
// more memory than this cannot be in use; 0: unknown. Values are not changed by it, whatever it finds.
std::string CounterDoubt(std::span<const CheckedSample> samples, double capacity_bytes);

}  // namespace migprof::analyze
