// SPDX-License-Identifier: Apache-2.0
// Attributes of the activity API. They are kept and given back; only those about the client's buffers change anything.
#include <atomic>
#include <cstring>
#include <iterator>

#include "bodies.h"
#include "cupti/activity_buffers.h"
#include "cupti/activity_kinds.h"
#include "cupti/api_version.h"

namespace simgpu::cupti::api {
namespace {

struct Attribute {
  CUpti_ActivityAttribute id;
  size_t bytes;
  std::atomic<uint64_t> value;
};

// With the defaults of CUPTI.
constinit Attribute g_attributes[] = {
    {CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, sizeof(size_t), 3'200'000},
    {CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE_CDP, sizeof(size_t), 8 << 20},
    {CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_POOL_LIMIT, sizeof(size_t), 250},
    {CUPTI_ACTIVITY_ATTR_PROFILING_SEMAPHORE_POOL_SIZE, sizeof(size_t), 25000},
    {CUPTI_ACTIVITY_ATTR_PROFILING_SEMAPHORE_POOL_LIMIT, sizeof(size_t), 250},
    {CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER, sizeof(uint8_t), 0},
    {CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_PRE_ALLOCATE_VALUE, sizeof(size_t), 3},
    {CUPTI_ACTIVITY_ATTR_PROFILING_SEMAPHORE_PRE_ALLOCATE_VALUE, sizeof(size_t), 3},
    {CUPTI_ACTIVITY_ATTR_MEM_ALLOCATION_TYPE_HOST_PINNED, sizeof(uint8_t), 0},
    {CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER, sizeof(uint8_t), 0},
    {CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE_DEVICE_GRAPHS, sizeof(size_t), 16 << 20},
};

// Null for attributes that this version does not have.
Attribute* Find(CUpti_ActivityAttribute id) {
  const bool is_new = id == CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER ||
                      id == CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE_DEVICE_GRAPHS;
  if (is_new && ApiVersion() < kApi124) return nullptr;
  for (Attribute& attribute : g_attributes) {
    if (attribute.id == id) return &attribute;
  }
  return nullptr;
}

CUptiResult Check(CUpti_ActivityAttribute id, const size_t* size, const void* value, Attribute** found) {
  if (size == nullptr || value == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *found = Find(id);
  if (*found == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return *size >= (*found)->bytes ? CUPTI_SUCCESS : CUPTI_ERROR_PARAMETER_SIZE_NOT_SUFFICIENT;
}

}  // namespace

CUptiResult ActivityGetAttribute(CUpti_ActivityAttribute attr, size_t* valueSize, void* value) {
  Attribute* attribute = nullptr;
  if (const CUptiResult result = Check(attr, valueSize, value, &attribute); result != CUPTI_SUCCESS) return result;
  uint64_t number = attribute->value.load(std::memory_order_relaxed);
  if (attr == CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER) number = ActivityBuffers::Get().per_thread() ? 1 : 0;
  std::memcpy(value, &number, attribute->bytes);
  *valueSize = attribute->bytes;
  return CUPTI_SUCCESS;
}

CUptiResult ActivitySetAttribute(CUpti_ActivityAttribute attr, size_t* valueSize, void* value) {
  Attribute* attribute = nullptr;
  if (const CUptiResult result = Check(attr, valueSize, value, &attribute); result != CUPTI_SUCCESS) return result;
  uint64_t number = 0;
  std::memcpy(&number, value, attribute->bytes);
  attribute->value.store(number, std::memory_order_relaxed);
  if (attr == CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER) ActivityBuffers::Get().set_per_thread(number != 0);
  if (attr == CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER) ActivityBuffers::Get().set_client_zeroes(number != 0);
  return CUPTI_SUCCESS;
}

CUptiResult SetThreadIdType(CUpti_ActivityThreadIdType type) {
  if (type >= CUPTI_ACTIVITY_THREAD_ID_TYPE_SIZE) return CUPTI_ERROR_NOT_SUPPORTED;
  ActivityKinds::Get().thread_id_type.store(type, std::memory_order_relaxed);
  return CUPTI_SUCCESS;
}

CUptiResult GetThreadIdType(CUpti_ActivityThreadIdType* type) {
  if (type == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *type = ActivityKinds::Get().thread_id_type.load(std::memory_order_relaxed);
  return CUPTI_SUCCESS;
}

}  // namespace simgpu::cupti::api
