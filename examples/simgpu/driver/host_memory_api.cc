// SPDX-License-Identifier: Apache-2.0
// Page-locked memory of the host, and what a pointer points to.
#include <cstring>

#include "bodies.h"
#include "driver/context.h"
#include "driver/memory.h"
#include "driver/memory_pool.h"
#include "driver/memory_report.h"

namespace simgpu::driver::api {
namespace {

constexpr unsigned kHostAllocFlags =
    CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;

template <class T>
CUresult Store(void* data, T value) {
  std::memcpy(data, &value, sizeof(value));
  return CUDA_SUCCESS;
}

CUresult GetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr ptr, const Allocation& allocation) {
  const bool managed = allocation.kind == AllocationKind::kManaged;
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      return Store(data, HandleOf(allocation.context));
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return Store<unsigned>(data, allocation.on_device() || managed ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST);
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      return Store(data, ptr);
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      return allocation.on_device() ? CUDA_ERROR_INVALID_VALUE : Store(data, HostPointer(ptr));
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
      return Store<unsigned>(data, 0);
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
      return Store<unsigned long long>(data, allocation.id);
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      return Store<unsigned>(data, managed ? 1 : 0);
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return Store<int>(data, static_cast<int>(allocation.device->ordinal));
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
      return Store<unsigned>(data, 0);
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return Store(data, allocation.address);
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      return Store(data, allocation.bytes);
    case CU_POINTER_ATTRIBUTE_MAPPED:
      return Store<unsigned>(data, 1);
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
      return Store<unsigned long long>(data, 0);
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return Store(data, HandleOf(allocation.pool));
    default:
      return CUDA_ERROR_NOT_SUPPORTED;
  }
}

}  // namespace

CUresult MemHostAlloc(void** pp, size_t bytesize, unsigned int Flags) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (pp == nullptr || bytesize == 0 || (Flags & ~kHostAllocFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = AllocateHost(context, bytesize, AllocationKind::kPinned, Flags, pp);
  if (result == CUDA_SUCCESS) ReportAllocation(*AllocationAt(DevicePointer(*pp)));
  return result;
}

CUresult MemAllocHost_v2(void** pp, size_t bytesize) { return MemHostAlloc(pp, bytesize, CU_MEMHOSTALLOC_DEVICEMAP); }

CUresult MemFreeHost(void* p) {
  if (CurrentContext() == nullptr) return NoContextError();
  const std::optional<Allocation> allocation = AllocationAt(DevicePointer(p));
  const CUresult result = FreeHost(p, AllocationKind::kPinned);
  if (result == CUDA_SUCCESS) ReportRelease(*allocation);
  return result;
}

CUresult MemHostRegister_v2(void* p, size_t bytesize, unsigned int) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (p == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
  return RegisterHost(context, p, bytesize, CU_MEMHOSTALLOC_DEVICEMAP);
}

CUresult MemHostUnregister(void* p) {
  if (CurrentContext() == nullptr) return NoContextError();
  return FreeHost(p, AllocationKind::kRegistered);
}

CUresult MemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned int Flags) {
  if (pdptr == nullptr || Flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const std::optional<Allocation> allocation = AllocationAt(DevicePointer(p));
  if (!allocation || allocation->on_device()) return CUDA_ERROR_INVALID_VALUE;
  *pdptr = DevicePointer(p);
  return CUDA_SUCCESS;
}

CUresult MemHostGetFlags(unsigned int* pFlags, void* p) {
  const std::optional<Allocation> allocation = AllocationAt(DevicePointer(p));
  if (pFlags == nullptr || !allocation || allocation->on_device()) return CUDA_ERROR_INVALID_VALUE;
  *pFlags = allocation->host_flags | CU_MEMHOSTALLOC_DEVICEMAP;
  return CUDA_SUCCESS;
}

CUresult PointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr ptr) {
  if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::optional<Allocation> allocation = AllocationAt(ptr);
  if (!allocation) return CUDA_ERROR_INVALID_VALUE;
  return GetAttribute(data, attribute, ptr, *allocation);
}

// Unlike the single form, it answers 0 for memory the driver does not know.
CUresult PointerGetAttributes(unsigned int numAttributes, CUpointer_attribute* attributes, void** data,
                              CUdeviceptr ptr) {
  if (numAttributes == 0 || attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::optional<Allocation> allocation = AllocationAt(ptr);
  for (unsigned i = 0; i < numAttributes; ++i) {
    const bool is_ordinal = attributes[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
    const bool is_small = is_ordinal || attributes[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE ||
                          attributes[i] == CU_POINTER_ATTRIBUTE_IS_MANAGED ||
                          attributes[i] == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS ||
                          attributes[i] == CU_POINTER_ATTRIBUTE_MAPPED ||
                          attributes[i] == CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE;
    std::memset(data[i], 0, is_small ? sizeof(unsigned) : sizeof(unsigned long long));
    if (is_ordinal) Store<int>(data[i], CU_DEVICE_INVALID);
    if (allocation) GetAttribute(data[i], attributes[i], ptr, *allocation);
  }
  return CUDA_SUCCESS;
}

CUresult PointerSetAttribute(const void* value, CUpointer_attribute attribute, CUdeviceptr ptr) {
  if (value == nullptr || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS) return CUDA_ERROR_INVALID_VALUE;
  return AllocationAt(ptr) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace simgpu::driver::api
