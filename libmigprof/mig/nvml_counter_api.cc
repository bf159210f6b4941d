// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/nvml_counter_api.h"

#include <dlfcn.h>

namespace migprof::mig {
namespace {

template <typename Function>
void Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

void FindNvmlCounters(NvmlCounterApi* api) {
  // Found by its own name, wherever it was loaded from. Never closed: it stays loaded as it is.
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (library == nullptr) return;
  Resolve(library, "nvmlDeviceGetMemoryInfo", &api->device_get_memory_info);
  Resolve(library, "nvmlDeviceGetMemoryInfo_v2", &api->device_get_memory_info_v2);
  Resolve(library, "nvmlDeviceGetUtilizationRates", &api->device_get_utilization_rates);
  Resolve(library, "nvmlGpmQueryDeviceSupport", &api->gpm_query_device_support);
  Resolve(library, "nvmlGpmSampleAlloc", &api->gpm_sample_alloc);
  Resolve(library, "nvmlGpmSampleFree", &api->gpm_sample_free);
  Resolve(library, "nvmlGpmSampleGet", &api->gpm_sample_get);
  Resolve(library, "nvmlGpmMigSampleGet", &api->gpm_mig_sample_get);
  Resolve(library, "nvmlGpmMetricsGet", &api->gpm_metrics_get);
}

}  // namespace migprof::mig
