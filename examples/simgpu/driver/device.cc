// SPDX-License-Identifier: Apache-2.0
#include "driver/device.h"

namespace simgpu::driver {
namespace {

constexpr uint32_t kKibibyte = 1024;

Limits LimitsOf(const Gpu& gpu) {
  Limits limits;
  const uint32_t capability = gpu.compute_major * 10 + gpu.compute_minor;
  if (capability >= 90) {
    limits.shared_per_sm = 228 * kKibibyte;
    limits.clusters_max_blocks = 8;
  } else if (capability == 80) {
    limits.shared_per_sm = 164 * kKibibyte;
  } else {
    limits.shared_per_sm = 100 * kKibibyte;
    limits.threads_per_sm = 1536;
    limits.blocks_per_sm = 16;
  }
  limits.shared_per_block_optin = limits.shared_per_sm - limits.shared_reserved_per_block;
  return limits;
}

}  // namespace

Device::Device(uint32_t device_ordinal, const DeviceRef& device_ref)
    : ordinal(device_ordinal),
      ref(device_ref),
      slice(device_ref.uuid_text()),
      limits(LimitsOf(*device_ref.gpu)),
      arena(device_ref.memory_bytes()) {}

Device::~Device() = default;

}  // namespace simgpu::driver
