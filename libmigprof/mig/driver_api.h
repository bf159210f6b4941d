// SPDX-License-Identifier: Apache-2.0
// The few functions of libcuda that say who a device is, declared here so that nothing but the driver itself is needed.
#pragma once

#include <cstddef>

#include "libmigprof/base/error.h"

namespace migprof::mig {

using CuDevice = int;
inline constexpr int kCudaSuccess = 0;

// Device attributes as numbered in cuda.h since CUDA 2.
inline constexpr int kAttributeMultiprocessorCount = 16;
inline constexpr int kAttributeComputeCapabilityMajor = 75;
inline constexpr int kAttributeComputeCapabilityMinor = 76;

// Null where the driver lacks a function. Every function returns a CUresult. None may be called from a CUPTI callback.
struct DriverApi {
  int (*driver_get_version)(int* version) = nullptr;
  int (*device_get_count)(int* count) = nullptr;
  int (*device_get)(CuDevice* device, int ordinal) = nullptr;
  int (*device_get_name)(char* name, int length, CuDevice device) = nullptr;
  // cuDeviceGetUuid_v2: in MIG mode the UUID of the compute instance. The unsuffixed symbol is the older one.
  int (*device_get_uuid)(unsigned char uuid[16], CuDevice device) = nullptr;
  int (*device_get_attribute)(int* value, int attribute, CuDevice device) = nullptr;
  int (*device_total_memory)(size_t* bytes, CuDevice device) = nullptr;
  int (*device_get_pci_bus_id)(char* id, int length, CuDevice device) = nullptr;
  // Set when the driver is the simulated one of this project: its version.
  const char* (*simulator_version)() = nullptr;

  // Whether it has what is needed to tell devices apart.
  bool can_identify() const {
    return device_get != nullptr && device_get_name != nullptr && device_get_uuid != nullptr;
  }
};

// Fills the table from the libcuda.so.1 that is loaded already; never loads one. Fails when there is none, or it lacks
// what is needed to tell devices apart.
Error FindLoadedDriver(DriverApi* api);

}  // namespace migprof::mig
