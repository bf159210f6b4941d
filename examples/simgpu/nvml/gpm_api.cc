// SPDX-License-Identifier: Apache-2.0
// GPM: how busy a GPU, or a GPU instance, was between two samples. Hopper and later. Only the work of the process that
// asks is known.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "base/faults.h"
#include "nvml/handles.h"
#include "simgpu_private.h"

using simgpu::DeviceRef;
using simgpu::DeviceUse;
using simgpu::Driver;
using simgpu::FaultNumber;
using simgpu::FaultSwitch;
using simgpu::GpuInstance;
using simgpu::nvml::DeviceHandle;
using simgpu::nvml::Refusal;

// Sums over the compute instances of what was sampled.
struct nvmlGpmSample_st {
  uint64_t now_ns = 0;
  double sm_count = 0;  // of all of them, used or not
  // As in DeviceUse, times the SMs of the device.
  double kernel_ns = 0;
  double sm_ns = 0;
  double warp_ns = 0;
  double tensor_ns = 0;
  double memory_bytes = 0;
  double memory_bytes_per_us = 0;
};

namespace {

constexpr unsigned kFirstGpmArchitecture = 9;  // Hopper

Driver* DriverInUse() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  const auto find = reinterpret_cast<Driver* (*)(uint32_t)>(dlsym(library, "simgpu_driver"));
  Driver* const driver = find != nullptr ? find(simgpu::kInterfaceVersion) : nullptr;
  return driver != nullptr && driver->Initialized() ? driver : nullptr;
}

// Of a GPU, or of one of its instances if `instance` is not null.
nvmlGpmSample_st TakeSample(const DeviceRef& gpu, const GpuInstance* instance) {
  if (const uint64_t slow_ms = FaultNumber("gpm-slow", 100)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
  }
  nvmlGpmSample_st sample;
  for (const GpuInstance& of_gpu : gpu.gpu->instances) {
    for (const simgpu::ComputeInstance& compute : of_gpu.compute_instances) {
      if (instance == nullptr || instance == &of_gpu) sample.sm_count += compute.sm_count;
    }
  }
  if (!gpu.gpu->mig) sample.sm_count = gpu.gpu->sm_count;
  const DeviceRef sampled{gpu.gpu_index, gpu.gpu, instance, nullptr};
  sample.memory_bytes_per_us = static_cast<double>(sampled.memory_bytes_per_us());
  Driver* const driver = DriverInUse();
  if (driver == nullptr) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    sample.now_ns = static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
    return sample;
  }
  sample.now_ns = driver->NowNs();
  for (uint32_t i = 0; i < driver->Devices().size(); ++i) {
    const DeviceRef& device = driver->Devices()[i];
    if (device.gpu_index != gpu.gpu_index) continue;
    if (instance != nullptr && (!device.is_mig() || device.instance->id != instance->id)) continue;
    const DeviceUse use = driver->UseUpToNow(i);
    const double sms = device.sm_count();
    sample.now_ns = use.now_ns;
    sample.kernel_ns += static_cast<double>(use.kernel_ns) * sms;
    sample.sm_ns += use.sm_ns * sms;
    sample.warp_ns += use.warp_ns * sms;
    sample.tensor_ns += use.tensor_ns * sms;
    sample.memory_bytes += use.memory_bytes;
  }
  return sample;
}

// Percent; the model knows no contention, so that kernels side by side would use more SMs than there are.
double Value(unsigned metric, const nvmlGpmSample_st& before, const nvmlGpmSample_st& after) {
  const double elapsed_ns = static_cast<double>(after.now_ns - before.now_ns);
  const double all = elapsed_ns * after.sm_count;
  const auto share = [&](double part) { return 100 * std::min(part / all, 1.0); };
  switch (metric) {
    case 1:
      return share(after.kernel_ns - before.kernel_ns);
    case 2:
      return std::min(share(after.sm_ns - before.sm_ns), share(after.kernel_ns - before.kernel_ns));
    case 3:
      return share(after.warp_ns - before.warp_ns);
    case 5:
    case 7:
      return share(after.tensor_ns - before.tensor_ns);
    case 6:
    case 9:
      return 0;
    default:
      break;
  }
  const double bytes = after.memory_bytes - before.memory_bytes;
  return 100 * std::min(bytes / (elapsed_ns / 1000 * after.memory_bytes_per_us), 1.0);
}

double WithFaults(unsigned metric, double value) {
  if (FaultSwitch("gpm-nan")) return std::numeric_limits<double>::quiet_NaN();
  if (FaultSwitch("gpm-above-100")) return 137.5;
  if (FaultSwitch("gpm-says")) return static_cast<double>(FaultNumber("gpm-says", 50));
  if (!FaultSwitch("gpm-stale")) return value;
  static std::mutex mutex;
  static auto& first = *new std::map<unsigned, double>;  // threads may ask while the process ends
  const std::lock_guard lock(mutex);
  double& said = first[metric];
  if (said == 0) said = value;  // what repeats nothing at all is no fault: it may be idle
  return said;
}

bool IsKnownMetric(unsigned metric) { return (metric >= 1 && metric <= 10 && metric != 4 && metric != 8); }

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t* support) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlGpmQueryDeviceSupport", device, &handle)) return *refusal;
  if (support == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (support->version != kNvmlGpmVersion) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  support->isSupportedDevice = handle->ref.gpu->compute_major >= kFirstGpmArchitecture ? 1 : 0;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t* sample) {
  if (const auto refusal = Refusal("nvmlGpmSampleAlloc")) return *refusal;
  if (sample == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *sample = new nvmlGpmSample_st;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
  if (const auto refusal = Refusal("nvmlGpmSampleFree")) return *refusal;
  if (sample == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  delete sample;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlGpmSampleGet", device, &handle)) return *refusal;
  if (sample == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->ref.gpu->compute_major < kFirstGpmArchitecture) return NVML_ERROR_NOT_SUPPORTED;
  *sample = TakeSample(handle->ref, handle->ref.instance);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned gpu_instance, nvmlGpmSample_t sample) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlGpmMigSampleGet", device, &handle)) return *refusal;
  if (sample == nullptr || handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->ref.gpu->compute_major < kFirstGpmArchitecture) return NVML_ERROR_NOT_SUPPORTED;
  for (const GpuInstance& instance : handle->ref.gpu->instances) {
    if (instance.id == gpu_instance) return *sample = TakeSample(handle->ref, &instance), NVML_SUCCESS;
  }
  return NVML_ERROR_INVALID_ARGUMENT;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t* request) {
  if (const auto refusal = Refusal("nvmlGpmMetricsGet")) return *refusal;
  if (request == nullptr || request->sample1 == nullptr || request->sample2 == nullptr) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  if (request->version != kNvmlGpmVersion) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  for (unsigned i = 0; i < std::min(request->numMetrics, 333u); ++i) {
    nvmlGpmMetric_t& metric = request->metrics[i];
    metric.metricInfo = {"simulated", "simulated", "%"};
    if (!IsKnownMetric(metric.metricId)) {
      metric.nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
    } else if (request->sample2->now_ns <= request->sample1->now_ns) {
      metric.nvmlReturn = NVML_ERROR_NO_DATA;  // the virtual clock has not moved
    } else {
      metric.nvmlReturn = NVML_SUCCESS;
      metric.value = WithFaults(metric.metricId, Value(metric.metricId, *request->sample1, *request->sample2));
    }
  }
  return NVML_SUCCESS;
}

}  // extern "C"
