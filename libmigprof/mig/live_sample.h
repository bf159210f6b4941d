// SPDX-License-Identifier: Apache-2.0
// What the slices of a host do at a moment, row by row: what `migprof top` shows and serves.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/mig/topology.h"

namespace migprof::mig {

// Quantities that the driver's counters give as percent of what the slice has; see docs/dashboards.md.
enum class LiveCounter : uint8_t { kGraphics, kSm, kOccupancy, kTensor, kDram };
inline constexpr size_t kLiveCounters = 5;

struct LiveCounterInfo {
  LiveCounter id;
  const char* name;  // in JSON, and with "_ratio" in metrics
  const char* help;
};

inline constexpr std::array<LiveCounterInfo, kLiveCounters> kLiveCounterTable = {{
    {LiveCounter::kGraphics, "graphics_utilization",
     "Share of the time in which the compute or graphics engine worked"},
    {LiveCounter::kSm, "sm_utilization", "Share of SM time in which an SM held at least one warp"},
    {LiveCounter::kOccupancy, "sm_occupancy", "Resident warps as a share of those that fit"},
    {LiveCounter::kTensor, "tensor_utilization", "Share of the time in which tensor pipes worked"},
    {LiveCounter::kDram, "dram_bandwidth_utilization", "Memory traffic as a share of the peak bandwidth"},
}};

// As the driver said it: never clamped, may be above 100, never NaN.
struct LiveValue {
  double percent = 0;
  bool stale = false;  // the driver repeats the interval before: nothing new was measured
  bool is_suspect() const { return stale || percent > 100 || percent < 0; }
};

// One compute instance, or one GPU without MIG.
struct LiveSlice {
  unsigned gpu_index = 0;  // NVML's
  std::string gpu_uuid;
  std::string gpu_name;
  std::string pci_bus_id;
  std::optional<uint32_t> gpu_instance_id;  // none of these without MIG
  std::string gpu_instance_profile;         // "3g.40gb"
  std::optional<uint32_t> compute_instance_id;
  std::string profile;  // "1c.3g.40gb"
  std::string mig_uuid;
  std::optional<uint32_t> sm_count;
  // How many compute instances of the same GPU instance are in view, with this one. Memory and counters are those of
  // the GPU instance, so that they are the same for all of these.
  unsigned siblings = 1;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> memory_used_bytes;
  Use use;
  std::array<std::optional<LiveValue>, kLiveCounters> counters;
  int counter_refusal = 0;     // NVML's code where there are no counters: NOT_SUPPORTED before Hopper
  uint64_t first_seen_ns = 0;  // since 1970; starts anew when the slice is made anew, though its UUID may be the same

  bool is_mig() const { return !mig_uuid.empty() || gpu_instance_id.has_value(); }
  const std::optional<LiveValue>& counter(LiveCounter id) const { return counters[static_cast<size_t>(id)]; }
};

// A GPU that has something to say besides its slices.
struct LiveGpu {
  unsigned index = 0;
  std::string uuid;
  std::string name;
  int refusal = 0;      // NVML's code when it does not answer; it has no slices then
  bool is_mig = false;  // in MIG mode; without slices nothing can run on it
  size_t slices = 0;
  bool all_in_view = true;  // of its slices; there may be others that this user or container may not see
};

struct LiveSample {
  std::string host;
  bool simulated = false;
  std::string driver_version;
  std::string problem;  // as in Host
  int problem_code = 0;
  uint64_t time_ns = 0;      // when it was taken, since 1970
  uint64_t interval_ns = 0;  // which the counters are about; 0 when they are not there yet
  uint64_t took_ns = 0;      // to ask the driver for it
  uint64_t topology_ns = 0;  // when the slices were listed last
  std::vector<LiveGpu> gpus;
  std::vector<LiveSlice> slices;  // by GPU, then as they lie on it
};

}  // namespace migprof::mig
