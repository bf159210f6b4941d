// SPDX-License-Identifier: Apache-2.0
// Who a CUDA device is: a MIG slice (one compute instance inside one GPU instance), or a whole GPU.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libmigprof/mig/placement.h"

namespace migprof::mig {

// Everything known of one CUDA device of one process. Empty strings and 0 mean unknown.
struct SliceIdentity {
  std::string gpu_uuid;  // "GPU-…": the physical GPU; empty when NVML could not be asked and the device is a MIG slice
  std::string mig_uuid;    // "MIG-…"; empty for a whole GPU
  std::string gpu_name;    // board, e.g. "NVIDIA H100 80GB HBM3"
  std::string profile;     // e.g. "1g.10gb" or "1c.3g.40gb"; empty for a whole GPU
  std::string pci_bus_id;  // of the physical GPU: not an identity of a slice
  std::optional<uint32_t> gpu_instance_id;
  std::optional<uint32_t> compute_instance_id;
  // Of the GPU instance, and how many memory slices the GPU has (0: unknown). NVML tells them to privileged callers
  // only.
  std::optional<Placement> placement;
  uint32_t memory_slices = 0;
  uint32_t sm_count = 0;       // live value of the compute instance, never from a table
  uint64_t memory_bytes = 0;   // of the GPU instance
  uint32_t compute_major = 0;  // compute capability
  uint32_t compute_minor = 0;
  std::string source;  // what answered: "driver", "driver+nvml"

  bool is_mig() const { return !mig_uuid.empty(); }
  // The UUID that CUDA calls this device by: the MIG UUID, or the GPU's where there is none.
  const std::string& device_uuid() const { return is_mig() ? mig_uuid : gpu_uuid; }
};

}  // namespace migprof::mig
