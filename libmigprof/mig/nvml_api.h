// SPDX-License-Identifier: Apache-2.0
// The part of NVML that migprof uses, declared here because few machines have its header. Layouts and codes are those
// of NVML 11 and later; any function may be missing on an old driver.
#pragma once

#include <cstdint>

#include "libmigprof/base/error.h"

namespace migprof::mig {

struct NvmlDeviceOpaque;
using NvmlDevice = NvmlDeviceOpaque*;

inline constexpr int kNvmlSuccess = 0;
inline constexpr int kNvmlUuidBufferBytes = 96;  // NVML_DEVICE_UUID_V2_BUFFER_SIZE
inline constexpr int kNvmlNameBufferBytes = 96;  // NVML_DEVICE_NAME_V2_BUFFER_SIZE

// nvmlDeviceAttributes_t, of a MIG device handle.
struct NvmlDeviceAttributes {
  uint32_t multiprocessor_count;
  uint32_t shared_copy_engine_count;
  uint32_t shared_decoder_count;
  uint32_t shared_encoder_count;
  uint32_t shared_jpeg_count;
  uint32_t shared_ofa_count;
  uint32_t gpu_instance_slice_count;
  uint32_t compute_instance_slice_count;
  uint64_t memory_size_mib;
};
static_assert(sizeof(NvmlDeviceAttributes) == 40);

// Null where the library lacks a function. Every function returns an nvmlReturn_t. Calls may take seconds on a busy
// node.
struct NvmlApi {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*device_get_handle_by_uuid)(const char* uuid, NvmlDevice* device) = nullptr;
  int (*device_get_gpu_instance_id)(NvmlDevice device, uint32_t* id) = nullptr;
  int (*device_get_compute_instance_id)(NvmlDevice device, uint32_t* id) = nullptr;
  int (*device_get_parent)(NvmlDevice mig_device, NvmlDevice* gpu) = nullptr;
  int (*device_get_uuid)(NvmlDevice device, char* uuid, uint32_t length) = nullptr;
  int (*device_get_name)(NvmlDevice device, char* name, uint32_t length) = nullptr;
  int (*device_get_attributes)(NvmlDevice device, NvmlDeviceAttributes* attributes) = nullptr;
};

// Loads libnvidia-ml.so.1 from where the loader finds it, else from the places drivers and containers put it. The
// library stays loaded. Fails when it is nowhere or cannot be initialised at all.
Error LoadNvml(NvmlApi* api);

}  // namespace migprof::mig
