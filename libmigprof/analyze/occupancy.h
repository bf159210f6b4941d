// SPDX-License-Identifier: Apache-2.0
// How much of a slice the grid of a kernel can keep busy. docs/metrics.md has the definition and its error.
#pragma once

#include <cstdint>
#include <optional>

namespace migprof::analyze {

// What one streaming multiprocessor holds at a time.
struct SmLimits {
  uint32_t threads = 0;
  uint32_t blocks = 0;
  uint32_t registers = 0;
  uint32_t shared_bytes = 0;  // with the largest carve-out
  // Register file parts; a warp's registers lie in one, in units.
  uint32_t register_parts = 4;
  uint32_t register_unit = 256;
  // Shared memory is given to blocks in units, and the driver keeps some of it for itself in each.
  uint32_t shared_unit = 128;
  uint32_t shared_reserved = 1024;
};

// Null for a compute capability that is not in the table.
const SmLimits* FindSmLimits(uint32_t major, uint32_t minor);

// What a launch asks for.
struct LaunchShape {
  uint64_t grid_blocks = 0;
  uint64_t block_threads = 0;
  uint64_t registers_per_thread = 0;
  uint64_t shared_bytes = 0;    // per block, static and dynamic
  uint64_t cluster_blocks = 0;  // 0 or 1: no clusters
};

// Blocks of a launch that fit on one multiprocessor at a time; 0 when not even one does.
uint64_t ResidentBlocks(const SmLimits& limits, const LaunchShape& shape);

// The share, above 0 and at most 1, of `sm_count` multiprocessors that the launch has work for, averaged over its
// waves. None when that cannot be said: no grid, no multiprocessors, or a block that does not fit.
std::optional<double> BusyShare(const SmLimits& limits, const LaunchShape& shape, uint64_t sm_count);

}  // namespace migprof::analyze
