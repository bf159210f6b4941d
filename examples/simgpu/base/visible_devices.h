// SPDX-License-Identifier: Apache-2.0
// Which GPUs and compute instances a process may use, and in which order: CUDA_VISIBLE_DEVICES and the rules of MIG.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/topology.h"

namespace simgpu {

// First driver branch that shows several compute instances to one process.
constexpr uint32_t kFirstBranchWithSeveralInstances = 570;
constexpr size_t kMaxInstancesPerProcess = 64;

// Every compute instance and every GPU without MIG, in the order of the topology.
std::vector<DeviceRef> AllDevices(const Topology& topology);

// The devices of a process, ordinal by ordinal. `selection` is the value of CUDA_VISIBLE_DEVICES; nothing when it is
// not set.
// - From driver 570 on: one compute instance of each GPU instance, beside GPUs without MIG. Before: one compute
// instance alone, or,
//   where there is none, the GPUs without MIG.
// - An entry is an index into the devices seen with the variable unset, "GPU-<uuid>", "MIG-<uuid>", the older
//   "MIG-GPU-<uuid>/<gi>/<ci>", or an unambiguous beginning of such a UUID. The UUID of a GPU in MIG mode stands for
//   all its GPU instances. An entry that names nothing, or names a device again, ends the list.
std::vector<DeviceRef> VisibleDevices(const Topology& topology, const std::optional<std::string>& selection);

// What a container would see that was given these devices, a comma list of "MIG-<uuid>" and "GPU-<uuid>": nothing else
// is left in `topology`.
void Restrict(const std::string& devices, Topology* topology);

}  // namespace simgpu
