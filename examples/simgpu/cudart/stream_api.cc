// SPDX-License-Identifier: Apache-2.0
// Streams, events, capture.
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {

cudaError_t StreamCreateWithPriority(cudaStream_t* pStream, unsigned int flags, int priority) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuStreamCreateWithPriority)(pStream, flags, priority));
}

cudaError_t StreamCreateWithFlags(cudaStream_t* pStream, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuStreamCreate)(pStream, flags));
}

cudaError_t StreamCreate(cudaStream_t* pStream) { return StreamCreateWithFlags(pStream, cudaStreamDefault); }

cudaError_t StreamDestroy(cudaStream_t stream) { return Result(SIMGPU_DRIVER(cuStreamDestroy_v2)(stream)); }

cudaError_t StreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamSynchronize)(stream));
}

cudaError_t StreamQuery(cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamQuery)(stream));
}

cudaError_t StreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamWaitEvent)(stream, event, flags));
}

cudaError_t StreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void* userData, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  // The two kinds of status have the same numbers.
  return Result(
      SIMGPU_DRIVER_PTSZ(cuStreamAddCallback)(stream, reinterpret_cast<CUstreamCallback>(callback), userData, flags));
}

cudaError_t LaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* userData) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuLaunchHostFunc)(stream, fn, userData));
}

cudaError_t StreamGetPriority(cudaStream_t hStream, int* priority) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamGetPriority)(hStream, priority));
}

cudaError_t StreamGetFlags(cudaStream_t hStream, unsigned int* flags) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamGetFlags)(hStream, flags));
}

cudaError_t StreamGetId(cudaStream_t hStream, unsigned long long* streamId) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamGetId)(hStream, streamId));
}

cudaError_t StreamGetDevice(cudaStream_t hStream, int* device) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamGetDevice)(hStream, device));
}

// The two kinds of attributes have the same numbers and layouts.
cudaError_t StreamGetAttribute(cudaStream_t hStream, cudaStreamAttrID attr, cudaStreamAttrValue* value_out) {
  static_assert(sizeof(cudaStreamAttrValue) == sizeof(CUstreamAttrValue));
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamGetAttribute)(hStream, static_cast<CUstreamAttrID>(attr),
                                                         reinterpret_cast<CUstreamAttrValue*>(value_out)));
}

cudaError_t StreamSetAttribute(cudaStream_t hStream, cudaStreamAttrID attr, const cudaStreamAttrValue* value) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamSetAttribute)(hStream, static_cast<CUstreamAttrID>(attr),
                                                         reinterpret_cast<const CUstreamAttrValue*>(value)));
}

cudaError_t StreamCopyAttributes(cudaStream_t dst, cudaStream_t src) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamCopyAttributes)(dst, src));
}

cudaError_t StreamAttachMemAsync(cudaStream_t stream, void* devPtr, size_t length, unsigned int flags) {
  return Result(
      SIMGPU_DRIVER_PTSZ(cuStreamAttachMemAsync)(stream, reinterpret_cast<CUdeviceptr>(devPtr), length, flags));
}

cudaError_t StreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamBeginCapture_v2)(stream, static_cast<CUstreamCaptureMode>(mode)));
}

cudaError_t StreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
                                      const cudaGraphEdgeData*, size_t numDependencies, cudaStreamCaptureMode mode) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamBeginCaptureToGraph)(stream, graph, dependencies, nullptr, numDependencies,
                                                                static_cast<CUstreamCaptureMode>(mode)));
}

cudaError_t StreamEndCapture(cudaStream_t stream, cudaGraph_t* pGraph) {
  return Result(SIMGPU_DRIVER_PTSZ(cuStreamEndCapture)(stream, pGraph));
}

cudaError_t StreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* pCaptureStatus) {
  if (pCaptureStatus == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  const CUresult result = SIMGPU_DRIVER_PTSZ(cuStreamIsCapturing)(stream, &status);
  *pCaptureStatus = static_cast<cudaStreamCaptureStatus>(status);
  return Result(result);
}

cudaError_t StreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* captureStatus_out,
                                 unsigned long long* id_out, cudaGraph_t* graph_out,
                                 const cudaGraphNode_t** dependencies_out, const cudaGraphEdgeData** edgeData_out,
                                 size_t* numDependencies_out) {
  if (captureStatus_out == nullptr) return Fail(cudaErrorInvalidValue);
  if (edgeData_out != nullptr) *edgeData_out = nullptr;
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
  const CUresult result = SIMGPU_DRIVER_PTSZ(cuStreamGetCaptureInfo_v3)(stream, &status, &id, graph_out,
                                                                        dependencies_out, nullptr, numDependencies_out);
  *captureStatus_out = static_cast<cudaStreamCaptureStatus>(status);
  if (id_out != nullptr) *id_out = id;
  return Result(result);
}

cudaError_t ThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  if (mode == nullptr) return Fail(cudaErrorInvalidValue);
  auto driver_mode = static_cast<CUstreamCaptureMode>(*mode);
  const CUresult result = SIMGPU_DRIVER(cuThreadExchangeStreamCaptureMode)(&driver_mode);
  *mode = static_cast<cudaStreamCaptureMode>(driver_mode);
  return Result(result);
}

cudaError_t EventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuEventCreate)(event, flags));
}

cudaError_t EventCreate(cudaEvent_t* event) { return EventCreateWithFlags(event, cudaEventDefault); }

cudaError_t EventDestroy(cudaEvent_t event) { return Result(SIMGPU_DRIVER(cuEventDestroy_v2)(event)); }

cudaError_t EventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int flags) {
  return Result(SIMGPU_DRIVER_PTSZ(cuEventRecordWithFlags)(event, stream, flags));
}

cudaError_t EventRecord(cudaEvent_t event, cudaStream_t stream) {
  return Result(SIMGPU_DRIVER_PTSZ(cuEventRecord)(event, stream));
}

cudaError_t EventQuery(cudaEvent_t event) { return Result(SIMGPU_DRIVER(cuEventQuery)(event)); }

cudaError_t EventSynchronize(cudaEvent_t event) { return Result(SIMGPU_DRIVER(cuEventSynchronize)(event)); }

cudaError_t EventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  return Result(SIMGPU_DRIVER(cuEventElapsedTime_v2)(ms, start, end));
}

}  // namespace simgpu::runtime::api
