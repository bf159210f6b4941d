// SPDX-License-Identifier: Apache-2.0
// Versions, texts, times, and the ids by which records name things.
#include <cupti_version.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <thread>

#include "base/faults.h"
#include "bodies.h"
#include "cupti/api_version.h"
#include "cupti/driver_link.h"
#include "cupti/timestamps.h"

namespace simgpu::cupti::api {
namespace {

struct ErrorText {
  CUptiResult code;
  const char* name;
  const char* sentence;
};

constexpr ErrorText kErrors[] = {
#include "cupti_error_texts.inc"
};

const ErrorText* FindError(CUptiResult result) {
  const auto same = [&](const ErrorText& candidate) { return candidate.code == result; };
  const ErrorText* const found = std::find_if(std::begin(kErrors), std::end(kErrors), same);
  return found != std::end(kErrors) ? found : nullptr;
}

}  // namespace

CUptiResult GetVersion(uint32_t* version) {
  if (version == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *version = ApiVersion();
  return CUPTI_SUCCESS;
}

CUptiResult GetResultString(CUptiResult result, const char** str) {
  const ErrorText* const found = FindError(result);
  if (str == nullptr || found == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *str = found->name;
  return CUPTI_SUCCESS;
}

CUptiResult GetErrorMessage(CUptiResult result, const char** str) {
  const ErrorText* const found = FindError(result);
  if (str == nullptr || found == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *str = found->sentence;
  return CUPTI_SUCCESS;
}

CUptiResult GetTimestamp(uint64_t* timestamp) {
  if (timestamp == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  static const uint64_t stuck_at = FaultNumber("stuck-timestamp");
  static std::atomic<uint64_t> asked{0};
  if (stuck_at != 0 && asked.fetch_add(1, std::memory_order_relaxed) + 1 == stuck_at) {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
  }
  *timestamp = RecordNowNs();
  return CUPTI_SUCCESS;
}

CUptiResult GetContextId(CUcontext context, uint32_t* contextId) {
  if (contextId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return LinkedDriver()->ContextId(context, contextId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_CONTEXT;
}

CUptiResult GetDeviceId(CUcontext context, uint32_t* deviceId) {
  if (deviceId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  const CUcontext asked = context != nullptr ? context : LinkedDriver()->CurrentContext();
  return LinkedDriver()->ContextDevice(asked, deviceId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_DEVICE;
}

CUptiResult GetStreamIdEx(CUcontext context, CUstream stream, uint8_t perThreadStream, uint32_t* streamId) {
  if (streamId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return LinkedDriver()->StreamId(context, stream, perThreadStream != 0, streamId) ? CUPTI_SUCCESS
                                                                                   : CUPTI_ERROR_INVALID_STREAM;
}

CUptiResult GetStreamId(CUcontext context, CUstream stream, uint32_t* streamId) {
  return GetStreamIdEx(context, stream, 0, streamId);
}

CUptiResult GetGraphId(CUgraph graph, uint32_t* pId) {
  if (pId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return LinkedDriver()->GraphId(graph, pId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

CUptiResult GetGraphExecId(CUgraphExec graphExec, uint32_t* pId) {
  if (pId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return LinkedDriver()->GraphExecId(graphExec, pId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

CUptiResult GetGraphNodeId(CUgraphNode node, uint64_t* nodeId) {
  if (nodeId == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  return LinkedDriver()->GraphNodeId(node, nodeId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

CUptiResult DeviceSupported(CUdevice dev, int* support) {
  if (support == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  if (dev < 0 || static_cast<size_t>(dev) >= LinkedDriver()->Devices().size()) return CUPTI_ERROR_INVALID_DEVICE;
  *support = 1;
  return CUPTI_SUCCESS;
}

CUptiResult ComputeCapabilitySupported(int major, int, int* support) {
  if (support == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *support = major >= 7 ? 1 : 0;
  return CUPTI_SUCCESS;
}

CUptiResult DeviceVirtualizationMode(CUdevice, CUpti_DeviceVirtualizationMode* mode) {
  if (mode == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *mode = CUPTI_DEVICE_VIRTUALIZATION_MODE_NONE;
  return CUPTI_SUCCESS;
}

CUptiResult GetLastError() { return CUPTI_SUCCESS; }

}  // namespace simgpu::cupti::api
