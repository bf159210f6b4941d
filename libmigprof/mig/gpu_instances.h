// SPDX-License-Identifier: Apache-2.0
// GPU instances and where they lie, by handles that NVML gives to privileged callers only.
#pragma once

#include <map>
#include <optional>

#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/topology.h"

namespace migprof::mig {

// By the id of the GPU instance. Valid until NVML is shut down.
using GpuInstanceHandles = std::map<uint32_t, NvmlGpuInstance>;

// Adds to `gpu` its GPU instances, with placements, and how many slices there are to give away. Where the caller is not
// allowed to list them, `gpu->listing_refusal` says why and the result is empty.
GpuInstanceHandles ListGpuInstances(const NvmlApi& nvml, NvmlDevice device, Gpu* gpu);

// Where one GPU instance lies, and of how many memory slices; 0 and nothing where it is not told. An unprivileged
// caller costs NVML one question.
std::optional<Placement> GpuInstancePlacement(const NvmlApi& nvml, NvmlDevice gpu, uint32_t gpu_instance_id,
                                              uint32_t* memory_slices);

// Nothing where it is not told.
std::optional<Placement> ComputeInstancePlacement(const NvmlApi& nvml, const GpuInstanceHandles& handles,
                                                  uint32_t gpu_instance_id, uint32_t compute_instance_id);

}  // namespace migprof::mig
