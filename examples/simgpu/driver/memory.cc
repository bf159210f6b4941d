// SPDX-License-Identifier: Apache-2.0
#include "driver/memory.h"

#include <cupti_activity.h>

#include <cstdlib>
#include <iterator>
#include <map>
#include <shared_mutex>
#include <vector>

#include "driver/context.h"

namespace simgpu::driver {
namespace {

constexpr size_t kHostAlignment = 4096;

// Every allocation by its address.
class AddressMap {
 public:
  static AddressMap& Get() {
    static AddressMap& map = *new AddressMap;  // for the life of the process
    return map;
  }

  void Add(Allocation allocation) {
    const std::lock_guard lock(mutex_);
    allocation.id = next_id_++;
    allocations_[allocation.address] = allocation;
  }

  // Removes the allocation that starts at `address`, if `accept` likes it.
  template <class Predicate>
  std::optional<Allocation> Remove(CUdeviceptr address, Predicate accept) {
    const std::lock_guard lock(mutex_);
    const auto found = allocations_.find(address);
    if (found == allocations_.end() || !accept(found->second)) return std::nullopt;
    const Allocation allocation = found->second;
    allocations_.erase(found);
    return allocation;
  }

  std::optional<Allocation> At(CUdeviceptr address) const {
    const std::shared_lock lock(mutex_);
    const auto after = allocations_.upper_bound(address);
    if (after == allocations_.begin()) return std::nullopt;
    const Allocation& allocation = std::prev(after)->second;
    if (address - allocation.address >= allocation.bytes) return std::nullopt;
    return allocation;
  }

  std::vector<Allocation> OfContext(uint32_t context_id) const {
    const std::shared_lock lock(mutex_);
    std::vector<Allocation> found;
    for (const auto& [address, allocation] : allocations_) {
      if (allocation.context_id == context_id) found.push_back(allocation);
    }
    return found;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<CUdeviceptr, Allocation> allocations_;
  uint64_t next_id_ = 1;
};

Allocation Describe(Context* context, AllocationKind kind, const void* address, size_t bytes) {
  Allocation allocation;
  allocation.kind = kind;
  allocation.address = DevicePointer(address);
  allocation.bytes = bytes;
  allocation.context = context;
  allocation.context_id = context->id;
  allocation.device = context->device;
  return allocation;
}

void GiveBack(const Allocation& allocation) {
  switch (allocation.kind) {
    case AllocationKind::kDevice:
    case AllocationKind::kPooled:
    case AllocationKind::kStatic:
      allocation.device->arena.Free(HostPointer(allocation.address));
      break;
    case AllocationKind::kManaged:
    case AllocationKind::kPinned:
      std::free(HostPointer(allocation.address));
      break;
    case AllocationKind::kRegistered:
      break;
  }
}

}  // namespace

CUresult AllocateDevice(Context* context, size_t bytes, AllocationKind kind, CUdeviceptr* address, MemoryPool* pool) {
  void* const memory = context->device->arena.Allocate(bytes);
  if (memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  Allocation allocation = Describe(context, kind, memory, bytes);
  allocation.pool = pool;
  AddressMap::Get().Add(allocation);
  *address = DevicePointer(memory);
  return CUDA_SUCCESS;
}

CUresult FreeDevice(CUdeviceptr address) {
  const auto is_device = [](const Allocation& a) { return a.on_device() || a.kind == AllocationKind::kManaged; };
  const std::optional<Allocation> allocation = AddressMap::Get().Remove(address, is_device);
  if (!allocation) return CUDA_ERROR_INVALID_VALUE;
  GiveBack(*allocation);
  return CUDA_SUCCESS;
}

CUresult AllocateHost(Context* context, size_t bytes, AllocationKind kind, unsigned flags, void** address) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kHostAlignment, bytes) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
  Allocation allocation = Describe(context, kind, memory, bytes);
  allocation.host_flags = flags;
  AddressMap::Get().Add(allocation);
  *address = memory;
  return CUDA_SUCCESS;
}

CUresult RegisterHost(Context* context, void* address, size_t bytes, unsigned flags) {
  if (AllocationAt(DevicePointer(address))) return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  Allocation allocation = Describe(context, AllocationKind::kRegistered, address, bytes);
  allocation.host_flags = flags;
  AddressMap::Get().Add(allocation);
  return CUDA_SUCCESS;
}

CUresult FreeHost(void* address, AllocationKind kind) {
  const auto same_kind = [&](const Allocation& a) { return a.kind == kind; };
  const std::optional<Allocation> allocation = AddressMap::Get().Remove(DevicePointer(address), same_kind);
  if (!allocation) {
    return kind == AllocationKind::kRegistered ? CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED : CUDA_ERROR_INVALID_VALUE;
  }
  GiveBack(*allocation);
  return CUDA_SUCCESS;
}

std::optional<Allocation> AllocationAt(CUdeviceptr address) { return AddressMap::Get().At(address); }

bool IsKnownRange(CUdeviceptr address, size_t bytes) {
  const std::optional<Allocation> allocation = AllocationAt(address);
  return allocation && bytes <= allocation->bytes - (address - allocation->address);
}

uint8_t MemoryKindAt(const void* address) {
  const std::optional<Allocation> allocation = AllocationAt(DevicePointer(address));
  if (!allocation) return CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE;
  switch (allocation->kind) {
    case AllocationKind::kDevice:
    case AllocationKind::kPooled:
      return CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    case AllocationKind::kStatic:
      return CUPTI_ACTIVITY_MEMORY_KIND_DEVICE_STATIC;
    case AllocationKind::kManaged:
      return CUPTI_ACTIVITY_MEMORY_KIND_MANAGED;
    case AllocationKind::kPinned:
    case AllocationKind::kRegistered:
      return CUPTI_ACTIVITY_MEMORY_KIND_PINNED;
  }
  return CUPTI_ACTIVITY_MEMORY_KIND_UNKNOWN;
}

void ReleaseContextMemory(Context* context) {
  for (const Allocation& allocation : AddressMap::Get().OfContext(context->id)) {
    // Pooled memory belongs to its pool, which belongs to the device.
    if (allocation.kind == AllocationKind::kPooled) continue;
    if (AddressMap::Get().Remove(allocation.address, [](const Allocation&) { return true; })) GiveBack(allocation);
  }
}

}  // namespace simgpu::driver
