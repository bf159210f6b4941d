// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/slice_meter.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "libmigprof/analyze/demangle.h"
#include "libmigprof/analyze/tensor_core_names.h"

namespace migprof::analyze {
namespace {

// CUpti_ActivityMemcpyKind; arrays lie on the device.
CopyDirection DirectionOf(uint64_t what) {
  switch (what) {
    case 1:  // host to device
    case 3:  // host to array
      return CopyDirection::kHostToDevice;
    case 2:  // device to host
    case 4:  // array to host
      return CopyDirection::kDeviceToHost;
    case 5:  // between arrays and memory of the device
    case 6:
    case 7:
    case 8:
      return CopyDirection::kDeviceToDevice;
    case 10:
      return CopyDirection::kPeerToPeer;
    default:
      return CopyDirection::kOther;
  }
}

void Add(const KernelUse& from, KernelUse* to) {
  to->count += from.count;
  to->total_ns += from.total_ns;
  to->sm_weighted_ns += from.sm_weighted_ns;
  to->duration.Merge(from.duration);
  to->registers_per_thread = std::max(to->registers_per_thread, from.registers_per_thread);
  to->largest_grid_blocks = std::max(to->largest_grid_blocks, from.largest_grid_blocks);
}

}  // namespace

SliceMeter::SliceMeter(uint64_t first_ns, uint64_t window_ns, const mig::SliceIdentity& identity)
    : identity_(identity),
      limits_(FindSmLimits(identity.compute_major, identity.compute_minor)),
      memory_(first_ns, window_ns),
      idle_timeline_(first_ns, window_ns) {}

uint32_t SliceMeter::KernelId(const std::string& symbol) {
  const auto [entry, is_new] = kernel_ids_.try_emplace(symbol, static_cast<uint32_t>(kernels_.size()));
  if (is_new) {
    KernelUse& use = kernels_.emplace_back();
    use.full_name = symbol.empty() ? "[unnamed kernel]" : Demangle(symbol);
    use.name = symbol.empty() ? use.full_name : ShortName(use.full_name);
    use.uses_tensor_cores = UsesTensorCores(use.full_name);
    durations_.resize(std::min(kernels_.size(), kMostSketches + 1));
  }
  return entry->second;
}

void SliceMeter::AddCopy(uint64_t what, uint64_t duration, uint64_t bytes) {
  Totals& totals = copies_[static_cast<size_t>(DirectionOf(what))];
  ++totals.count;
  totals.total_ns += duration;
  totals.bytes += bytes;
}

void SliceMeter::AddLaunches(uint32_t kernel, const KernelShapeDefinition* shape, uint64_t count, uint64_t total_ns) {
  KernelUse& use = kernels_[kernel];
  use.count += count;
  use.total_ns += total_ns;
  std::optional<double> share;
  if (shape != nullptr) {
    const uint64_t registers = std::min<uint64_t>(shape->registers_per_thread, UINT32_MAX);
    use.registers_per_thread = std::max(use.registers_per_thread, static_cast<uint32_t>(registers));
    use.largest_grid_blocks = std::max(use.largest_grid_blocks, shape->grid_blocks);
    const LaunchShape launch = {.grid_blocks = shape->grid_blocks,
                                .block_threads = shape->block_threads,
                                .registers_per_thread = shape->registers_per_thread,
                                .shared_bytes = shape->shared_bytes,
                                .cluster_blocks = shape->cluster_blocks};
    if (limits_ != nullptr) share = BusyShare(*limits_, launch, identity_.sm_count);
  }
  if (share) {
    use.sm_weighted_ns += static_cast<uint64_t>(std::llround(static_cast<double>(total_ns) * *share));
  } else {
    unknown_ns_ += total_ns;
  }
}

SliceMetrics SliceMeter::Finish() {
  SettleBefore(UINT64_MAX);
  SliceMetrics metrics;
  metrics.sm_unknown_ns = unknown_ns_;
  metrics.copies = copies_;
  metrics.launch_latency = launch_latency_.Take();
  metrics.memory = memory_.Finish();
  for (size_t i = 0; i < durations_.size(); ++i) {
    QuantileSketch sketch = durations_[i].Take();
    metrics.kernel_duration.Merge(sketch);
    if (i < kMostSketches) kernels_[i].duration = std::move(sketch);
  }
  // Several symbols may read alike.
  absl::flat_hash_map<std::string, size_t> by_name;
  for (KernelUse& use : kernels_) {
    if (use.count == 0) continue;
    metrics.sm_weighted_ns += use.sm_weighted_ns;
    if (use.uses_tensor_cores) metrics.tensor_ns += use.total_ns;
    const auto [entry, is_new] = by_name.try_emplace(use.full_name, metrics.kernels.size());
    if (is_new) {
      metrics.kernels.push_back(std::move(use));
    } else {
      Add(use, &metrics.kernels[entry->second]);
    }
  }
  std::sort(metrics.kernels.begin(), metrics.kernels.end(), [](const KernelUse& a, const KernelUse& b) {
    return std::tuple(b.total_ns, b.count, a.full_name) < std::tuple(a.total_ns, a.count, b.full_name);
  });
  return metrics;
}

}  // namespace migprof::analyze
