// SPDX-License-Identifier: Apache-2.0
// The functions of NVML that count: memory in use, and the GPM counters of Hopper and later. A table of its own,
// because it is looked for later, and by fewer programs, than what identifies a slice.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libmigprof/mig/nvml_api.h"

namespace migprof::mig {

// nvmlReturn_t, as far as it matters to whoever counts.
inline constexpr int kNvmlCounterNotSupported = 3;
inline constexpr int kNvmlCounterFunctionNotFound = 13;
inline constexpr int kNvmlCounterGpuIsLost = 15;

// nvmlMemory_t.
struct NvmlMemoryUse {
  uint64_t total;
  uint64_t free;
  uint64_t used;  // what the driver keeps for itself included
};
static_assert(sizeof(NvmlMemoryUse) == 24);

// nvmlMemory_v2_t.
struct NvmlMemoryUseV2 {
  uint32_t version;  // kNvmlMemoryUseV2
  uint64_t total;
  uint64_t reserved;
  uint64_t free;
  uint64_t used;
};
static_assert(sizeof(NvmlMemoryUseV2) == 40);
inline constexpr uint32_t kNvmlMemoryUseV2 = sizeof(NvmlMemoryUseV2) | 2u << 24;

// nvmlUtilization_t: percent of NVML's own last sampling period, which is 1/6 s to 1 s.
struct NvmlUtilization {
  uint32_t gpu;
  uint32_t memory;
};

struct NvmlGpmSampleOpaque;
using NvmlGpmSample = NvmlGpmSampleOpaque*;

// nvmlGpmSupport_t.
struct NvmlGpmSupport {
  uint32_t version;  // kNvmlGpmVersion
  uint32_t is_supported;
};
static_assert(sizeof(NvmlGpmSupport) == 8);

// nvmlGpmMetric_t.
struct NvmlGpmMetric {
  uint32_t metric_id;
  int32_t result;  // nvmlReturn_t
  double value;
  const char* short_name;
  const char* long_name;
  const char* unit;
};
static_assert(sizeof(NvmlGpmMetric) == 40);

// nvmlGpmMetricsGet_t. The array has grown with every version of the header; the library looks at `metric_count`
// entries. As long as the longest known.
inline constexpr size_t kNvmlGpmMostMetrics = 333;
struct NvmlGpmMetrics {
  uint32_t version;  // kNvmlGpmVersion
  uint32_t metric_count;
  NvmlGpmSample before;
  NvmlGpmSample after;
  NvmlGpmMetric metrics[kNvmlGpmMostMetrics];
};
static_assert(offsetof(NvmlGpmMetrics, metrics) == 24 && sizeof(NvmlGpmMetrics) == 13344);
inline constexpr uint32_t kNvmlGpmVersion = 1;

// Null where the library lacks a function. Every function returns an nvmlReturn_t.
struct NvmlCounterApi {
  int (*device_get_memory_info)(NvmlDevice device, NvmlMemoryUse* memory) = nullptr;
  int (*device_get_memory_info_v2)(NvmlDevice device, NvmlMemoryUseV2* memory) = nullptr;
  int (*device_get_utilization_rates)(NvmlDevice gpu, NvmlUtilization* utilization) = nullptr;  // not in MIG mode
  int (*gpm_query_device_support)(NvmlDevice device, NvmlGpmSupport* support) = nullptr;
  int (*gpm_sample_alloc)(NvmlGpmSample* sample) = nullptr;
  int (*gpm_sample_free)(NvmlGpmSample sample) = nullptr;
  int (*gpm_sample_get)(NvmlDevice device, NvmlGpmSample sample) = nullptr;
  int (*gpm_mig_sample_get)(NvmlDevice gpu, uint32_t gpu_instance_id, NvmlGpmSample sample) = nullptr;
  int (*gpm_metrics_get)(NvmlGpmMetrics* metrics) = nullptr;
};

// Fills the table from the libnvidia-ml.so.1 that LoadNvml has loaded; never loads one. What is not there stays null.
void FindNvmlCounters(NvmlCounterApi* api);

}  // namespace migprof::mig
