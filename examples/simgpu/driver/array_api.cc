// SPDX-License-Identifier: Apache-2.0
#include "bodies.h"
#include "driver/array.h"
#include "driver/capture.h"
#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/memory.h"

namespace simgpu::driver {
namespace {

// 0 for formats that are not simulated.
size_t FormatBytes(CUarray_format format) {
  switch (format) {
    case CU_AD_FORMAT_UNSIGNED_INT8:
    case CU_AD_FORMAT_SIGNED_INT8:
      return 1;
    case CU_AD_FORMAT_UNSIGNED_INT16:
    case CU_AD_FORMAT_SIGNED_INT16:
    case CU_AD_FORMAT_HALF:
      return 2;
    case CU_AD_FORMAT_UNSIGNED_INT32:
    case CU_AD_FORMAT_SIGNED_INT32:
    case CU_AD_FORMAT_FLOAT:
      return 4;
    default:
      return 0;
  }
}

}  // namespace

Array* FindArray(CUarray handle) { return HandlePool<Array>::Find(handle); }

namespace api {

CUresult Array3DCreate_v2(CUarray* pHandle, const CUDA_ARRAY3D_DESCRIPTOR* pAllocateArray) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (pHandle == nullptr || pAllocateArray == nullptr || pAllocateArray->Width == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  Array array;
  array.context = context;
  array.descriptor = *pAllocateArray;
  array.element_bytes = FormatBytes(pAllocateArray->Format) * pAllocateArray->NumChannels;
  if (array.element_bytes == 0) return CUDA_ERROR_NOT_SUPPORTED;
  const size_t bytes = array.row_bytes() * array.rows() * array.slices();
  const CUresult result = AllocateDevice(context, bytes, AllocationKind::kDevice, &array.address);
  if (result != CUDA_SUCCESS) return result;
  *pHandle = reinterpret_cast<CUarray>(HandlePool<Array>::New(array));
  return CUDA_SUCCESS;
}

CUresult ArrayCreate_v2(CUarray* pHandle, const CUDA_ARRAY_DESCRIPTOR* pAllocateArray) {
  if (pAllocateArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_ARRAY3D_DESCRIPTOR descriptor = {};
  descriptor.Width = pAllocateArray->Width;
  descriptor.Height = pAllocateArray->Height;
  descriptor.Format = pAllocateArray->Format;
  descriptor.NumChannels = pAllocateArray->NumChannels;
  return Array3DCreate_v2(pHandle, &descriptor);
}

CUresult Array3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* pArrayDescriptor, CUarray hArray) {
  const Array* const array = FindArray(hArray);
  if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pArrayDescriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pArrayDescriptor = array->descriptor;
  return CUDA_SUCCESS;
}

CUresult ArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* pArrayDescriptor, CUarray hArray) {
  const Array* const array = FindArray(hArray);
  if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (pArrayDescriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_ARRAY3D_DESCRIPTOR& full = array->descriptor;
  *pArrayDescriptor = {full.Width, full.Height, full.Format, full.NumChannels};
  return CUDA_SUCCESS;
}

CUresult ArrayDestroy(CUarray hArray) {
  Array* const array = FindArray(hArray);
  if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  FreeDevice(array->address);
  HandlePool<Array>::Delete(array);
  return CUDA_SUCCESS;
}

}  // namespace api
}  // namespace simgpu::driver
