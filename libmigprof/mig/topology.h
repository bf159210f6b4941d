// SPDX-License-Identifier: Apache-2.0
// How the GPUs of a host are cut: GPUs, the GPU instances in them, the compute instances in those, and who uses them.
// What the driver did not tell is absent, never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/mig/placement.h"
#include "libmigprof/mig/workload.h"

namespace migprof::mig {

// A process with a CUDA context. Names are empty where /proc does not tell them, which includes every process whose
// number may be that of another PID namespace.
struct GpuProcess {
  uint32_t pid = 0;
  std::optional<uint64_t> memory_bytes;
  bool mps_client = false;
  bool mps_server = false;
  std::string name;
  std::string command_line;
  Workload workload;
};

// Who uses one slice, or one GPU without MIG.
struct Use {
  int refusal = 0;  // NVML's code when it would not say; `processes` is empty then
  std::vector<GpuProcess> processes;
};

enum class Sharing {
  kUnknown,      // NVML does not say who uses it
  kIdle,         // nobody
  kExclusive,    // one process
  kTimeSlicing,  // several processes that take turns
  kMps,          // several processes at once, through an MPS server
};
Sharing SharingOf(const Use& use);
// "unknown", "idle", "exclusive", "time-slicing", "mps".
const char* SharingName(Sharing sharing);

// What CUDA calls a device under MIG: SMs of its own, memory of its GPU instance.
struct ComputeInstance {
  std::optional<uint32_t> id;
  std::string uuid;     // "MIG-…"
  std::string profile;  // "1c.3g.40gb", or "3g.40gb" when it fills its GPU instance; empty when unknown
  std::optional<uint32_t> sm_count;
  std::optional<uint32_t> slices;
  std::optional<Placement> placement;  // in compute slices of the GPU instance
  Use use;
};

// Owns memory and engines, which its compute instances share.
struct GpuInstance {
  std::optional<uint32_t> id;
  std::string profile;  // "3g.40gb"; empty when unknown
  std::optional<uint32_t> slices;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> memory_used_bytes;
  std::optional<Placement> placement;              // in memory slices of the GPU
  std::vector<ComputeInstance> compute_instances;  // those in view
};

enum class MigMode { kUnknown, kUnsupported, kOff, kOn };
// "unknown", "unsupported", "off", "on".
const char* MigModeName(MigMode mode);

struct Gpu {
  unsigned index = 0;  // NVML's, which nvidia-smi -i takes
  int refusal = 0;     // NVML's code when this GPU does not answer; all the rest may be absent then
  std::string uuid;    // "GPU-…"
  std::string name;
  std::string pci_bus_id;
  std::optional<uint32_t> sm_count;  // not told in MIG mode
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> memory_used_bytes;
  MigMode mode = MigMode::kUnknown;
  MigMode pending = MigMode::kUnknown;     // after the next reset
  std::optional<uint32_t> compute_slices;  // those MIG can give away: of its largest profile
  std::optional<uint32_t> memory_slices;   // the grid of placements; needs a privilege
  int listing_refusal = 0;  // NVML's code when it would not list GPU instances: there may be more than those in view
  std::vector<GpuInstance> gpu_instances;
  Use use;  // of the whole GPU; only outside MIG mode
};

struct Host {
  std::string name;
  bool simulated = false;
  std::string driver_version;
  std::string cuda_version;  // the newest that the driver supports: "13.0"
  // When no driver could be asked: what is wrong and what to do, and NVML's code (0: there is no NVML).
  std::string problem;
  int problem_code = 0;
  std::vector<Gpu> gpus;
};

// Whether the compute instance has its GPU instance to itself. Nothing when it does not fill it and no other is in
// view: the rest may be free, or belong to somebody.
std::optional<bool> SharesGpuInstance(const GpuInstance& gpu_instance, const ComputeInstance& compute_instance);

// Compute slices of a GPU in MIG mode that no GPU instance in view covers; nothing when it cannot be told. They are
// free if `listing_refusal` is 0, and may be somebody else's otherwise.
std::optional<uint32_t> UncoveredComputeSlices(const Gpu& gpu);

// The memory slices that no GPU instance covers, in order; empty also where placements are not known.
std::vector<uint32_t> FreeMemorySlices(const Gpu& gpu);

}  // namespace migprof::mig
