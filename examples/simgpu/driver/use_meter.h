// SPDX-License-Identifier: Apache-2.0
// Adds up what a device executes, for those who ask from time to time how busy it was. Fed with the same work as the
// ledger.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "simgpu_private.h"

namespace simgpu::driver {

struct Device;

class UseMeter {
 public:
  // Any thread. `work` may lie in the future: it is executed when it is submitted.
  void Add(const Device& device, const Work& work, uint64_t now_ns);
  // What was done before `now_ns`. Work that is half done counts by half.
  DeviceUse UpTo(uint64_t now_ns);

 private:
  struct Piece {
    uint64_t start_ns;
    uint64_t end_ns;
    double sm_share;
    double warp_share;
    double tensor_share;
    double memory_bytes;
  };

  static constexpr size_t kFewPieces = 4096;

  void AddToUnion(uint64_t start_ns, uint64_t end_ns);
  void Settle(uint64_t now_ns);

  std::mutex mutex_;
  DeviceUse settled_;
  std::vector<Piece> pieces_;  // not, or not all, settled
  size_t settle_at_ = kFewPieces;
  std::map<uint64_t, uint64_t> kernel_time_;  // start -> end of what is not settled: disjoint
};

}  // namespace simgpu::driver
