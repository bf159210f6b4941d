// SPDX-License-Identifier: Apache-2.0
// The quantities that NVML tells about a slice from time to time. docs/metrics.md defines each.
#pragma once

#include <array>
#include <cstdint>

namespace migprof::mig {

// The numbers are those of trace files (docs/trace-format.md) and are never used again for anything else.
enum class Counter : uint8_t {
  kMemoryUsed = 1,
  kMemoryTotal = 2,
  kGpuUtilization = 3,
  kMemoryUtilization = 4,
  kGraphicsUtilization = 16,
  kSmUtilization = 17,
  kSmOccupancy = 18,
  kTensorUtilization = 19,
  kTensorDfmaUtilization = 20,
  kTensorHmmaUtilization = 21,
  kTensorImmaUtilization = 22,
  kDramBandwidthUtilization = 23,
};

struct CounterInfo {
  Counter id;
  const char* name;
  const char* unit;     // "bytes" or "percent"
  const char* source;   // who says so
  uint32_t gpm_metric;  // nvmlGpmMetricId_t; 0: not of GPM
};

inline constexpr std::array<CounterInfo, 12> kCounters = {{
    {Counter::kMemoryUsed, "memory_used", "bytes", "NVML", 0},
    {Counter::kMemoryTotal, "memory_total", "bytes", "NVML", 0},
    {Counter::kGpuUtilization, "gpu_utilization", "percent", "NVML", 0},
    {Counter::kMemoryUtilization, "memory_utilization", "percent", "NVML", 0},
    {Counter::kGraphicsUtilization, "graphics_utilization", "percent", "NVML GPM", 1},
    {Counter::kSmUtilization, "sm_utilization", "percent", "NVML GPM", 2},
    {Counter::kSmOccupancy, "sm_occupancy", "percent", "NVML GPM", 3},
    {Counter::kTensorUtilization, "tensor_utilization", "percent", "NVML GPM", 5},
    {Counter::kTensorDfmaUtilization, "tensor_dfma_utilization", "percent", "NVML GPM", 6},
    {Counter::kTensorHmmaUtilization, "tensor_hmma_utilization", "percent", "NVML GPM", 7},
    {Counter::kTensorImmaUtilization, "tensor_imma_utilization", "percent", "NVML GPM", 9},
    {Counter::kDramBandwidthUtilization, "dram_bandwidth_utilization", "percent", "NVML GPM", 10},
}};

// Null for a number that is none, as of a later version.
constexpr const CounterInfo* FindCounter(uint64_t id) {
  for (const CounterInfo& info : kCounters) {
    if (static_cast<uint64_t>(info.id) == id) return &info;
  }
  return nullptr;
}

}  // namespace migprof::mig
