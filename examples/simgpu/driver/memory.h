// SPDX-License-Identifier: Apache-2.0
// Which addresses belong to what: device memory, and host memory the driver knows of.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace simgpu::driver {

struct Context;
struct Device;
struct MemoryPool;

enum class AllocationKind : uint8_t {
  kDevice,      // cuMemAlloc
  kPooled,      // cuMemAllocAsync
  kStatic,      // a variable of a module
  kManaged,     // cuMemAllocManaged
  kPinned,      // cuMemAllocHost, cuMemHostAlloc
  kRegistered,  // cuMemHostRegister: the program's own memory
};

struct Allocation {
  AllocationKind kind = AllocationKind::kDevice;
  CUdeviceptr address = 0;
  size_t bytes = 0;
  Context* context = nullptr;
  uint32_t context_id = 0;
  Device* device = nullptr;
  MemoryPool* pool = nullptr;
  uint64_t id = 0;  // unique in the process
  unsigned host_flags = 0;

  bool on_device() const { return kind <= AllocationKind::kStatic; }
};

inline void* HostPointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
inline CUdeviceptr DevicePointer(const void* address) { return reinterpret_cast<CUdeviceptr>(address); }

// Takes memory from the context's device. CUDA_ERROR_OUT_OF_MEMORY when it has no more.
CUresult AllocateDevice(Context* context, size_t bytes, AllocationKind kind, CUdeviceptr* address,
                        MemoryPool* pool = nullptr);
// The start of an allocation of any device kind. CUDA_ERROR_INVALID_VALUE when it is not one.
CUresult FreeDevice(CUdeviceptr address);

CUresult AllocateHost(Context* context, size_t bytes, AllocationKind kind, unsigned flags, void** address);
CUresult RegisterHost(Context* context, void* address, size_t bytes, unsigned flags);
// Frees or forgets host memory of that kind.
CUresult FreeHost(void* address, AllocationKind kind);

// The allocation that `address` points into.
std::optional<Allocation> AllocationAt(CUdeviceptr address);

// Whether `bytes` bytes at `address` lie in one allocation.
bool IsKnownRange(CUdeviceptr address, size_t bytes);

// What CUPTI calls the memory `address` points into.
uint8_t MemoryKindAt(const void* address);

// Frees everything that was allocated in `context`.
void ReleaseContextMemory(Context* context);

}  // namespace simgpu::driver
