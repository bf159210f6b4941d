// SPDX-License-Identifier: Apache-2.0
// Asking NVML which processes use a GPU or a slice.
#pragma once

#include <optional>

#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/process_names.h"
#include "libmigprof/mig/topology.h"

namespace migprof::mig {

// The processes with a CUDA context on `device`, by their numbers; under MIG without those that NVML says are on
// another instance than the given ones.
Use ReadUse(const NvmlApi& nvml, const ProcessNames& names, NvmlDevice device, std::optional<uint32_t> gpu_instance_id,
            std::optional<uint32_t> compute_instance_id);

}  // namespace migprof::mig
