// SPDX-License-Identifier: Apache-2.0
// What the other simulated libraries see of the driver, and the functions by which others recognise it.
#include <cupti_activity.h>

#include "driver/clock.h"
#include "driver/context.h"
#include "driver/door.h"
#include "driver/graph_exec.h"
#include "driver/process.h"
#include "driver/stream.h"
#include "simgpu_private.h"

namespace simgpu::driver {
namespace {

class DriverInterface final : public Driver {
 public:
  void Attach(Tool* tool) override { Process::Get().tool.store(tool, std::memory_order_release); }
  Tool* AttachedTool() override { return driver::AttachedTool(); }
  uint64_t NowNs() override { return Clock::Get().NowNs(); }
  void SpendHostTime(uint64_t ns) override { Clock::Get().Spend(ns); }
  bool ClockIsVirtual() override { return Clock::Get().is_virtual(); }
  const Topology* TopologyOrNull() override { return ProcessTopology(); }
  ThreadCall* CurrentCall() override { return &t_call; }
  uint32_t NewCorrelationId() override { return Process::Get().NewCorrelationId(); }
  bool Initialized() override { return Process::Get().initialized(); }
  bool Forked() override { return Process::Get().forked(); }
  const std::vector<DeviceRef>& Devices() override { return Process::Get().device_refs(); }

  uint64_t MemoryInUse(uint32_t device) override {
    const Device* const found = Process::Get().DeviceAt(static_cast<CUdevice>(device));
    return found != nullptr ? found->arena.used() : 0;
  }

  DeviceUse UseUpToNow(uint32_t device) override {
    const Device* const found = Process::Get().DeviceAt(static_cast<CUdevice>(device));
    return found != nullptr ? found->meter.UpTo(Clock::Get().NowNs()) : DeviceUse{};
  }

  CUcontext CurrentContext() override { return HandleOf(driver::CurrentContext()); }

  bool ContextId(CUcontext context, uint32_t* id) override {
    const Context* const found = FindContext(context);
    if (found != nullptr) *id = found->id;
    return found != nullptr;
  }

  bool ContextDevice(CUcontext context, uint32_t* device) override {
    const Context* const found = FindContext(context);
    if (found != nullptr) *device = found->device->ordinal;
    return found != nullptr;
  }

  bool StreamId(CUcontext context, CUstream stream, bool per_thread_default, uint32_t* id) override {
    const bool is_default = stream == nullptr || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
    if (!is_default) {
      const Stream* const found = FindStream(stream);
      if (found == nullptr || (context != nullptr && HandleOf(found->context) != context)) return false;
      *id = found->id;
      return true;
    }
    Context* const owner = context != nullptr ? FindContext(context) : driver::CurrentContext();
    if (owner == nullptr) return false;
    const bool per_thread = stream == CU_STREAM_PER_THREAD || (stream == nullptr && per_thread_default);
    *id = (per_thread ? PerThreadStream(owner) : LegacyStream(owner))->id;
    return true;
  }

  bool GraphId(CUgraph graph, uint32_t* id) override {
    const Graph* const found = FindGraph(graph);
    if (found != nullptr) *id = found->id;
    return found != nullptr;
  }

  bool GraphExecId(CUgraphExec graph, uint32_t* id) override {
    const GraphExec* const found = FindGraphExec(graph);
    if (found != nullptr) *id = found->id;
    return found != nullptr;
  }

  bool GraphNodeId(CUgraphNode node, uint64_t* id) override {
    const GraphNode* const found = FindNode(node);
    if (found != nullptr) *id = found->id;
    return found != nullptr;
  }

  const char* KernelName(const void* function_or_kernel) override { return driver::KernelName(function_or_kernel); }

  std::vector<ContextFacts> Contexts() override {
    std::vector<ContextFacts> facts;
    for (const Context* const context : AllContexts()) {
      facts.push_back({context->id, context->device->ordinal, context->device->ref.sm_count()});
    }
    return facts;
  }

  std::vector<StreamFacts> Streams() override {
    std::vector<StreamFacts> facts;
    for (Context* const context : AllContexts()) {
      const std::lock_guard lock(context->mutex);
      for (const Stream* const stream : context->streams) {
        const auto flag = stream->lane->kind == LaneKind::kLegacy ? CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NULL
                          : stream->lane->kind == LaneKind::kNonBlocking
                              ? CUPTI_ACTIVITY_STREAM_CREATE_FLAG_NON_BLOCKING
                              : CUPTI_ACTIVITY_STREAM_CREATE_FLAG_DEFAULT;
        facts.push_back(
            {context->id, stream->id, static_cast<uint32_t>(stream->priority), static_cast<uint32_t>(flag), 0});
      }
    }
    return facts;
  }

  int DeviceAttribute(CUdevice_attribute attribute, uint32_t device) override {
    const Device* const found = Process::Get().DeviceAt(static_cast<CUdevice>(device));
    return found != nullptr ? driver::DeviceAttribute(attribute, *found) : 0;
  }
};

}  // namespace
}  // namespace simgpu::driver

simgpu::Driver* simgpu_driver(uint32_t interface_version) {
  static simgpu::driver::DriverInterface& driver = *new simgpu::driver::DriverInterface;  // for the life of the process
  return interface_version == simgpu::kInterfaceVersion ? &driver : nullptr;
}

const char* simgpu_version() { return SIMGPU_VERSION; }

void simgpu_host_work_ns(uint64_t ns) {
  simgpu::driver::Clock& clock = simgpu::driver::Clock::Get();
  if (clock.is_virtual()) {
    clock.Spend(ns);
  } else {
    clock.WaitUntil(clock.NowNs() + ns);
  }
}
