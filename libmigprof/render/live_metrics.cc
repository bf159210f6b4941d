// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/live_metrics.h"

#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "libmigprof/render/metric_families.h"

namespace migprof::render {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// A sample of that age is shown no more.
constexpr uint64_t kTooOld = 30 * kSecond;

// Of all processes of the slice, if they are of one and the same pod; without a container if they are of several.
std::optional<mig::Workload> OnlyPod(const mig::Use& use) {
  std::optional<mig::Workload> pod;
  for (const mig::GpuProcess& process : use.processes) {
    const mig::Workload& own = process.workload;
    if (own.pod_uid.empty() || (pod && pod->pod_uid != own.pod_uid)) return std::nullopt;
    if (pod && pod->container_name != own.container_name) {
      pod->container_name.clear();
    } else {
      pod = own;
    }
  }
  return pod;
}

class Families {
 public:
  Families(const mig::LiveSample& sample, uint64_t now_ns)
      : sample_(sample), is_old_(now_ns > sample.time_ns && now_ns - sample.time_ns > kTooOld) {
    host_ = {{kHostLabel, sample.host}};
    if (sample.simulated) host_.emplace_back(kSimulatedLabel, "true");
  }

  std::vector<MetricFamily> Build() {
    Gauge("migprof_simulated", "", "1 when a simulated driver says all of this: no hardware is behind it")
        .metrics.push_back({host_, sample_.simulated ? 1.0 : 0.0});
    Gauge("migprof_driver_problem", "", "1 when the NVIDIA driver cannot be asked, with what NVML said as `code`")
        .metrics.push_back(
            {sample_.problem_code == 0 ? host_ : With(host_, {{"code", std::to_string(sample_.problem_code)}}),
             sample_.problem.empty() ? 0.0 : 1.0});
    Gauge("migprof_sample_timestamp_seconds", "seconds", "When the driver was asked last, in seconds since 1970")
        .metrics.push_back({host_, static_cast<double>(sample_.time_ns) / kSecond});
    if (is_old_) return std::move(families_);
    AddGpus();
    AddComputeInstances();
    AddGpuInstances();
    return std::move(families_);
  }

 private:
  MetricFamily& Gauge(const char* name, const char* unit, const std::string& help) {
    return AddFamily(name, MetricType::kGauge, unit, help, &families_);
  }

  void AddGpus() {
    MetricFamily& refusals =
        Gauge("migprof_gpu_nvml_error", "", "What NVML returned for the GPU: 0 when it answers, 15 when it is lost");
    for (const mig::LiveGpu& gpu : sample_.gpus) {
      refusals.metrics.push_back(
          {With(GpuLabels(gpu.index, gpu.uuid), {{kModelLabel, gpu.name}}), static_cast<double>(gpu.refusal)});
    }
  }

  Labels GpuLabels(unsigned index, const std::string& uuid) const {
    Labels labels = {{kGpuLabel, std::to_string(index)}, {kGpuUuidLabel, uuid}};
    labels.insert(labels.end(), host_.begin(), host_.end());
    return labels;
  }

  // As dcgm-exporter labels a GPU instance, and the pod if it is one alone.
  Labels InstanceLabels(const mig::LiveSlice& slice, const std::optional<mig::Workload>& pod) const {
    Labels labels = GpuLabels(slice.gpu_index, slice.gpu_uuid);
    labels.emplace_back(kGpuInstanceLabel, IdText(slice.gpu_instance_id));
    labels.emplace_back(kGpuInstanceProfileLabel, slice.gpu_instance_profile);
    if (!pod) return labels;
    return With(labels, {{kPodLabel, pod->pod_name},
                         {kNamespaceLabel, pod->pod_namespace},
                         {kContainerLabel, pod->container_name},
                         {kPodUidLabel, pod->pod_uid}});
  }

  static Labels WithCompute(Labels labels, const mig::LiveSlice& slice) {
    return With(std::move(labels),
                {{kComputeInstanceLabel, IdText(slice.compute_instance_id)}, {kMigUuidLabel, slice.mig_uuid}});
  }

  // What every compute instance has for itself.
  void AddComputeInstances() {
    const auto add = [&](const char* name, const char* unit, const char* help, auto value_of) {
      MetricFamily& family = Gauge(name, unit, help);
      for (const mig::LiveSlice& slice : sample_.slices) {
        const std::optional<double> value = value_of(slice);
        if (value) family.metrics.push_back({WithCompute(InstanceLabels(slice, OnlyPod(slice.use)), slice), *value});
      }
    };
    MetricFamily& info =
        Gauge("migprof_slice_info", "", "1 for every slice: a MIG compute instance, or a GPU without MIG");
    for (const mig::LiveSlice& slice : sample_.slices) {
      Labels labels = WithCompute(InstanceLabels(slice, std::nullopt), slice);
      labels = With(labels, {{kProfileLabel, slice.profile},
                             {kModelLabel, slice.gpu_name},
                             {kPciLabel, slice.pci_bus_id},
                             {"driver_version", sample_.driver_version}});
      info.metrics.push_back({labels, 1});
    }
    add("migprof_slice_multiprocessors", "", "SMs of the slice", [](const mig::LiveSlice& slice) {
      return slice.sm_count ? std::optional<double>(*slice.sm_count) : std::nullopt;
    });
    add("migprof_slice_processes", "", "Processes with a CUDA context on the slice; absent when NVML does not tell",
        [](const mig::LiveSlice& slice) {
          return slice.use.refusal == 0 ? std::optional<double>(static_cast<double>(slice.use.processes.size()))
                                        : std::nullopt;
        });
    add("migprof_slice_first_seen_timestamp_seconds", "seconds",
        "Since when this slice is there, as far as this exporter has seen; starts anew when it is made anew",
        [](const mig::LiveSlice& slice) {
          return std::optional<double>(static_cast<double>(slice.first_seen_ns) / kSecond);
        });
  }

  // What compute instances of one GPU instance share is told once: a sum over all series must not count it twice.
  void AddGpuInstances() {
    struct Instance {
      Labels labels;
      const mig::LiveSlice* slice;
    };
    std::vector<Instance> instances;
    std::set<std::tuple<unsigned, std::string, uint32_t>> seen;
    for (const mig::LiveSlice& slice : sample_.slices) {
      if (slice.siblings > 1 && slice.gpu_instance_id) {
        if (!seen.emplace(slice.gpu_index, slice.gpu_uuid, *slice.gpu_instance_id).second) continue;
        instances.push_back({InstanceLabels(slice, std::nullopt), &slice});
      } else {
        instances.push_back({WithCompute(InstanceLabels(slice, OnlyPod(slice.use)), slice), &slice});
      }
    }
    MetricFamily& used =
        Gauge("migprof_slice_memory_used_bytes", "bytes", "Memory of the GPU instance that programs use");
    for (const Instance& instance : instances) {
      if (instance.slice->memory_used_bytes)
        used.metrics.push_back({instance.labels, static_cast<double>(*instance.slice->memory_used_bytes)});
    }
    MetricFamily& total = Gauge("migprof_slice_memory_total_bytes", "bytes", "Memory of the GPU instance");
    for (const Instance& instance : instances) {
      if (instance.slice->memory_bytes)
        total.metrics.push_back({instance.labels, static_cast<double>(*instance.slice->memory_bytes)});
    }
    for (const mig::LiveCounterInfo& info : mig::kLiveCounterTable) {
      MetricFamily& family =
          Gauge((std::string("migprof_slice_") + info.name + "_ratio").c_str(), "ratio",
                std::string(info.help) + ", of the GPU instance, as the driver's GPM counters say: never clamped");
      for (const Instance& instance : instances) {
        const std::optional<mig::LiveValue>& value = instance.slice->counter(info.id);
        if (value) family.metrics.push_back({instance.labels, value->percent / 100});
      }
    }
    MetricFamily& suspect = Gauge(
        "migprof_slice_reading_suspect", "",
        "1 for a counter that is not to be believed: the driver repeats itself (stale), or says more than there is");
    for (const Instance& instance : instances) {
      for (const mig::LiveCounterInfo& info : mig::kLiveCounterTable) {
        const std::optional<mig::LiveValue>& value = instance.slice->counter(info.id);
        if (!value || !value->is_suspect()) continue;
        suspect.metrics.push_back(
            {With(instance.labels, {{"quantity", info.name}, {"reason", value->stale ? "stale" : "out_of_range"}}), 1});
      }
    }
  }

  const mig::LiveSample& sample_;
  const bool is_old_;
  Labels host_;
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> LiveMetrics(const mig::LiveSample& sample, uint64_t now_ns) {
  return Families(sample, now_ns).Build();
}

}  // namespace migprof::render
