// SPDX-License-Identifier: Apache-2.0
// Asking: driver first, then NVML, then the device's name.
#pragma once

#include <string>

#include "libmigprof/base/error.h"
#include "libmigprof/mig/driver_api.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::mig {

// What the driver alone says of CUDA device `ordinal` of this process: UUID, name and with it the profile, SMs, memory.
// Enough to tell slices apart. Microseconds. Not from a CUPTI callback.
Error IdentifyFromDriver(const DriverApi& driver, int ordinal, SliceIdentity* identity);

// Adds what only NVML knows: GPU instance, compute instance, and the UUID and name of the GPU behind a slice.
// Initialises NVML and shuts it down again, because an open handle can block a reconfiguration of the card. May take
// seconds. On an error `identity` keeps what it had.
Error AddFromNvml(const NvmlApi& nvml, SliceIdentity* identity);

// A short name of the slice for file names, from letters, digits, '.', '+' and '-': "1g.10gb-3f2a9c1e", "gpu-1a2b3c4d".
std::string SliceLabel(const SliceIdentity& identity);

}  // namespace migprof::mig
