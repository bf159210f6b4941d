// SPDX-License-Identifier: Apache-2.0
#include "driver/time_model.h"

#include <cupti_activity.h>

#include <algorithm>

namespace simgpu::driver {
namespace {

constexpr uint32_t kWarpThreads = 32;
// Registers are handed out per warp in units of this, shared memory in units of that.
constexpr uint32_t kRegisterUnit = 256;
constexpr uint32_t kSharedUnit = 128;

uint32_t RoundUp(uint32_t value, uint32_t unit) { return (value + unit - 1) / unit * unit; }

uint64_t TransferNs(uint64_t bytes, uint64_t bytes_per_us) { return bytes * 1000 / bytes_per_us; }

}  // namespace

const TimeModel& Model() {
  static const TimeModel& fallback = *new TimeModel;  // for the life of the process
  const Topology* const topology = ProcessTopology();
  return topology != nullptr ? topology->model : fallback;
}

const KernelRule* RuleFor(const char* kernel_name) {
  for (const KernelRule& rule : Model().kernel_rules) {
    if (regexec(rule.compiled.get(), kernel_name, 0, nullptr, 0) == 0) return &rule;
  }
  return nullptr;
}

uint32_t BlocksPerSm(const Limits& limits, const image::Kernel& kernel, uint32_t threads_per_block,
                     uint32_t dynamic_shared_bytes) {
  if (threads_per_block == 0 || threads_per_block > limits.threads_per_block) return 0;
  const uint32_t warps = RoundUp(threads_per_block, kWarpThreads) / kWarpThreads;
  uint32_t blocks = std::min(limits.blocks_per_sm, limits.threads_per_sm / (warps * kWarpThreads));
  const uint32_t registers = RoundUp(std::max(kernel.registers, 1u) * kWarpThreads, kRegisterUnit) * warps;
  blocks = std::min(blocks, limits.registers_per_sm / registers);
  const uint32_t shared =
      RoundUp(kernel.static_shared_bytes + dynamic_shared_bytes + limits.shared_reserved_per_block, kSharedUnit);
  return std::min(blocks, limits.shared_per_sm / shared);
}

uint64_t KernelNs(const Device& device, const Function& function, const KernelWork& work) {
  const TimeModel& model = Model();
  const uint64_t blocks = uint64_t{work.grid[0]} * work.grid[1] * work.grid[2];
  const uint64_t per_wave = uint64_t{work.blocks_per_sm} * device.ref.sm_count();
  const uint64_t waves = (blocks + per_wave - 1) / per_wave;
  const KernelRule* const rule = function.rule;
  const uint64_t base_ns = rule != nullptr && rule->base_ns ? *rule->base_ns : model.kernel_base_ns;
  const uint64_t wave_ns = rule != nullptr && rule->wave_ns ? *rule->wave_ns : model.wave_ns;
  return base_ns + waves * wave_ns;
}

uint64_t CopyNs(const Device& device, uint8_t copy_kind, uint64_t bytes) {
  const uint64_t latency = Model().copy_latency_ns;
  switch (copy_kind) {
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOD:
      // Every byte is read and written.
      return latency + TransferNs(2 * bytes, device.ref.memory_bytes_per_us());
    default:
      return latency + TransferNs(bytes, device.ref.gpu->pcie_bytes_per_us);
  }
}

uint64_t MemsetNs(const Device& device, uint64_t bytes) {
  return Model().copy_latency_ns + TransferNs(bytes, device.ref.memory_bytes_per_us());
}

}  // namespace simgpu::driver
