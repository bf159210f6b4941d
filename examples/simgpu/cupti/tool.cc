// SPDX-License-Identifier: Apache-2.0
#include "cupti/tool.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "base/faults.h"
#include "base/visible_devices.h"
#include "cupti/activity_buffers.h"
#include "cupti/activity_kinds.h"
#include "cupti/driver_link.h"
#include "cupti/records.h"
#include "cupti/subscriber.h"

namespace simgpu::cupti {
namespace {

bool Wants(CUpti_ActivityKind kind) { return ActivityKinds::Get().IsEnabled(kind); }

// The other client of "steal-buffers": takes records and drops them.
void StealRequest(uint8_t** buffer, size_t* size, size_t* max_records) {
  constexpr size_t kBytes = 64 * 1024;
  *buffer = static_cast<uint8_t*>(std::malloc(kBytes));
  *size = kBytes;
  *max_records = 0;
}

// Buffers of the first client come here as well. They are not ours to free, and so kept.
void StealComplete(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t) {
  static std::mutex& mutex = *new std::mutex;
  static std::vector<uint8_t*>& loot = *new std::vector<uint8_t*>;
  const std::lock_guard lock(mutex);
  loot.push_back(buffer);
}

void StealBuffersIfAsked() {
  static const uint64_t after = FaultNumber("steal-buffers");
  static std::atomic<uint64_t> seen{0};
  if (after != 0 && seen.fetch_add(1, std::memory_order_relaxed) + 1 == after) {
    ActivityBuffers::Get().SetCallbacks(&StealRequest, &StealComplete);
  }
}

void FailIfAsked() {
  static const uint64_t at_call = FaultNumber("fatal-error");
  static std::atomic<uint64_t> calls{0};
  if (at_call == 0 || calls.fetch_add(1, std::memory_order_relaxed) + 1 != at_call) return;
  CUpti_StateData data = {};
  data.notification.result = CUPTI_ERROR_UNKNOWN;
  data.notification.message = "simulated fatal error";
  Subscription::Get().Call(CUPTI_CB_DOMAIN_STATE, CUPTI_CBID_STATE_FATAL_ERROR, &data);
  Finalize();
}

CUpti_CallbackData CallbackData(const ApiCall& call, CUpti_ApiCallbackSite site, void* result) {
  CUpti_CallbackData data = {};
  data.callbackSite = site;
  data.functionName = call.function;
  data.functionParams = call.parameters;
  data.functionReturnValue = result;
  static const bool no_names = FaultSwitch("null-symbol").has_value();
  data.symbolName = no_names ? nullptr : call.symbol;
  data.context = call.context;
  data.contextUid = call.context_id;
  data.correlationData = call.correlation_data;
  data.correlationId = call.correlation_id;
  return data;
}

class CuptiTool final : public Tool {
 public:
  void Enter(const ApiCall& call) override {
    const CUpti_CallbackData data = CallbackData(call, CUPTI_API_ENTER, nullptr);
    Subscription::Get().Call(call.domain, call.callback_id, &data);
  }

  void Exit(const ApiCall& call, void* result) override {
    const CUpti_CallbackData data = CallbackData(call, CUPTI_API_EXIT, result);
    Subscription::Get().Call(call.domain, call.callback_id, &data);
    FailIfAsked();
  }

  void Record(const ApiCall& call, uint64_t end_ns, uint32_t result) override { WriteApi(call, end_ns, result); }

  void Resource(CUpti_CallbackIdResource id, CUcontext context, CUstream stream, void* descriptor) override {
    CUpti_ResourceData data = {};
    data.context = context;
    data.resourceHandle.stream = stream;
    data.resourceDescriptor = descriptor;
    Subscription::Get().Call(CUPTI_CB_DOMAIN_RESOURCE, id, &data);
  }

  void Synchronized(CUpti_CallbackIdSync id, CUcontext context, CUstream stream) override {
    CUpti_SynchronizeData data = {};
    data.context = context;
    data.stream = stream;
    Subscription::Get().Call(CUPTI_CB_DOMAIN_SYNCHRONIZE, id, &data);
  }

  void DriverInitialized() override {
    if (Wants(CUPTI_ACTIVITY_KIND_DEVICE)) DumpDevices();
    Resource(CUPTI_CBID_RESOURCE_CU_INIT_FINISHED, nullptr, nullptr, nullptr);
  }

  void Executed(const Work& work) override {
    StealBuffersIfAsked();
    // Whole launches instead of single nodes.
    if (work.graph_node_id != 0 && Wants(CUPTI_ACTIVITY_KIND_GRAPH_TRACE)) return;
    switch (work.kind) {
      case WorkKind::kKernel:
        if (ActivityKinds::Get().KernelKind() != 0) WriteKernel(work);
        break;
      case WorkKind::kMemcpy:
        WriteCopy(work);
        break;
      case WorkKind::kMemset:
        if (Wants(CUPTI_ACTIVITY_KIND_MEMSET)) WriteMemset(work);
        break;
    }
  }

  void GraphLaunched(const GraphLaunch& launch) override {
    if (Wants(CUPTI_ACTIVITY_KIND_GRAPH_TRACE)) WriteGraphTrace(launch);
  }

  void Waited(const Synchronization& synchronization) override {
    if (Wants(CUPTI_ACTIVITY_KIND_SYNCHRONIZATION)) WriteSynchronization(synchronization);
  }

  void EventRecorded(const EventRecord& record) override {
    if (Wants(CUPTI_ACTIVITY_KIND_CUDA_EVENT)) WriteCudaEvent(record);
  }

  void MemoryChanged(const MemoryOperation& operation) override {
    if (Wants(CUPTI_ACTIVITY_KIND_MEMORY2)) WriteMemory(operation);
  }

  void PoolChanged(const PoolOperation& operation) override {
    if (Wants(CUPTI_ACTIVITY_KIND_MEMORY_POOL)) WritePool(operation);
  }

  void ContextCreated(const ContextFacts& context) override {
    if (Wants(CUPTI_ACTIVITY_KIND_CONTEXT)) WriteContext(context);
  }

  void StreamCreated(const StreamFacts& stream) override {
    if (Wants(CUPTI_ACTIVITY_KIND_STREAM)) WriteStream(stream);
  }
};

}  // namespace

Tool& TheTool() {
  static CuptiTool& tool = *new CuptiTool;  // for the life of the process
  return tool;
}

void DumpDevices() {
  Driver& driver = *LinkedDriver();
  const std::vector<DeviceRef>& visible = driver.Devices();
  for (size_t i = 0; i < visible.size(); ++i) WriteDevice(visible[i], static_cast<uint32_t>(i), true);
  const Topology* const topology = driver.TopologyOrNull();
  if (topology == nullptr) return;
  uint32_t next = static_cast<uint32_t>(visible.size());
  for (const DeviceRef& device : AllDevices(*topology)) {
    const auto same = [&](const DeviceRef& other) {
      return other.gpu == device.gpu && other.compute == device.compute;
    };
    if (std::none_of(visible.begin(), visible.end(), same)) WriteDevice(device, next++, false);
  }
}

void DumpContexts() {
  for (const ContextFacts& context : LinkedDriver()->Contexts()) WriteContext(context);
}

void DumpStreams() {
  for (const StreamFacts& stream : LinkedDriver()->Streams()) WriteStream(stream);
}

void Finalize() {
  Detach();
  Subscription::Get().End();
  ActivityKinds::Get().DisableAll();
  ActivityBuffers::Get().FlushAll(true);
}

}  // namespace simgpu::cupti
