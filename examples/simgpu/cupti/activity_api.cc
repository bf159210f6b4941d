// SPDX-License-Identifier: Apache-2.0
// The activity API: asking for records and getting them.
#include <chrono>
#include <thread>

#include "base/faults.h"
#include "bodies.h"
#include "cupti/activity_buffers.h"
#include "cupti/activity_kinds.h"
#include "cupti/driver_link.h"
#include "cupti/external_correlation.h"
#include "cupti/record_faults.h"
#include "cupti/records.h"
#include "cupti/subscriber.h"
#include "cupti/timestamps.h"
#include "cupti/tool.h"

namespace simgpu::cupti::api {

CUptiResult ActivityEnable(CUpti_ActivityKind kind) {
  const CUptiResult result = ActivityKinds::Get().Enable(kind);
  if (result == CUPTI_SUCCESS) Attach();
  return result;
}

CUptiResult ActivityEnableAndDump(CUpti_ActivityKind kind) {
  const CUptiResult result = ActivityEnable(kind);
  if (result != CUPTI_SUCCESS || !LinkedDriver()->Initialized()) return result;
  if (kind == CUPTI_ACTIVITY_KIND_DEVICE) DumpDevices();
  if (kind == CUPTI_ACTIVITY_KIND_CONTEXT) DumpContexts();
  if (kind == CUPTI_ACTIVITY_KIND_STREAM) DumpStreams();
  return CUPTI_SUCCESS;
}

CUptiResult ActivityDisable(CUpti_ActivityKind kind) { return ActivityKinds::Get().Disable(kind); }

// The setting of a context is that of the process: nothing here profiles two contexts differently.
CUptiResult ActivityEnableContext(CUcontext context, CUpti_ActivityKind kind) {
  uint32_t id;
  return LinkedDriver()->ContextId(context, &id) ? ActivityEnable(kind) : CUPTI_ERROR_INVALID_CONTEXT;
}

CUptiResult ActivityDisableContext(CUcontext context, CUpti_ActivityKind kind) {
  uint32_t id;
  return LinkedDriver()->ContextId(context, &id) ? ActivityDisable(kind) : CUPTI_ERROR_INVALID_CONTEXT;
}

CUptiResult ActivityEnableDriverApi(CUpti_CallbackId cbid, uint8_t enable) {
  if (cbid == 0 || cbid >= CallbackIdEnd(CUPTI_CB_DOMAIN_DRIVER_API)) return CUPTI_ERROR_INVALID_PARAMETER;
  ActivityKinds::Get().EnableFunction(CUPTI_CB_DOMAIN_DRIVER_API, cbid, enable != 0);
  Attach();
  return CUPTI_SUCCESS;
}

CUptiResult ActivityEnableRuntimeApi(CUpti_CallbackId cbid, uint8_t enable) {
  if (cbid == 0 || cbid >= CallbackIdEnd(CUPTI_CB_DOMAIN_RUNTIME_API)) return CUPTI_ERROR_INVALID_PARAMETER;
  ActivityKinds::Get().EnableFunction(CUPTI_CB_DOMAIN_RUNTIME_API, cbid, enable != 0);
  Attach();
  return CUPTI_SUCCESS;
}

CUptiResult ActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc funcBufferRequested,
                                      CUpti_BuffersCallbackCompleteFunc funcBufferCompleted) {
  if (funcBufferRequested == nullptr || funcBufferCompleted == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  ActivityBuffers::Get().SetCallbacks(funcBufferRequested, funcBufferCompleted);
  return CUPTI_SUCCESS;
}

CUptiResult ActivityFlushAll(uint32_t flag) {
  ActivityBuffers& buffers = ActivityBuffers::Get();
  if (!buffers.has_callbacks()) return CUPTI_ERROR_INVALID_OPERATION;
  if (const uint64_t hang_ms = FaultNumber("flush-hang", 10000))
    std::this_thread::sleep_for(std::chrono::milliseconds(hang_ms));
  Driver& driver = *LinkedDriver();
  const uint64_t start_ns = driver.NowNs();
  buffers.FlushAll((flag & CUPTI_ACTIVITY_FLAG_FLUSH_FORCED) != 0);
  if (ActivityKinds::Get().IsEnabled(CUPTI_ACTIVITY_KIND_OVERHEAD)) WriteFlushOverhead(start_ns, driver.NowNs());
  return CUPTI_SUCCESS;
}

CUptiResult ActivityFlush(CUcontext, uint32_t, uint32_t flag) { return ActivityFlushAll(flag); }

CUptiResult ActivityFlushPeriod(uint32_t time) {
  ActivityBuffers::Get().SetFlushPeriod(time);
  return CUPTI_SUCCESS;
}

CUptiResult ActivityGetNumDroppedRecords(CUcontext, uint32_t, size_t* dropped) {
  if (dropped == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *dropped = ActivityBuffers::Get().TakeDropped();
  return CUPTI_SUCCESS;
}

CUptiResult ActivityGetNextRecord(uint8_t* buffer, size_t validBufferSizeBytes, CUpti_Activity** record) {
  if (buffer == nullptr || record == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  auto* next = reinterpret_cast<uint8_t*>(*record);
  next = next == nullptr ? buffer : next + BytesOfRecord(next);
  if (next >= buffer + validBufferSizeBytes) return CUPTI_ERROR_MAX_LIMIT_REACHED;
  const size_t bytes = BytesOfRecord(next);
  if (bytes == 0 || bytes > static_cast<size_t>(buffer + validBufferSizeBytes - next)) return CUPTI_ERROR_INVALID_KIND;
  *record = reinterpret_cast<CUpti_Activity*>(next);
  return CUPTI_SUCCESS;
}

CUptiResult ActivityPushExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t id) {
  return PushExternalId(kind, id);
}

CUptiResult ActivityPopExternalCorrelationId(CUpti_ExternalCorrelationKind kind, uint64_t* lastId) {
  return PopExternalId(kind, lastId);
}

CUptiResult ActivityEnableLatencyTimestamps(uint8_t enable) {
  ActivityKinds::Get().latency_timestamps.store(enable != 0, std::memory_order_relaxed);
  return CUPTI_SUCCESS;
}

CUptiResult ActivityEnableCudaEventDeviceTimestamps(uint8_t enable) {
  ActivityKinds::Get().event_timestamps.store(enable != 0, std::memory_order_relaxed);
  return CUPTI_SUCCESS;
}

// What these switch leaves no trace in the simulated records.
CUptiResult ActivityEnableLaunchAttributes(uint8_t) { return CUPTI_SUCCESS; }

CUptiResult ActivityEnableAllocationSource(uint8_t) { return CUPTI_SUCCESS; }

CUptiResult ActivityEnableAllSyncRecords(uint8_t) { return CUPTI_SUCCESS; }

CUptiResult ActivityEnableDeviceGraph(uint8_t) { return CUPTI_SUCCESS; }

// Only Blackwell has it, and not in a MIG slice.
CUptiResult ActivityEnableHWTrace(uint8_t) {
  const std::vector<DeviceRef>& devices = LinkedDriver()->Devices();
  for (const DeviceRef& device : devices) {
    if (device.is_mig()) return CUPTI_ERROR_MIG_DEVICE_NOT_SUPPORTED;
  }
  return CUPTI_ERROR_NOT_SUPPORTED;
}

CUptiResult ActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc funcTimestamp) {
  if (funcTimestamp == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  UseClientClock(funcTimestamp);
  return CUPTI_SUCCESS;
}

CUptiResult Finalize() {
  cupti::Finalize();
  return CUPTI_SUCCESS;
}

}  // namespace simgpu::cupti::api
