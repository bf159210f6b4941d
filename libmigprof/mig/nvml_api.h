// SPDX-License-Identifier: Apache-2.0
// The part of NVML that migprof uses, declared here because few machines have its header. Layouts and codes are those
// of NVML 11 and later; any function may be missing on an old driver. Names are NVML's, without "nvml".
#pragma once

#include <cstdint>

#include "libmigprof/base/error.h"

namespace migprof::mig {

struct NvmlDeviceOpaque;
using NvmlDevice = NvmlDeviceOpaque*;  // a GPU, or a MIG device: one compute instance
struct NvmlGpuInstanceOpaque;
using NvmlGpuInstance = NvmlGpuInstanceOpaque*;
struct NvmlComputeInstanceOpaque;
using NvmlComputeInstance = NvmlComputeInstanceOpaque*;

// nvmlReturn_t.
inline constexpr int kNvmlSuccess = 0;
inline constexpr int kNvmlUninitialized = 1;
inline constexpr int kNvmlInvalidArgument = 2;
inline constexpr int kNvmlNotSupported = 3;
inline constexpr int kNvmlNoPermission = 4;
inline constexpr int kNvmlNotFound = 6;
inline constexpr int kNvmlInsufficientSize = 7;
inline constexpr int kNvmlDriverNotLoaded = 9;
inline constexpr int kNvmlFunctionNotFound = 13;  // also what migprof says of a function that the library lacks
inline constexpr int kNvmlGpuIsLost = 15;
inline constexpr int kNvmlResetRequired = 16;
inline constexpr int kNvmlOperatingSystem = 17;
inline constexpr int kNvmlLibRmVersionMismatch = 18;

inline constexpr int kNvmlUuidBufferBytes = 96;     // NVML_DEVICE_UUID_V2_BUFFER_SIZE
inline constexpr int kNvmlNameBufferBytes = 96;     // NVML_DEVICE_NAME_V2_BUFFER_SIZE
inline constexpr int kNvmlVersionBufferBytes = 80;  // NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE

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

struct NvmlMemory {
  uint64_t total;
  uint64_t free;
  uint64_t used;
};
static_assert(sizeof(NvmlMemory) == 24);

struct NvmlMemoryV2 {
  uint32_t version;  // kNvmlMemoryV2Version
  uint64_t total;
  uint64_t reserved;  // by the driver; a part of `used` of the first version
  uint64_t free;
  uint64_t used;
};
static_assert(sizeof(NvmlMemoryV2) == 40);
inline constexpr uint32_t kNvmlMemoryV2Version = sizeof(NvmlMemoryV2) | 2u << 24;

// nvmlProcessInfo_t of the functions that end in _v2 and _v3.
struct NvmlProcessInfo {
  uint32_t pid;
  uint64_t used_gpu_memory;  // kNvmlValueNotAvailable when not known
  uint32_t gpu_instance_id;  // kNvmlNoInstance outside MIG
  uint32_t compute_instance_id;
};
static_assert(sizeof(NvmlProcessInfo) == 24);
inline constexpr uint64_t kNvmlValueNotAvailable = UINT64_MAX;
inline constexpr uint32_t kNvmlNoInstance = UINT32_MAX;

struct NvmlPciInfo {
  char bus_id_legacy[16];
  uint32_t domain;
  uint32_t bus;
  uint32_t device;
  uint32_t pci_device_id;
  uint32_t pci_subsystem_id;
  char bus_id[32];
};
static_assert(sizeof(NvmlPciInfo) == 68);

// In memory slices for GPU instances, in compute slices for compute instances.
struct NvmlPlacement {
  uint32_t start;
  uint32_t size;
};

struct NvmlGpuInstanceProfileInfo {
  uint32_t version;  // kNvmlGpuInstanceProfileInfoVersion
  uint32_t id;
  uint32_t is_p2p_supported;
  uint32_t slice_count;
  uint32_t instance_count;
  uint32_t multiprocessor_count;
  uint32_t copy_engine_count;
  uint32_t decoder_count;
  uint32_t encoder_count;
  uint32_t jpeg_count;
  uint32_t ofa_count;
  uint64_t memory_size_mib;
  char name[96];
};
static_assert(sizeof(NvmlGpuInstanceProfileInfo) == 152);
inline constexpr uint32_t kNvmlGpuInstanceProfileInfoVersion = sizeof(NvmlGpuInstanceProfileInfo) | 2u << 24;

struct NvmlGpuInstanceInfo {
  NvmlDevice device;
  uint32_t id;
  uint32_t profile_id;
  NvmlPlacement placement;
};
static_assert(sizeof(NvmlGpuInstanceInfo) == 24);

struct NvmlComputeInstanceInfo {
  NvmlDevice device;
  NvmlGpuInstance gpu_instance;
  uint32_t id;
  uint32_t profile_id;
  NvmlPlacement placement;
};
static_assert(sizeof(NvmlComputeInstanceInfo) == 32);

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

  int (*system_get_driver_version)(char* version, uint32_t length) = nullptr;
  int (*system_get_cuda_driver_version)(int* version) = nullptr;  // 13000 for 13.0
  int (*device_get_count)(uint32_t* count) = nullptr;
  int (*device_get_handle_by_index)(uint32_t index, NvmlDevice* gpu) = nullptr;
  int (*device_get_pci_info)(NvmlDevice gpu, NvmlPciInfo* pci) = nullptr;
  int (*device_get_cuda_compute_capability)(NvmlDevice gpu, int* major, int* minor) = nullptr;
  int (*device_get_num_gpu_cores)(NvmlDevice gpu, uint32_t* cores) = nullptr;  // not in MIG mode
  int (*device_get_memory_info)(NvmlDevice device, NvmlMemory* memory) = nullptr;
  int (*device_get_memory_info_v2)(NvmlDevice device, NvmlMemoryV2* memory) = nullptr;
  // `*count` is the room in `infos`, then how many there are; INSUFFICIENT_SIZE when it is too little.
  int (*device_get_compute_running_processes)(NvmlDevice device, uint32_t* count, NvmlProcessInfo* infos) = nullptr;
  int (*device_get_mps_compute_running_processes)(NvmlDevice device, uint32_t* count, NvmlProcessInfo* infos) = nullptr;
  int (*device_get_mig_mode)(NvmlDevice gpu, uint32_t* current, uint32_t* pending) = nullptr;
  int (*device_get_max_mig_device_count)(NvmlDevice gpu, uint32_t* count) = nullptr;
  // Indices have holes: NOT_FOUND says nothing of the next one.
  int (*device_get_mig_device_handle_by_index)(NvmlDevice gpu, uint32_t index, NvmlDevice* mig_device) = nullptr;
  // `profile` is a number of NVML's list of profiles, not an id. NOT_SUPPORTED: this GPU does not have it.
  int (*device_get_gpu_instance_profile_info)(NvmlDevice gpu, uint32_t profile,
                                              NvmlGpuInstanceProfileInfo* info) = nullptr;
  // The next six need a privilege; so placements are often unreadable.
  int (*device_get_gpu_instance_possible_placements)(NvmlDevice gpu, uint32_t profile_id, NvmlPlacement* placements,
                                                     uint32_t* count) = nullptr;
  int (*device_get_gpu_instances)(NvmlDevice gpu, uint32_t profile_id, NvmlGpuInstance* instances,
                                  uint32_t* count) = nullptr;
  int (*device_get_gpu_instance_by_id)(NvmlDevice gpu, uint32_t id, NvmlGpuInstance* instance) = nullptr;
  int (*gpu_instance_get_info)(NvmlGpuInstance instance, NvmlGpuInstanceInfo* info) = nullptr;
  int (*gpu_instance_get_compute_instance_by_id)(NvmlGpuInstance instance, uint32_t id,
                                                 NvmlComputeInstance* compute_instance) = nullptr;
  int (*compute_instance_get_info)(NvmlComputeInstance instance, NvmlComputeInstanceInfo* info) = nullptr;

  // Set when the library is the simulated one of this project: its version.
  const char* (*simulator_version)() = nullptr;
};

// Loads libnvidia-ml.so.1 from where the loader finds it, else from the places drivers and containers put it. The
// library stays loaded. Fails when it is nowhere or cannot be initialised at all.
Error LoadNvml(NvmlApi* api);

}  // namespace migprof::mig
