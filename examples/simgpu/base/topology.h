// SPDX-License-Identifier: Apache-2.0
// The machine that is simulated: its GPUs, how they are cut into MIG instances, and how fast they are.
// All four libraries read the same file, so they agree on who is who. Schema: topologies/README.md.
#pragma once

#include <regex.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"

namespace simgpu {

// Owns SMs; is what CUDA calls a device.
struct ComputeInstance {
  uint32_t id = 0;
  uint32_t slices = 0;
  uint32_t sm_count = 0;
  uint32_t placement_start = 0;  // in compute slices
  uint32_t profile_id = 0;
  Uuid uuid{};
};

// Owns memory and copy engines, which its compute instances share.
struct GpuInstance {
  uint32_t id = 0;
  uint32_t slices = 0;
  uint32_t profile_id = 0;
  uint32_t placement_start = 0;  // in memory slices
  uint32_t placement_size = 0;
  uint32_t copy_engines = 1;
  uint32_t decoders = 0;
  uint64_t memory_bytes = 0;
  std::string profile;  // e.g. "3g.40gb"
  std::vector<ComputeInstance> compute_instances;
};

struct Gpu {
  std::string name;
  Uuid uuid{};
  uint32_t pci_domain = 0;
  uint32_t pci_bus = 0;
  uint32_t pci_slot = 0;
  uint32_t pci_device_id = 0;  // device and vendor, e.g. 0x233010de
  uint32_t pci_subsystem_id = 0;
  uint32_t compute_major = 0;
  uint32_t compute_minor = 0;
  uint32_t sm_count = 0;
  uint32_t copy_engines = 1;
  uint32_t memory_slices = 8;
  uint32_t memory_bus_bits = 0;
  uint32_t l2_bytes = 0;
  uint32_t clock_khz = 0;
  uint32_t memory_clock_khz = 0;
  uint64_t memory_bytes = 0;
  uint64_t memory_bytes_per_us = 0;
  uint64_t pcie_bytes_per_us = 0;
  bool mig = false;
  bool mig_pending = false;  // the mode after the next reset
  bool mig_capable = true;
  uint32_t mig_slices = 7;             // compute slices of the largest profile
  uint32_t mig_sm_count = 0;           // SMs of the largest profile
  std::vector<GpuInstance> instances;  // empty unless `mig`
};

// How long kernels take in whose name the pattern, an extended regular expression, is found.
struct KernelRule {
  std::string pattern;
  std::shared_ptr<const regex_t> compiled;
  std::optional<uint64_t> base_ns;
  std::optional<uint64_t> wave_ns;
};

struct TimeModel {
  uint64_t driver_call_ns = 1500;     // host time of one driver call
  uint64_t runtime_call_ns = 500;     // host time a runtime call adds to its driver calls
  uint64_t launch_latency_ns = 4000;  // from the call to the earliest start on the GPU
  uint64_t gap_ns = 800;              // between two pieces of work of one stream
  uint64_t kernel_base_ns = 2000;
  uint64_t wave_ns = 3000;
  uint64_t copy_latency_ns = 1500;
  uint64_t host_function_ns = 10000;
  std::vector<KernelRule> kernel_rules;  // the first match counts
};

struct Topology {
  std::string file;
  std::string driver_version;  // e.g. "580.159.03"
  uint32_t driver_branch = 0;  // 580
  uint32_t cuda_version = 0;   // 13000
  std::vector<Gpu> gpus;
  bool restricted = false;  // SIMGPU_VISIBLE_DEVICES left only a part of it
  TimeModel model;
};

// One CUDA device: a compute instance, or a whole GPU where `instance` is null.
struct DeviceRef {
  uint32_t gpu_index = 0;
  const Gpu* gpu = nullptr;
  const GpuInstance* instance = nullptr;
  const ComputeInstance* compute = nullptr;

  bool is_mig() const { return instance != nullptr; }
  uint32_t sm_count() const { return is_mig() ? compute->sm_count : gpu->sm_count; }
  uint64_t memory_bytes() const { return is_mig() ? instance->memory_bytes : gpu->memory_bytes; }
  uint32_t copy_engines() const { return is_mig() ? instance->copy_engines : gpu->copy_engines; }
  uint64_t memory_bytes_per_us() const;
  // "MIG-…" or "GPU-…": what CUDA calls this device.
  std::string uuid_text() const;
  // "3g.40gb", or "1c.3g.40gb" where the compute instance does not fill its GPU instance; empty for a whole GPU.
  std::string profile() const;
  // The name CUDA reports: "NVIDIA H100 80GB HBM3 MIG 1g.10gb".
  std::string name() const;
};

// Reads `file`. On failure returns false and says in one sentence what is wrong with it.
bool ReadTopology(const std::string& file, Topology* topology, std::string* problem);

// Reads kernel rules from `file`: the value of "kernels" of a topology, on its own.
bool ReadKernelRules(const std::string& file, std::vector<KernelRule>* rules, std::string* problem);

// The topology of this process: SIMGPU_TOPOLOGY, or h100-mixed.json beside this library, with the rules of
// SIMGPU_KERNELS first. Read once; null when that failed, which has then been said on stderr.
const Topology* ProcessTopology();

// The same, read again when the file has been replaced by another one (by rename): how a machine is cut anew while
// programs look at it. Who keeps pointers into the former one may: it stays.
const Topology* CurrentTopology();

}  // namespace simgpu
