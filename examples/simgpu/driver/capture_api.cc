// SPDX-License-Identifier: Apache-2.0
#include "bodies.h"
#include "driver/capture.h"
#include "driver/context.h"

namespace simgpu::driver::api {
namespace {

// What cuStreamGetCaptureInfo tells.
struct CaptureInfo {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
  CUgraph graph = nullptr;
};

// The handles of what a stream's next node would depend on. They stay valid until the next such question of the same
// thread.
std::vector<CUgraphNode>& FrontierHandles() {
  static thread_local auto& handles = *new std::vector<CUgraphNode>;
  return handles;
}

CUresult Ask(CUstream handle, CaptureInfo* info) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  const std::lock_guard lock(CaptureMutex());
  FrontierHandles().clear();
  if (stream->capture == nullptr) return CUDA_SUCCESS;
  *info = {stream->capture->status, stream->capture->id, HandleOf(stream->capture->graph)};
  for (GraphNode* const node : stream->capture_frontier) FrontierHandles().push_back(HandleOf(node));
  return CUDA_SUCCESS;
}

CUresult CollectNodes(const CUgraphNode* handles, size_t count, std::vector<GraphNode*>* nodes) {
  if (count != 0 && handles == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    GraphNode* const node = FindNode(handles[i]);
    if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
    nodes->push_back(node);
  }
  return CUDA_SUCCESS;
}

}  // namespace

CUresult StreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
  return BeginCapture(stream, mode, nullptr, {});
}

CUresult StreamBeginCapture(CUstream hStream) { return StreamBeginCapture_v2(hStream, CU_STREAM_CAPTURE_MODE_GLOBAL); }

CUresult StreamBeginCaptureToGraph(CUstream hStream, CUgraph hGraph, const CUgraphNode* dependencies,
                                   const CUgraphEdgeData*, size_t numDependencies, CUstreamCaptureMode mode) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  std::vector<GraphNode*> frontier;
  if (const CUresult result = CollectNodes(dependencies, numDependencies, &frontier); result != CUDA_SUCCESS)
    return result;
  return BeginCapture(stream, mode, graph, std::move(frontier));
}

CUresult StreamEndCapture(CUstream hStream, CUgraph* phGraph) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (phGraph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Graph* graph = nullptr;
  const CUresult result = EndCapture(stream, &graph);
  *phGraph = HandleOf(graph);
  return result;
}

CUresult StreamIsCapturing(CUstream hStream, CUstreamCaptureStatus* captureStatus) {
  if (captureStatus == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CaptureInfo info;
  const CUresult result = Ask(hStream, &info);
  *captureStatus = info.status;
  return result;
}

CUresult StreamGetCaptureInfo(CUstream hStream, CUstreamCaptureStatus* captureStatus_out, cuuint64_t* id_out) {
  return StreamGetCaptureInfo_v2(hStream, captureStatus_out, id_out, nullptr, nullptr, nullptr);
}

CUresult StreamGetCaptureInfo_v2(CUstream hStream, CUstreamCaptureStatus* captureStatus_out, cuuint64_t* id_out,
                                 CUgraph* graph_out, const CUgraphNode** dependencies_out,
                                 size_t* numDependencies_out) {
  if (captureStatus_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CaptureInfo info;
  const CUresult result = Ask(hStream, &info);
  if (result != CUDA_SUCCESS) return result;
  *captureStatus_out = info.status;
  if (id_out != nullptr) *id_out = info.id;
  if (graph_out != nullptr) *graph_out = info.graph;
  if (dependencies_out != nullptr) *dependencies_out = FrontierHandles().data();
  if (numDependencies_out != nullptr) *numDependencies_out = FrontierHandles().size();
  return CUDA_SUCCESS;
}

CUresult StreamGetCaptureInfo_v3(CUstream hStream, CUstreamCaptureStatus* captureStatus_out, cuuint64_t* id_out,
                                 CUgraph* graph_out, const CUgraphNode** dependencies_out,
                                 const CUgraphEdgeData** edgeData_out, size_t* numDependencies_out) {
  if (edgeData_out != nullptr) *edgeData_out = nullptr;
  return StreamGetCaptureInfo_v2(hStream, captureStatus_out, id_out, graph_out, dependencies_out, numDependencies_out);
}

CUresult StreamUpdateCaptureDependencies_v2(CUstream hStream, CUgraphNode* dependencies, const CUgraphEdgeData*,
                                            size_t numDependencies, unsigned int flags) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  std::vector<GraphNode*> nodes;
  if (const CUresult result = CollectNodes(dependencies, numDependencies, &nodes); result != CUDA_SUCCESS)
    return result;
  const std::lock_guard lock(CaptureMutex());
  if (stream->capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
  if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) stream->capture_frontier.clear();
  stream->capture_frontier.insert(stream->capture_frontier.end(), nodes.begin(), nodes.end());
  return CUDA_SUCCESS;
}

CUresult StreamUpdateCaptureDependencies(CUstream hStream, CUgraphNode* dependencies, size_t numDependencies,
                                         unsigned int flags) {
  return StreamUpdateCaptureDependencies_v2(hStream, dependencies, nullptr, numDependencies, flags);
}

CUresult ThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  if (mode == nullptr || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
  *mode = ExchangeThreadCaptureMode(*mode);
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
