// SPDX-License-Identifier: Apache-2.0
#include "driver/copy.h"

#include <cupti_activity.h>

#include "driver/array.h"
#include "driver/capture.h"
#include "driver/context.h"
#include "driver/memory.h"
#include "driver/synchronize.h"
#include "driver/time_model.h"

namespace simgpu::driver {
namespace {

// One side of a copy as the program described it.
struct Side {
  CUmemorytype type;
  const void* host;
  CUdeviceptr device;
  CUarray array;
  size_t x_bytes, y, z;
  size_t pitch, height;
};

enum class Place { kHost, kDevice, kArray };

struct Resolved {
  CopySide side;
  Place place;
  uint8_t memory_kind;
  const Device* device = nullptr;  // where it lies, if on a device
  uint32_t context_id = 0;
};

Side SourceOf(const CUDA_MEMCPY3D& copy) {
  return {copy.srcMemoryType, copy.srcHost, copy.srcDevice, copy.srcArray, copy.srcXInBytes,
          copy.srcY,          copy.srcZ,    copy.srcPitch,  copy.srcHeight};
}

Side DestinationOf(const CUDA_MEMCPY3D& copy) {
  return {copy.dstMemoryType, copy.dstHost, copy.dstDevice, copy.dstArray, copy.dstXInBytes,
          copy.dstY,          copy.dstZ,    copy.dstPitch,  copy.dstHeight};
}

CUresult ResolveArray(const Side& given, const CUDA_MEMCPY3D& copy, Resolved* resolved) {
  const Array* const array = FindArray(given.array);
  if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (given.x_bytes + copy.WidthInBytes > array->row_bytes() || given.y + copy.Height > array->rows() ||
      given.z + copy.Depth > array->slices()) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  CopySide& side = resolved->side;
  side.row_pitch = array->row_bytes();
  side.slice_pitch = array->row_bytes() * array->rows();
  side.address = static_cast<char*>(HostPointer(array->address)) + given.z * side.slice_pitch +
                 given.y * side.row_pitch + given.x_bytes;
  resolved->place = Place::kArray;
  resolved->memory_kind = CUPTI_ACTIVITY_MEMORY_KIND_ARRAY;
  resolved->device = array->context->device;
  resolved->context_id = array->context->id;
  return CUDA_SUCCESS;
}

CUresult Resolve(const Side& given, const CUDA_MEMCPY3D& copy, Resolved* resolved) {
  if (given.type == CU_MEMORYTYPE_ARRAY) return ResolveArray(given, copy, resolved);
  const bool host_pointer = given.type == CU_MEMORYTYPE_HOST;
  const CUdeviceptr base = host_pointer ? DevicePointer(given.host) : given.device;
  if (base == 0) return CUDA_ERROR_INVALID_VALUE;
  CopySide& side = resolved->side;
  side.row_pitch = given.pitch != 0 ? given.pitch : copy.WidthInBytes;
  if (copy.Height > 1 && side.row_pitch < copy.WidthInBytes) return CUDA_ERROR_INVALID_VALUE;
  side.slice_pitch = side.row_pitch * (given.height != 0 ? given.height : copy.Height);
  const CUdeviceptr start = base + given.z * side.slice_pitch + given.y * side.row_pitch + given.x_bytes;
  side.address = static_cast<char*>(HostPointer(start));

  const std::optional<Allocation> allocation = AllocationAt(start);
  const bool on_device = allocation && (allocation->on_device() || allocation->kind == AllocationKind::kManaged);
  const size_t extent = (copy.Depth - 1) * side.slice_pitch + (copy.Height - 1) * side.row_pitch + copy.WidthInBytes;
  if (!host_pointer && allocation && extent > allocation->bytes - (start - allocation->address))
    return CUDA_ERROR_INVALID_VALUE;
  // A device address must be one; host memory may be any.
  if (given.type == CU_MEMORYTYPE_DEVICE && !allocation) return CUDA_ERROR_INVALID_VALUE;
  resolved->place = on_device && !host_pointer ? Place::kDevice : Place::kHost;
  resolved->memory_kind = MemoryKindAt(side.address);
  if (on_device) {
    resolved->device = allocation->device;
    resolved->context_id = allocation->context_id;
  }
  return CUDA_SUCCESS;
}

uint8_t CopyKind(Place from, Place to) {
  constexpr uint8_t kKinds[3][3] = {
      {CUPTI_ACTIVITY_MEMCPY_KIND_HTOH, CUPTI_ACTIVITY_MEMCPY_KIND_HTOD, CUPTI_ACTIVITY_MEMCPY_KIND_HTOA},
      {CUPTI_ACTIVITY_MEMCPY_KIND_DTOH, CUPTI_ACTIVITY_MEMCPY_KIND_DTOD, CUPTI_ACTIVITY_MEMCPY_KIND_DTOA},
      {CUPTI_ACTIVITY_MEMCPY_KIND_ATOH, CUPTI_ACTIVITY_MEMCPY_KIND_ATOD, CUPTI_ACTIVITY_MEMCPY_KIND_ATOA},
  };
  return kKinds[static_cast<int>(from)][static_cast<int>(to)];
}

void MakePeer(const Resolved& from, const Resolved& to, const CopyOptions& options, CopyWork* facts) {
  facts->peer = 1;
  facts->copy_kind = CUPTI_ACTIVITY_MEMCPY_KIND_PTOP;
  const bool given = options.source_context != nullptr;
  facts->source_context = given ? options.source_context->id : from.context_id;
  facts->source_device = given ? options.source_context->device->ordinal : from.device->ordinal;
  facts->destination_context = given ? options.destination_context->id : to.context_id;
  facts->destination_device = given ? options.destination_context->device->ordinal : to.device->ordinal;
}

}  // namespace

CUDA_MEMCPY3D LinearCopy(CUmemorytype to_type, CUdeviceptr to, CUmemorytype from_type, CUdeviceptr from, size_t bytes) {
  CUDA_MEMCPY3D copy = {};
  copy.srcMemoryType = from_type;
  copy.srcHost = HostPointer(from);
  copy.srcDevice = from;
  copy.dstMemoryType = to_type;
  copy.dstHost = HostPointer(to);
  copy.dstDevice = to;
  copy.WidthInBytes = bytes;
  copy.Height = 1;
  copy.Depth = 1;
  return copy;
}

CUDA_MEMCPY3D BoxOf(const CUDA_MEMCPY2D& copy) {
  CUDA_MEMCPY3D box = {};
  box.srcXInBytes = copy.srcXInBytes;
  box.srcY = copy.srcY;
  box.srcMemoryType = copy.srcMemoryType;
  box.srcHost = copy.srcHost;
  box.srcDevice = copy.srcDevice;
  box.srcArray = copy.srcArray;
  box.srcPitch = copy.srcPitch;
  box.dstXInBytes = copy.dstXInBytes;
  box.dstY = copy.dstY;
  box.dstMemoryType = copy.dstMemoryType;
  box.dstHost = copy.dstHost;
  box.dstDevice = copy.dstDevice;
  box.dstArray = copy.dstArray;
  box.dstPitch = copy.dstPitch;
  box.WidthInBytes = copy.WidthInBytes;
  box.Height = copy.Height;
  box.Depth = 1;
  return box;
}

CUresult PlanCopy(const CUDA_MEMCPY3D& copy, const Context& context, const CopyOptions& options, CopyPlan* plan,
                  CopyWork* facts) {
  Resolved from, to;
  if (const CUresult result = Resolve(SourceOf(copy), copy, &from); result != CUDA_SUCCESS) return result;
  if (const CUresult result = Resolve(DestinationOf(copy), copy, &to); result != CUDA_SUCCESS) return result;
  *plan = {from.side, to.side, copy.WidthInBytes, copy.Height, copy.Depth};
  *facts = {};
  facts->copy_kind = CopyKind(from.place, to.place);
  facts->source_kind = from.memory_kind;
  facts->destination_kind = to.memory_kind;
  facts->source_device = facts->destination_device = context.device->ordinal;
  facts->source_context = facts->destination_context = context.id;
  const bool both_on_devices = from.device != nullptr && to.device != nullptr;
  if (both_on_devices && (from.device != to.device || options.source_context != nullptr))
    MakePeer(from, to, options, facts);
  return CUDA_SUCCESS;
}

CUresult Copy(CUstream handle, const CUDA_MEMCPY3D& copy, const CopyOptions& options) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  if (copy.WidthInBytes == 0 || copy.Height == 0 || copy.Depth == 0) return CUDA_SUCCESS;
  CopyPlan plan;
  CopyWork facts;
  if (const CUresult result = PlanCopy(copy, *stream->context, options, &plan, &facts); result != CUDA_SUCCESS)
    return result;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      return options.async ? CaptureNode(stream, CopyNode{copy, stream->context}) : ForbidWait(stream);
    case CaptureDecision::kSubmit:
      break;
  }
  const Device* const device = stream->context->device;
  Work work = NewWork(WorkKind::kMemcpy, *stream);
  work.copy = facts;
  work.async = options.async;
  work.bytes = plan.bytes();
  work.name = CopyName(facts.copy_kind);
  Engine::Get().Submit(stream->lane, CopyOperation(device, work, CopyNs(*device, facts.copy_kind, work.bytes), plan));
  // A copy within devices is asynchronous to the host whatever the call is named.
  const bool host_takes_part =
      facts.copy_kind != CUPTI_ACTIVITY_MEMCPY_KIND_DTOD && facts.copy_kind != CUPTI_ACTIVITY_MEMCPY_KIND_PTOP;
  if (!options.async && host_takes_part) WaitForStream(stream);
  return CUDA_SUCCESS;
}

CUresult PlanMemset(const CUDA_MEMSET_NODE_PARAMS& params, MemsetPlan* plan) {
  if (params.elementSize != 1 && params.elementSize != 2 && params.elementSize != 4) return CUDA_ERROR_INVALID_VALUE;
  if (params.width == 0 || params.height == 0) return CUDA_ERROR_INVALID_VALUE;
  *plan = {static_cast<char*>(HostPointer(params.dst)),
           params.pitch,
           params.value,
           params.elementSize,
           params.width,
           params.height};
  const size_t extent = (params.height - 1) * params.pitch + params.width * params.elementSize;
  return IsKnownRange(params.dst, extent) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult Memset(CUstream handle, const MemsetPlan& plan, bool async) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  if (plan.width == 0 || plan.height == 0) return CUDA_SUCCESS;
  CUDA_MEMSET_NODE_PARAMS params = {};
  params.dst = DevicePointer(plan.address);
  params.pitch = plan.row_pitch;
  params.value = plan.value;
  params.elementSize = plan.element_bytes;
  params.width = plan.width;
  params.height = plan.height;
  MemsetPlan checked;
  if (params.dst % params.elementSize != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = PlanMemset(params, &checked); result != CUDA_SUCCESS) return result;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      return async ? CaptureNode(stream, MemsetNode{params, stream->context}) : ForbidWait(stream);
    case CaptureDecision::kSubmit:
      break;
  }
  const Device* const device = stream->context->device;
  Work work = NewWork(WorkKind::kMemset, *stream);
  work.memset = {plan.value, MemoryKindAt(plan.address)};
  work.async = async;
  work.bytes = plan.bytes();
  work.name = "memset";
  Engine::Get().Submit(stream->lane, MemsetOperation(device, work, MemsetNs(*device, work.bytes), plan));
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver
