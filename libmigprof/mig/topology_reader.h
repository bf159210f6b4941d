// SPDX-License-Identifier: Apache-2.0
// Asking NVML how the GPUs of this host are cut, and who uses them.
#pragma once

#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/process_names.h"
#include "libmigprof/mig/topology.h"

namespace migprof::mig {

// Loads NVML and reads everything it tells this process. Never fails: without a driver `Host::problem` says so. Shuts
// NVML down again, because an open handle can block a reconfiguration of the card. May take seconds on a busy node.
Host ReadTopology();

// The same by a given table, and with a given source of names.
Host ReadTopology(const NvmlApi& nvml, const ProcessNames& names);

}  // namespace migprof::mig
