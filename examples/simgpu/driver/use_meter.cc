// SPDX-License-Identifier: Apache-2.0
#include "driver/use_meter.h"

#include <algorithm>
#include <cstring>

#include "driver/device.h"

namespace simgpu::driver {
namespace {

constexpr uint32_t kWarpThreads = 32;

bool UsesTensorCores(const char* name) {
  return name != nullptr && (std::strstr(name, "gemm") != nullptr || std::strstr(name, "mma") != nullptr);
}

}  // namespace

void UseMeter::Add(const Device& device, const Work& work, uint64_t now_ns) {
  Piece piece{work.start_ns, work.end_ns, 0, 0, 0, 0};
  if (work.kind == WorkKind::kKernel) {
    const KernelWork& kernel = work.kernel;
    const double blocks = static_cast<double>(kernel.grid[0]) * kernel.grid[1] * kernel.grid[2];
    const double threads = static_cast<double>(kernel.block[0]) * kernel.block[1] * kernel.block[2];
    const uint32_t sms = std::max(device.ref.sm_count(), 1u);
    const double per_wave = static_cast<double>(std::max(kernel.blocks_per_sm, 1u)) * sms;
    // Full waves use every SM; the last one as many as it has blocks.
    const double full_waves = static_cast<double>(static_cast<uint64_t>(blocks / per_wave));
    const double rest = blocks - full_waves * per_wave;
    const double waves = full_waves + (rest > 0 ? 1 : 0);
    if (waves > 0) piece.sm_share = (full_waves + std::min(rest / sms, 1.0)) / waves;
    const double warps_per_sm = static_cast<double>(device.limits.threads_per_sm) / kWarpThreads;
    const double warps =
        blocks * static_cast<double>(static_cast<uint64_t>((threads + kWarpThreads - 1) / kWarpThreads));
    if (waves > 0) piece.warp_share = std::min(warps / waves / (warps_per_sm * sms), 1.0);
    if (UsesTensorCores(work.name)) piece.tensor_share = piece.sm_share;
  } else {
    piece.memory_bytes = static_cast<double>(work.bytes);
  }
  const std::lock_guard lock(mutex_);
  // Work may be queued far ahead, where nothing can be settled: so the next attempt comes when there is twice as much.
  if (pieces_.size() >= settle_at_) {
    Settle(now_ns);
    settle_at_ = std::max(kFewPieces, 2 * pieces_.size());
  }
  if (work.kind == WorkKind::kKernel) AddToUnion(work.start_ns, work.end_ns);
  pieces_.push_back(piece);
}

void UseMeter::AddToUnion(uint64_t start_ns, uint64_t end_ns) {
  start_ns = std::max(start_ns, settled_.now_ns);
  if (start_ns >= end_ns) return;
  auto next = kernel_time_.upper_bound(start_ns);
  if (next != kernel_time_.begin() && std::prev(next)->second >= start_ns) {
    --next;
    start_ns = next->first;
  }
  while (next != kernel_time_.end() && next->first <= end_ns) {
    end_ns = std::max(end_ns, next->second);
    next = kernel_time_.erase(next);
  }
  kernel_time_.emplace(start_ns, end_ns);
}

void UseMeter::Settle(uint64_t now_ns) {
  settled_.now_ns = std::max(settled_.now_ns, now_ns);
  std::erase_if(pieces_, [&](Piece& piece) {
    if (piece.start_ns >= now_ns) return false;
    const uint64_t end_ns = std::min(piece.end_ns, now_ns);
    const double part = static_cast<double>(end_ns - piece.start_ns);
    settled_.sm_ns += part * piece.sm_share;
    settled_.warp_ns += part * piece.warp_share;
    settled_.tensor_ns += part * piece.tensor_share;
    const double bytes = piece.memory_bytes * part / static_cast<double>(piece.end_ns - piece.start_ns);
    settled_.memory_bytes += bytes;
    piece.memory_bytes -= bytes;
    piece.start_ns = end_ns;
    return piece.start_ns >= piece.end_ns;
  });
  while (!kernel_time_.empty() && kernel_time_.begin()->first < now_ns) {
    const auto [start_ns, end_ns] = *kernel_time_.begin();
    kernel_time_.erase(kernel_time_.begin());
    settled_.kernel_ns += std::min(end_ns, now_ns) - start_ns;
    if (end_ns > now_ns) kernel_time_.emplace(now_ns, end_ns);
  }
}

DeviceUse UseMeter::UpTo(uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Settle(now_ns);
  settled_.now_ns = now_ns;
  return settled_;
}

}  // namespace simgpu::driver
