// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/recorder_cost.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>

#include "libmigprof/render/human_units.h"

namespace migprof::render {

RecorderCost SumRecorderCost(const std::vector<const analyze::SliceProfile*>& slices) {
  RecorderCost cost;
  std::set<std::tuple<std::string, std::string, uint32_t, std::string>> seen;
  for (const analyze::SliceProfile* slice : slices) {
    cost.simulated |= slice->simulated;
    for (const analyze::ProcessInfo& process : slice->processes) {
      if (process.recorder.own_ns == 0 && process.recorder.own_share_ppm == 0) continue;
      if (!seen.emplace(slice->host, slice->boot_id, process.pid, process.name).second) continue;
      ++cost.processes;
      cost.own_ns += process.recorder.own_ns;
      cost.largest_share = std::max(cost.largest_share, process.recorder.own_share_ppm / 1e6);
      cost.reduced += process.recorder.highest_level != 0;
      cost.sampled_ms += process.recorder.sampled_ms;
    }
  }
  return cost;
}

std::string DescribeRecorderCost(const RecorderCost& cost, bool ascii) {
  if (cost.processes == 0) return "";
  std::string text = HumanTime(cost.own_ns, ascii);
  // Simulated calls take next to no time, so that a share of it says nothing.
  if (!cost.simulated && cost.largest_share > 0) {
    char share[64];
    std::snprintf(share, sizeof(share), ", at most %.1f%% of a thread's time", 100 * cost.largest_share);
    text += share;
  }
  if (cost.reduced != 0) {
    text += "; less detail to stay below MIGPROF_BUDGET in " + std::to_string(cost.reduced) +
            (cost.reduced == 1 ? " process" : " processes");
    if (cost.sampled_ms != 0) text += ", sampled stacks for " + HumanTime(cost.sampled_ms * 1'000'000, ascii);
  }
  return text;
}

}  // namespace migprof::render
