// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/profile_metrics.h"

#include <algorithm>
#include <optional>
#include <set>

#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/metric_families.h"

namespace migprof::render {
namespace {

using analyze::IdleCause;
using analyze::SliceProfile;

constexpr double kSecond = 1e9;

// All of it was so when the recording ended.
double EndOf(const SliceProfile& slice) { return static_cast<double>(slice.first_ns + slice.window_ns) / kSecond; }

// "3g.40gb" of "1c.3g.40gb": dcgm-exporter names the GPU instance.
std::string GpuInstanceProfile(const std::string& profile) {
  const size_t dot = profile.find("c.");
  return dot != std::string::npos && dot + 2 < profile.size() ? profile.substr(dot + 2) : profile;
}

Labels LabelsOf(const SliceProfile& slice) {
  Labels labels = {{kGpuUuidLabel, slice.identity.gpu_uuid}, {kHostLabel, slice.host}};
  if (slice.simulated) labels.emplace_back(kSimulatedLabel, "true");
  return With(std::move(labels), {{kGpuInstanceLabel, IdText(slice.identity.gpu_instance_id)},
                                  {kGpuInstanceProfileLabel, GpuInstanceProfile(slice.identity.profile)},
                                  {kComputeInstanceLabel, IdText(slice.identity.compute_instance_id)},
                                  {kMigUuidLabel, slice.identity.mig_uuid}});
}

// The same labels twice in a family would make the whole text unreadable.
std::vector<Labels> DistinctLabels(const analyze::Profile& profile) {
  std::vector<Labels> all;
  std::set<Labels> taken;
  for (const SliceProfile& slice : profile.slices) {
    Labels labels = LabelsOf(slice);
    if (taken.contains(labels)) labels.emplace_back("boot_id", slice.boot_id);
    const Labels base = labels;
    for (int part = 2; !taken.insert(labels).second; ++part) labels = With(base, {{"part", std::to_string(part)}});
    all.push_back(std::move(labels));
  }
  return all;
}

class Families {
 public:
  explicit Families(const analyze::Profile& profile) : profile_(profile), labels_(DistinctLabels(profile)) {}

  std::vector<MetricFamily> Build() {
    std::optional<double> end;
    for (const SliceProfile& slice : profile_.slices) end = std::max(end.value_or(0), EndOf(slice));
    Add("migprof_simulated", MetricType::kGauge, "", "1 when a part of this was recorded on the simulated GPU")
        .metrics.push_back({{}, profile_.simulated ? 1.0 : 0.0, end});
    AddInfo();
    AddTimes();
    AddAmounts();
    AddIdle();
    AddLosses();
    return std::move(families_);
  }

 private:
  MetricFamily& Add(const char* name, MetricType type, const char* unit, const char* help) {
    return AddFamily(name, type, unit, help, &families_);
  }

  template <typename ValueOf>
  void AddPerSlice(const char* name, MetricType type, const char* unit, const char* help, ValueOf value_of) {
    MetricFamily& family = Add(name, type, unit, help);
    for (size_t i = 0; i < labels_.size(); ++i) {
      family.metrics.push_back(
          {labels_[i], static_cast<double>(value_of(profile_.slices[i])), EndOf(profile_.slices[i])});
    }
  }

  void AddInfo() {
    MetricFamily& info = Add("migprof_slice_info", MetricType::kGauge, "", "1 for every slice that was recorded");
    for (size_t i = 0; i < labels_.size(); ++i) {
      const mig::SliceIdentity& identity = profile_.slices[i].identity;
      info.metrics.push_back({With(labels_[i], {{kProfileLabel, identity.profile},
                                                {kModelLabel, identity.gpu_name},
                                                {kPciLabel, identity.pci_bus_id}}),
                              1, EndOf(profile_.slices[i])});
    }
    AddPerSlice("migprof_slice_multiprocessors", MetricType::kGauge, "", "SMs of the slice",
                [](const SliceProfile& slice) { return slice.identity.sm_count; });
    AddPerSlice("migprof_slice_memory_total_bytes", MetricType::kGauge, "bytes", "Memory of the GPU instance",
                [](const SliceProfile& slice) { return slice.identity.memory_bytes; });
  }

  void AddTimes() {
    AddPerSlice("migprof_slice_window_seconds", MetricType::kGauge, "seconds",
                "From the first to the last recorded event",
                [](const SliceProfile& slice) { return static_cast<double>(slice.window_ns) / kSecond; });
    AddPerSlice("migprof_slice_not_recorded_seconds", MetricType::kGauge, "seconds",
                "Part of it in which recording was stopped and nothing recorded ran",
                [](const SliceProfile& slice) { return static_cast<double>(slice.not_recorded_ns) / kSecond; });
    AddPerSlice("migprof_slice_gpu_busy_ratio", MetricType::kGauge, "ratio",
                "Share of the recorded time in which at least one kernel, copy or memset ran",
                [](const SliceProfile& slice) {
                  return slice.recorded_ns() == 0
                             ? 0
                             : static_cast<double>(slice.busy_ns) / static_cast<double>(slice.recorded_ns());
                });
    AddPerSlice("migprof_slice_kernel_seconds_total", MetricType::kCounter, "seconds",
                "Time of kernels, and of graphs that were recorded as a whole; those side by side add up",
                [](const SliceProfile& slice) {
                  return static_cast<double>(slice.kernels.total_ns + slice.graph_runs.total_ns) / kSecond;
                });
    AddPerSlice("migprof_slice_memcpy_seconds_total", MetricType::kCounter, "seconds",
                "Time of copies; those side by side add up",
                [](const SliceProfile& slice) { return static_cast<double>(slice.memcpys.total_ns) / kSecond; });
  }

  void AddAmounts() {
    AddPerSlice("migprof_slice_kernels_total", MetricType::kCounter, "", "Kernels that ran",
                [](const SliceProfile& slice) { return slice.kernels.count; });
    AddPerSlice("migprof_slice_launches_total", MetricType::kCounter, "", "CUDA calls that gave the GPU work",
                [](const SliceProfile& slice) { return slice.health.launches; });
    AddPerSlice("migprof_slice_memcpy_bytes_total", MetricType::kCounter, "bytes", "Bytes that copies moved",
                [](const SliceProfile& slice) { return slice.memcpys.bytes; });
    AddPerSlice("migprof_slice_recorded_processes", MetricType::kGauge, "", "Processes that were recorded on the slice",
                [](const SliceProfile& slice) { return slice.processes.size(); });
  }

  void AddIdle() {
    MetricFamily& idle = Add("migprof_slice_idle_seconds_total", MetricType::kCounter, "seconds",
                             "Recorded time in which nothing ran, by what the thread did that ended the gap");
    for (size_t i = 0; i < labels_.size(); ++i) {
      const SliceProfile& slice = profile_.slices[i];
      uint64_t told = 0;
      for (const uint64_t ns : slice.metrics.idle_ns) told += ns;
      const uint64_t all = slice.recorded_ns() - std::min(slice.recorded_ns(), slice.busy_ns);
      for (size_t cause = 0; cause < analyze::kIdleCauses; ++cause) {
        uint64_t ns = slice.metrics.idle_ns[cause];
        // All of the idle time is told, also what nobody knows a cause of.
        if (static_cast<IdleCause>(cause) == IdleCause::kUnknown) ns += all - std::min(all, told);
        idle.metrics.push_back({With(labels_[i], {{"cause", CauseKey(static_cast<IdleCause>(cause))}}),
                                static_cast<double>(ns) / kSecond, EndOf(slice)});
      }
    }
  }

  void AddLosses() {
    AddPerSlice("migprof_slice_events_dropped_total", MetricType::kCounter, "",
                "Events lost before they reached a file",
                [](const SliceProfile& slice) { return slice.health.dropped; });
    AddPerSlice("migprof_slice_launches_unmatched_total", MetricType::kCounter, "",
                "Launches whose GPU activity is missing though some was to be expected",
                [](const SliceProfile& slice) { return slice.health.unmatched; });
    AddPerSlice("migprof_slice_activities_unmatched_total", MetricType::kCounter, "",
                "Kernels, copies and memsets whose call is not in the trace",
                [](const SliceProfile& slice) { return slice.health.orphaned; });
    AddPerSlice("migprof_slice_activities_untimed_total", MetricType::kCounter, "",
                "Kernels, copies and memsets without usable times: in no time of these metrics",
                [](const SliceProfile& slice) { return slice.health.untimed; });
    AddPerSlice("migprof_slice_damaged_bytes_total", MetricType::kCounter, "bytes",
                "Bytes of trace files that could not be read",
                [](const SliceProfile& slice) { return slice.health.damaged_bytes; });
    MetricFamily& losses = Add("migprof_slice_losses_total", MetricType::kCounter, "",
                               "What is missing or not shown as it was, by the names of health in summary.json; of "
                               "stopped and killed, processes");
    for (size_t i = 0; i < labels_.size(); ++i) {
      const SliceProfile& slice = profile_.slices[i];
      const auto add = [&](const char* kind, uint64_t count) {
        losses.metrics.push_back({With(labels_[i], {{"kind", kind}}), static_cast<double>(count), EndOf(slice)});
      };
      for (const analyze::HealthField& field : analyze::kHealthFields) {
        if (field.meaning != analyze::HealthField::kUnderstood) add(field.key, slice.health.*field.count);
      }
      const auto count_if = [&](bool analyze::Health::*is) {
        const auto is_so = [is](const analyze::ProcessInfo& process) { return process.health.*is; };
        return static_cast<uint64_t>(std::count_if(slice.processes.begin(), slice.processes.end(), is_so));
      };
      add("stopped", count_if(&analyze::Health::stopped));
      add("killed", count_if(&analyze::Health::killed));
    }
    AddPerSlice("migprof_slice_launches_rotated_total", MetricType::kCounter, "",
                "Launches in files that were deleted to stay within MIGPROF_MAX_BYTES or MIGPROF_WINDOW",
                [](const SliceProfile& slice) { return slice.health.rotated_launches; });
    AddPerSlice("migprof_slice_activities_rotated_total", MetricType::kCounter, "",
                "Kernels, copies, memsets and runs of whole graphs in such files: in no other of these metrics",
                [](const SliceProfile& slice) { return slice.health.rotated_activities; });
    AddPerSlice("migprof_slice_has_losses", MetricType::kGauge, "",
                "1 when anything is missing from the picture of this slice",
                [](const SliceProfile& slice) { return analyze::HasLoss(slice.health) ? 1 : 0; });
  }

  const analyze::Profile& profile_;
  const std::vector<Labels> labels_;
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> ProfileMetrics(const analyze::Profile& profile) { return Families(profile).Build(); }

}  // namespace migprof::render
