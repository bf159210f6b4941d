// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/metrics_json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "libmigprof/render/idle_cause.h"

namespace migprof::render {
namespace {

using Json = nlohmann::ordered_json;

// Kernels that are named one by one; the sums are over all of them.
constexpr size_t kTopKernels = 30;

// In the order of analyze::CopyDirection.
constexpr const char* kDirections[] = {"host_to_device", "device_to_host", "device_to_device", "peer_to_peer", "other"};
static_assert(std::size(kDirections) == analyze::kCopyDirections);

// To six digits: more are noise, and make files differ between machines.
Json Ratio(double part, double whole) {
  if (whole <= 0) return nullptr;
  return static_cast<double>(static_cast<int64_t>(part / whole * 1e6 + 0.5)) / 1e6;
}

Json PerSecond(uint64_t amount, uint64_t ns) {
  if (ns == 0) return nullptr;
  return static_cast<uint64_t>(static_cast<double>(amount) * 1e9 / static_cast<double>(ns) + 0.5);
}

Json Distribution(const analyze::QuantileSketch& sketch) {
  if (sketch.count() == 0) return nullptr;
  return {{"count", sketch.count()},
          {"p50", sketch.Quantile(0.5)},
          {"p90", sketch.Quantile(0.9)},
          {"p99", sketch.Quantile(0.99)}};
}

Json Copies(const analyze::SliceMetrics& metrics) {
  Json json = Json::object();
  for (size_t i = 0; i < analyze::kCopyDirections; ++i) {
    const analyze::Totals& totals = metrics.copies[i];
    json[kDirections[i]] = {{"count", totals.count},
                            {"total_ns", totals.total_ns},
                            {"bytes", totals.bytes},
                            {"bytes_per_second", PerSecond(totals.bytes, totals.total_ns)}};
  }
  return json;
}

Json Memory(const analyze::SliceProfile& slice) {
  const analyze::MemoryUse& memory = slice.metrics.memory;
  return {
      {"peak_bytes", memory.peak_bytes},
      {"peak_ns", memory.peak_bytes != 0 ? Json(memory.peak_ns) : Json(nullptr)},
      {"peak_share", Ratio(static_cast<double>(memory.peak_bytes), static_cast<double>(slice.identity.memory_bytes))},
      {"live_at_end_bytes", memory.live_at_end_bytes},
      {"allocations", memory.allocations},
      {"releases", memory.releases},
      {"unknown_releases", memory.unknown_releases}};
}

Json Timeline(const analyze::SliceMetrics& metrics) {
  Json kernels = Json::array();
  Json busy = Json::array();
  Json idle = Json::object();  // causes that there are
  for (size_t cause = 0; cause < analyze::kIdleCauses; ++cause) {
    if (metrics.idle_ns[cause] == 0) continue;
    Json& bins = idle[CauseKey(static_cast<analyze::IdleCause>(cause))] = Json::array();
    for (const analyze::Timeline::Bin& bin : metrics.timeline.bins) bins.push_back(bin.idle_ns[cause]);
  }
  for (const analyze::Timeline::Bin& bin : metrics.timeline.bins) {
    kernels.push_back(bin.kernel_ns);
    busy.push_back(bin.busy_ns);
  }
  return {{"bin_ns", metrics.timeline.bin_ns},
          {"kernel_ns", kernels},
          {"busy_ns", busy},
          {"idle_ns", idle},
          {"live_bytes", metrics.memory.live_bytes}};
}

Json Kernel(const analyze::KernelUse& use) {
  return {{"name", use.full_name},
          {"count", use.count},
          {"total_ns", use.total_ns},
          {"sm_weighted_ns", use.sm_weighted_ns},
          {"duration_ns", Distribution(use.duration)},
          {"uses_tensor_cores_estimate", use.uses_tensor_cores},
          {"registers_per_thread", use.registers_per_thread},
          {"largest_grid_blocks", use.largest_grid_blocks}};
}

}  // namespace

Json MetricsJson(const analyze::SliceProfile& slice) {
  const analyze::SliceMetrics& metrics = slice.metrics;
  const auto window = static_cast<double>(slice.recorded_ns());
  const bool sm_known = metrics.sm_weighted_ns != 0 || metrics.sm_unknown_ns == 0;
  Json json = {
      {"utilization", Ratio(static_cast<double>(slice.busy_ns), window)},
      {"kernel_utilization", Ratio(static_cast<double>(metrics.kernel_busy_ns), window)},
      {"kernel_busy_ns", metrics.kernel_busy_ns},
      {"sm_utilization_estimate",
       sm_known ? Ratio(static_cast<double>(metrics.sm_weighted_ns), window) : Json(nullptr)},
      {"sm_weighted_ns", metrics.sm_weighted_ns},
      {"sm_unknown_ns", metrics.sm_unknown_ns},
      {"tensor_share_estimate",
       Ratio(static_cast<double>(metrics.tensor_ns), static_cast<double>(slice.kernels.total_ns))},
      {"tensor_ns_estimate", metrics.tensor_ns},
      {"launches_per_second", PerSecond(slice.health.launches, slice.recorded_ns())},
      {"kernel_duration_ns", Distribution(metrics.kernel_duration)},
      {"launch_latency_ns", Distribution(metrics.launch_latency)},
      {"copies", Copies(metrics)},
      {"memory", Memory(slice)},
      {"timeline", Timeline(metrics)},
      {"distinct_kernels", metrics.kernels.size()},
      {"top_kernels", Json::array()},
  };
  for (size_t i = 0; i < std::min(metrics.kernels.size(), kTopKernels); ++i) {
    json["top_kernels"].push_back(Kernel(metrics.kernels[i]));
  }
  return json;
}

}  // namespace migprof::render
