// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/slice_counters.h"

#include <algorithm>
#include <utility>

namespace migprof::mig {
namespace {

// Two intervals with the very same values in every counter are one interval told twice: real ones differ in some digit.
// Unless nothing, or only one thing, happened all the time: 0 and 100 do come again.
bool IsRepetition(const std::vector<double>& values, const std::vector<double>& previous) {
  const auto says_something = [](double value) { return value != 0 && value != 100 && value == value; };
  return values == previous && std::any_of(values.begin(), values.end(), says_something);
}

}  // namespace

Error SliceCounters::Open(const NvmlApi& nvml, const NvmlCounterApi& counters, const SliceIdentity& identity) {
  Close();
  nvml_ = &nvml;
  counters_ = &counters;
  lost_ = false;
  if (nvml.device_get_handle_by_uuid == nullptr) return {"NVML has no nvmlDeviceGetHandleByUUID", 0};
  if (const int result = nvml.init(); result != kNvmlSuccess) return {"nvmlInit_v2 failed", result};
  const int result = nvml.device_get_handle_by_uuid(identity.device_uuid().c_str(), &device_);
  if (result != kNvmlSuccess || device_ == nullptr) {
    device_ = nullptr;
    nvml.shutdown();
    return {"NVML does not know the device", result};
  }
  is_mig_ = identity.is_mig();
  gpu_ = device_;
  by_instance_ = is_mig_ && identity.gpu_instance_id.has_value() && counters.gpm_mig_sample_get != nullptr &&
                 nvml.device_get_parent != nullptr && nvml.device_get_parent(device_, &gpu_) == kNvmlSuccess;
  gpu_instance_id_ = identity.gpu_instance_id.value_or(0);
  gpm_error_ = OpenGpm();
  gpm_error_said_ = false;
  return Error::None();
}

void SliceCounters::Close() {
  if (device_ == nullptr) return;
  CloseGpm();
  nvml_->shutdown();
  device_ = nullptr;
}

int SliceCounters::Noted(int result) {
  lost_ |= result == kNvmlCounterGpuIsLost;
  return result;
}

int SliceCounters::OpenGpm() {
  const NvmlCounterApi& api = *counters_;
  if (api.gpm_query_device_support == nullptr || api.gpm_sample_alloc == nullptr || api.gpm_sample_free == nullptr ||
      api.gpm_metrics_get == nullptr || (api.gpm_sample_get == nullptr && !by_instance_)) {
    return kNvmlCounterFunctionNotFound;
  }
  // The GPU is asked first: of a MIG device not every driver knows the answer.
  NvmlGpmSupport support{kNvmlGpmVersion, 0};
  int result = Noted(api.gpm_query_device_support(gpu_, &support));
  if (result != kNvmlSuccess && gpu_ != device_ && !lost_) {
    support = {kNvmlGpmVersion, 0};
    result = Noted(api.gpm_query_device_support(device_, &support));
  }
  if (result != kNvmlSuccess) return result;
  if (support.is_supported == 0) return kNvmlCounterNotSupported;
  for (NvmlGpmSample* sample : {&before_, &after_}) {
    if (result = Noted(api.gpm_sample_alloc(sample)); result != kNvmlSuccess) {
      *sample = nullptr;
      CloseGpm();
      return result;
    }
  }
  metrics_ = std::make_unique<NvmlGpmMetrics>();
  return kNvmlSuccess;
}

void SliceCounters::CloseGpm() {
  for (NvmlGpmSample* sample : {&before_, &after_}) {
    if (*sample != nullptr) counters_->gpm_sample_free(*sample);
    *sample = nullptr;
  }
  has_before_ = false;
  previous_.clear();
}

int SliceCounters::TakeGpmSample(NvmlGpmSample sample) {
  if (by_instance_) {
    const int result = Noted(counters_->gpm_mig_sample_get(gpu_, gpu_instance_id_, sample));
    if (result == kNvmlSuccess || lost_ || counters_->gpm_sample_get == nullptr) return result;
    // In a container the GPU may be out of bounds and the MIG device not. Whichever answers first is kept to: samples
    // of two kinds do not go together.
    if (has_before_ || counters_->gpm_sample_get(device_, sample) != kNvmlSuccess) return result;
    by_instance_ = false;
    return kNvmlSuccess;
  }
  return Noted(counters_->gpm_sample_get(device_, sample));
}

void SliceCounters::Add(Counter counter, double value, int error) {
  readings_.push_back({.counter = counter, .value = value, .error = error});
}

std::span<const CounterReading> SliceCounters::Read() {
  readings_.clear();
  if (!is_open() || lost_) return readings_;
  ReadMemory();
  if (!is_mig_ && gpm_error_ != kNvmlSuccess && !lost_) ReadUtilization();
  if (gpm_error_ == kNvmlSuccess && !lost_) ReadGpm();
  if (gpm_error_ != kNvmlSuccess && !std::exchange(gpm_error_said_, true)) RefuseGpm(gpm_error_);
  return readings_;
}

void SliceCounters::ReadMemory() {
  int result = kNvmlCounterFunctionNotFound;
  NvmlMemoryUse memory{};
  // Version 2 tells what the driver keeps for itself from what is used.
  if (counters_->device_get_memory_info_v2 != nullptr) {
    NvmlMemoryUseV2 now{kNvmlMemoryUseV2, 0, 0, 0, 0};
    result = Noted(counters_->device_get_memory_info_v2(device_, &now));
    memory = {now.total, now.free, now.used};
  }
  if (result != kNvmlSuccess && !lost_ && counters_->device_get_memory_info != nullptr) {
    result = Noted(counters_->device_get_memory_info(device_, &memory));
  }
  Add(Counter::kMemoryUsed, static_cast<double>(memory.used), result);
  Add(Counter::kMemoryTotal, static_cast<double>(memory.total), result);
}

void SliceCounters::ReadUtilization() {
  NvmlUtilization utilization{};
  const int result = counters_->device_get_utilization_rates != nullptr
                         ? Noted(counters_->device_get_utilization_rates(device_, &utilization))
                         : kNvmlCounterFunctionNotFound;
  Add(Counter::kGpuUtilization, utilization.gpu, result);
  Add(Counter::kMemoryUtilization, utilization.memory, result);
}

void SliceCounters::RefuseGpm(int error) {
  for (const CounterInfo& info : kCounters) {
    if (info.gpm_metric != 0) Add(info.id, 0, error);
  }
}

void SliceCounters::ReadGpm() {
  if (const int result = TakeGpmSample(after_); result != kNvmlSuccess) return RefuseGpm(result);
  std::swap(before_, after_);  // the older one is in after_ now, and is overwritten the next time
  if (!std::exchange(has_before_, true)) return;
  metrics_->version = kNvmlGpmVersion;
  metrics_->metric_count = 0;
  metrics_->before = after_;
  metrics_->after = before_;
  for (const CounterInfo& info : kCounters) {
    if (info.gpm_metric == 0) continue;
    metrics_->metrics[metrics_->metric_count++] = {info.gpm_metric, 0, 0, nullptr, nullptr, nullptr};
  }
  if (const int result = Noted(counters_->gpm_metrics_get(metrics_.get())); result != kNvmlSuccess) {
    return RefuseGpm(result);
  }
  const size_t first = readings_.size();
  std::vector<double> values;
  for (const CounterInfo& info : kCounters) {
    if (info.gpm_metric == 0) continue;
    const NvmlGpmMetric& metric = metrics_->metrics[values.size()];
    values.push_back(metric.value);
    Add(info.id, metric.value, metric.result);
  }
  const bool stale = IsRepetition(values, previous_);
  for (size_t i = first; i < readings_.size(); ++i) {
    readings_[i].stale = stale;
    readings_[i].is_over_interval = true;
  }
  previous_ = std::move(values);
}

}  // namespace migprof::mig
