// SPDX-License-Identifier: Apache-2.0
#include "cupti/api_version.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "base/complain.h"

namespace simgpu::cupti {
namespace {

// Sizes by version; 0 where it is not known, of kinds that are never written. They only ever grew at the end, so an
// older record is the beginning of the newest.
struct KindSizes {
  uint32_t kind;
  uint16_t of_118;
  uint16_t of_124;
  uint16_t of_130;
};

constexpr KindSizes kSizes[] = {
    {CUPTI_ACTIVITY_KIND_MEMCPY, 88, 88, 96},
    {CUPTI_ACTIVITY_KIND_MEMSET, 88, 88, 88},
    {CUPTI_ACTIVITY_KIND_KERNEL, 200, 208, 216},
    {CUPTI_ACTIVITY_KIND_DRIVER, 40, 40, 40},
    {CUPTI_ACTIVITY_KIND_RUNTIME, 40, 40, 40},
    {CUPTI_ACTIVITY_KIND_DEVICE, 176, 184, 184},
    {CUPTI_ACTIVITY_KIND_CONTEXT, 16, 24, 32},
    {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, 200, 208, 216},
    {CUPTI_ACTIVITY_KIND_NAME, 32, 32, 32},
    {CUPTI_ACTIVITY_KIND_MARKER, 56, 56, 56},
    {CUPTI_ACTIVITY_KIND_MARKER_DATA, 32, 32, 40},
    {CUPTI_ACTIVITY_KIND_OVERHEAD, 40, 56, 56},
    {CUPTI_ACTIVITY_KIND_CDP_KERNEL, 0, 0, 144},
    {CUPTI_ACTIVITY_KIND_PREEMPTION, 0, 0, 40},
    {CUPTI_ACTIVITY_KIND_ENVIRONMENT, 0, 0, 40},
    {CUPTI_ACTIVITY_KIND_MEMCPY2, 96, 96, 96},
    {CUPTI_ACTIVITY_KIND_UNIFIED_MEMORY_COUNTER, 64, 64, 104},
    {CUPTI_ACTIVITY_KIND_FUNCTION, 32, 32, 32},
    {CUPTI_ACTIVITY_KIND_MODULE, 0, 0, 24},
    {CUPTI_ACTIVITY_KIND_DEVICE_ATTRIBUTE, 0, 0, 24},
    {CUPTI_ACTIVITY_KIND_OPENACC_DATA, 0, 0, 152},
    {CUPTI_ACTIVITY_KIND_OPENACC_LAUNCH, 0, 0, 152},
    {CUPTI_ACTIVITY_KIND_OPENACC_OTHER, 0, 0, 120},
    {CUPTI_ACTIVITY_KIND_CUDA_EVENT, 24, 24, 56},
    {CUPTI_ACTIVITY_KIND_STREAM, 24, 24, 24},
    {CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, 40, 40, 56},
    {CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION, 24, 24, 24},
    {CUPTI_ACTIVITY_KIND_NVLINK, 0, 0, 136},
    {CUPTI_ACTIVITY_KIND_MEMORY, 80, 80, 80},
    {CUPTI_ACTIVITY_KIND_PCIE, 0, 0, 168},
    {CUPTI_ACTIVITY_KIND_OPENMP, 0, 0, 40},
    {CUPTI_ACTIVITY_KIND_INTERNAL_LAUNCH_API, 40, 40, 40},
    {CUPTI_ACTIVITY_KIND_MEMORY2, 120, 120, 128},
    {CUPTI_ACTIVITY_KIND_MEMORY_POOL, 72, 72, 80},
    {CUPTI_ACTIVITY_KIND_GRAPH_TRACE, 48, 56, 56},
    {CUPTI_ACTIVITY_KIND_JIT, 64, 72, 72},
    {CUPTI_ACTIVITY_KIND_DEVICE_GRAPH_TRACE, 0, 0, 56},
    {CUPTI_ACTIVITY_KIND_MEM_DECOMPRESS, 0, 0, 64},
    {CUPTI_ACTIVITY_KIND_CONFIDENTIAL_COMPUTE_ROTATION, 0, 0, 32},
};

// Of the records this library writes, the newest form is the one of the header it is built with.
static_assert(sizeof(CUpti_ActivityKernel10) == 216 && sizeof(CUpti_ActivityMemcpy6) == 96 &&
              sizeof(CUpti_ActivityMemset4) == 88);
static_assert(sizeof(CUpti_ActivityMemcpyPtoP4) == 96 && sizeof(CUpti_ActivityDevice5) == 184 &&
              sizeof(CUpti_ActivityContext3) == 32);
static_assert(sizeof(CUpti_ActivityMemory4) == 128 && sizeof(CUpti_ActivityMemoryPool3) == 80);
static_assert(sizeof(CUpti_ActivityGraphTrace2) == 56 && sizeof(CUpti_ActivityCudaEvent2) == 56);
static_assert(sizeof(CUpti_ActivitySynchronization2) == 56 && sizeof(CUpti_ActivityOverhead3) == 56);

uint32_t ChooseVersion() {
  const char* text = std::getenv("SIMGPU_CUPTI_API");
  if (text == nullptr || *text == '\0') return SIMGPU_CUPTI_DEFAULT_API;
  const unsigned long version = std::strtoul(text, nullptr, 10);
  for (const uint32_t known : {kApi118, kApi124, kApi125, kApi130}) {
    if (version == known) return known;
  }
  Complain("SIMGPU_CUPTI_API=%s is ignored: expected 18, 22, 23 or 130001", text);
  return SIMGPU_CUPTI_DEFAULT_API;
}

}  // namespace

uint32_t ApiVersion() {
  static const uint32_t version = ChooseVersion();
  return version;
}

size_t RecordBytes(uint32_t kind) {
  const auto same = [&](const KindSizes& sizes) { return sizes.kind == kind; };
  const KindSizes* const found = std::find_if(std::begin(kSizes), std::end(kSizes), same);
  if (found == std::end(kSizes)) return 0;
  if (ApiVersion() >= kApi130) return found->of_130;
  // The context record already had its final size in 12.5.
  if (ApiVersion() >= kApi125 && kind == CUPTI_ACTIVITY_KIND_CONTEXT) return found->of_130;
  return ApiVersion() >= kApi124 ? found->of_124 : found->of_118;
}

}  // namespace simgpu::cupti
