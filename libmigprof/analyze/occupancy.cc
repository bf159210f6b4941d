// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/occupancy.h"

#include <algorithm>

namespace migprof::analyze {
namespace {

constexpr uint64_t kWarpThreads = 32;
constexpr uint64_t kMostBlockThreads = 1024;
// More than any GPU has. Larger numbers come from damaged files, and would overflow what is computed with them.
constexpr uint64_t kMostSms = 1 << 16;
constexpr uint64_t kMostBlocks = uint64_t{1} << 40;
constexpr uint64_t kMostRegisters = 255;

struct Entry {
  uint32_t major;
  uint32_t minor;
  SmLimits limits;
};

// CUDA C++ Programming Guide, "Compute Capabilities", table "Technical Specifications per Compute Capability": the rows
// "Maximum number of resident threads per SM", "Maximum number of resident blocks per SM", "Number of 32-bit registers
// per SM" and "Maximum amount of shared memory per SM". That shared memory reserves 1 KiB per block since 8.0: the
// architecture tuning guides of CUDA, "Unified Shared Memory/L1/Texture Cache". Units and parts of the register file:
// cuda_occupancy.h of the toolkit, against which a test compares the result.
constexpr Entry kTable[] = {
    {8, 0, {.threads = 2048, .blocks = 32, .registers = 65536, .shared_bytes = 164 * 1024}},   // A100, A30
    {8, 6, {.threads = 1536, .blocks = 16, .registers = 65536, .shared_bytes = 100 * 1024}},   // A40, A10
    {8, 9, {.threads = 1536, .blocks = 24, .registers = 65536, .shared_bytes = 100 * 1024}},   // L40, L4
    {9, 0, {.threads = 2048, .blocks = 32, .registers = 65536, .shared_bytes = 228 * 1024}},   // H100, H200
    {10, 0, {.threads = 2048, .blocks = 32, .registers = 65536, .shared_bytes = 228 * 1024}},  // B200
    {12, 0, {.threads = 1536, .blocks = 24, .registers = 65536, .shared_bytes = 100 * 1024}},  // RTX PRO 6000
};

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

const SmLimits* FindSmLimits(uint32_t major, uint32_t minor) {
  for (const Entry& entry : kTable) {
    if (entry.major == major && entry.minor == minor) return &entry.limits;
  }
  return nullptr;
}

uint64_t ResidentBlocks(const SmLimits& limits, const LaunchShape& shape) {
  if (shape.block_threads == 0 || shape.block_threads > kMostBlockThreads) return 0;
  if (shape.registers_per_thread > kMostRegisters || shape.shared_bytes > limits.shared_bytes) return 0;
  const uint64_t warps = RoundUp(shape.block_threads, kWarpThreads) / kWarpThreads;
  uint64_t blocks = std::min<uint64_t>(limits.blocks, limits.threads / kWarpThreads / warps);
  if (shape.registers_per_thread != 0) {
    const uint64_t per_warp = RoundUp(shape.registers_per_thread * kWarpThreads, limits.register_unit);
    if (per_warp * RoundUp(warps, limits.register_parts) > limits.registers) return 0;
    const uint64_t warps_held = limits.registers / limits.register_parts / per_warp * limits.register_parts;
    blocks = std::min(blocks, warps_held / warps);
  }
  return std::min(blocks,
                  limits.shared_bytes / RoundUp(shape.shared_bytes + limits.shared_reserved, limits.shared_unit));
}

std::optional<double> BusyShare(const SmLimits& limits, const LaunchShape& shape, uint64_t sm_count) {
  if (shape.grid_blocks == 0 || sm_count == 0 || sm_count > kMostSms) return std::nullopt;
  const uint64_t blocks = std::min(shape.grid_blocks, kMostBlocks);
  // A cluster starts as a whole, so a wave is of whole clusters.
  const uint64_t cluster = std::max<uint64_t>(shape.cluster_blocks, 1);
  const uint64_t wave = ResidentBlocks(limits, shape) * sm_count / cluster * cluster;
  if (wave == 0) return std::nullopt;
  const uint64_t full_waves = blocks / wave;
  const uint64_t rest = blocks % wave;
  const uint64_t waves = full_waves + (rest != 0 ? 1 : 0);
  const uint64_t busy = full_waves * std::min(sm_count, wave) + std::min(sm_count, rest);
  return static_cast<double>(busy) / (static_cast<double>(waves) * static_cast<double>(sm_count));
}

}  // namespace migprof::analyze
