// SPDX-License-Identifier: Apache-2.0
// The one interface among the simulated libraries. libcuda.so.1 owns the GPUs and the clock and exports
// `simgpu_driver`; libcupti attaches a Tool to it; libcudart shares the correlation id of the call in progress;
// libnvidia-ml asks what this process uses. All of them come from one build, so plain C++ classes may cross the border.
#pragma once

#include <cuda.h>
#include <cupti_callbacks.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/topology.h"

namespace simgpu {

constexpr uint32_t kInterfaceVersion = 2;

// Larger than any callback id of the driver or the runtime API.
constexpr size_t kMaxCallbackIds = 1024;

enum class WorkKind : uint8_t { kKernel, kMemcpy, kMemset };

struct KernelWork {
  uint32_t grid[3];
  uint32_t block[3];
  uint32_t cluster[3];
  uint32_t static_shared_bytes;
  uint32_t dynamic_shared_bytes;
  uint32_t local_bytes_per_thread;
  uint32_t blocks_per_sm;  // that fit at a time
  uint16_t registers_per_thread;
  uint8_t cooperative;
  uint8_t shared_memory_optin;
};

struct CopyWork {
  uint8_t copy_kind;         // CUpti_ActivityMemcpyKind
  uint8_t source_kind;       // CUpti_ActivityMemoryKind
  uint8_t destination_kind;  // CUpti_ActivityMemoryKind
  uint8_t peer;              // between two contexts: MEMCPY2 instead of MEMCPY
  uint32_t source_device;
  uint32_t source_context;
  uint32_t destination_device;
  uint32_t destination_context;
};

struct MemsetWork {
  uint32_t value;
  uint8_t memory_kind;  // CUpti_ActivityMemoryKind
};

// One thing the GPU executed.
struct Work {
  WorkKind kind = WorkKind::kKernel;
  bool async = false;
  uint32_t device = 0;  // ordinal
  uint32_t context_id = 0;
  uint32_t stream_id = 0;
  uint32_t correlation_id = 0;
  uint32_t graph_id = 0;       // of the executable graph; 0: not from a graph
  uint64_t graph_node_id = 0;  // 0: not from a graph
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
  uint64_t queued_ns = 0;  // when the call was made
  uint64_t bytes = 0;
  const char* name = nullptr;  // kernel name as mangled, or e.g. "memcpy HtoD"; lives as long as the process
  union {
    KernelWork kernel = {};
    CopyWork copy;
    MemsetWork memset;
  };
};

// A whole launch of an executable graph.
struct GraphLaunch {
  uint32_t device;
  uint32_t context_id;
  uint32_t stream_id;
  uint32_t correlation_id;
  uint32_t graph_id;
  uint64_t start_ns;
  uint64_t end_ns;
};

// A call that waited, or made a stream wait.
struct Synchronization {
  uint32_t type;  // CUpti_ActivitySynchronizationType
  uint32_t context_id;
  uint32_t stream_id;
  uint32_t event_id;
  uint32_t correlation_id;
  uint32_t result;
  uint64_t start_ns;
  uint64_t end_ns;
};

struct EventRecord {
  uint32_t device;
  uint32_t context_id;
  uint32_t stream_id;
  uint32_t event_id;
  uint32_t correlation_id;
  uint64_t time_ns;
};

struct PoolState {
  bool present;
  uint64_t address;
  uint64_t release_threshold;
  uint64_t size;
  uint64_t used;
};

struct MemoryOperation {
  bool release;
  bool async;
  uint8_t memory_kind;  // CUpti_ActivityMemoryKind
  uint32_t device;
  uint32_t context_id;
  uint32_t stream_id;
  uint32_t correlation_id;
  uint64_t address;
  uint64_t bytes;
  uint64_t time_ns;
  PoolState pool;
};

struct PoolOperation {
  uint32_t type;  // CUpti_ActivityMemoryPoolOperationType
  uint32_t device;
  uint32_t correlation_id;
  uint64_t time_ns;
  uint64_t min_bytes_to_keep;
  PoolState pool;
};

// What a device has done since the process began, up to a moment: sums that only grow.
struct DeviceUse {
  uint64_t now_ns = 0;
  uint64_t kernel_ns = 0;   // in which at least one kernel ran
  double sm_ns = 0;         // … summed over the share of its SMs that had a block
  double warp_ns = 0;       // … over the share of the warps it can hold
  double tensor_ns = 0;     // the part of sm_ns that was in kernels with "gemm" or "mma" in their names
  double memory_bytes = 0;  // that copies and memsets read or wrote in its memory
};

struct ContextFacts {
  uint32_t id;
  uint32_t device;
  uint32_t sm_count;
};

struct StreamFacts {
  uint32_t context_id;
  uint32_t stream_id;
  uint32_t priority;
  uint32_t flag;  // CUpti_ActivityStreamFlag
  uint32_t correlation_id;
};

// One API call, as a profiler's callback sees it.
struct ApiCall {
  CUpti_CallbackDomain domain;
  uint32_t callback_id;
  const char* function;
  const void* parameters;
  const char* symbol;  // kernel name of a launch, else null
  uint32_t correlation_id;
  CUcontext context;
  uint32_t context_id;
  uint64_t* correlation_data;
  uint64_t start_ns;
};

// What a profiler wants to know of one function.
enum Interest : uint8_t { kNoInterest = 0, kInterestCallback = 1, kInterestRecord = 2 };

struct InterestTable {
  std::atomic<uint8_t> driver[kMaxCallbackIds] = {};
  std::atomic<uint8_t> runtime[kMaxCallbackIds] = {};
};

// libcupti, as seen by the libraries it watches. Called on the thread the event happens on, with none of their locks
// held.
class Tool {
 public:
  InterestTable interest;

  virtual void Enter(const ApiCall& call) = 0;
  virtual void Exit(const ApiCall& call, void* result) = 0;
  // The activity record of a finished call; `result` is its CUresult or cudaError_t.
  virtual void Record(const ApiCall& call, uint64_t end_ns, uint32_t result) = 0;
  // `descriptor` is what CUPTI documents for the resource callback `id`.
  virtual void Resource(CUpti_CallbackIdResource id, CUcontext context, CUstream stream, void* descriptor) = 0;
  virtual void Synchronized(CUpti_CallbackIdSync id, CUcontext context, CUstream stream) = 0;
  virtual void DriverInitialized() = 0;
  virtual void Executed(const Work& work) = 0;
  virtual void GraphLaunched(const GraphLaunch& launch) = 0;
  virtual void Waited(const Synchronization& synchronization) = 0;
  virtual void EventRecorded(const EventRecord& record) = 0;
  virtual void MemoryChanged(const MemoryOperation& operation) = 0;
  virtual void PoolChanged(const PoolOperation& operation) = 0;
  virtual void ContextCreated(const ContextFacts& context) = 0;
  virtual void StreamCreated(const StreamFacts& stream) = 0;

 protected:
  ~Tool() = default;  // lives as long as the process
};

// The call in progress on one thread. A driver call made by a runtime call carries the id of the latter.
struct ThreadCall {
  uint32_t correlation_id = 0;             // 0: no call in progress
  bool per_thread_default_stream = false;  // it came through a `…_ptsz` or `…_ptds` door
  bool in_host_function = false;           // the thread runs a function of a stream, which may make no calls
};

// libcuda.so.1, as seen by the others.
class Driver {
 public:
  // One tool at a time; null detaches it. A call in progress may still reach the previous one.
  virtual void Attach(Tool* tool) = 0;
  virtual Tool* AttachedTool() = 0;
  virtual uint64_t NowNs() = 0;
  // Host code took `ns`; only the virtual clock moves.
  virtual void SpendHostTime(uint64_t ns) = 0;
  virtual bool ClockIsVirtual() = 0;
  virtual const Topology* TopologyOrNull() = 0;
  virtual ThreadCall* CurrentCall() = 0;
  virtual uint32_t NewCorrelationId() = 0;
  virtual bool Initialized() = 0;
  // The process is the child of one that had initialised CUDA: nothing works in it.
  virtual bool Forked() = 0;

  // Empty before cuInit.
  virtual const std::vector<DeviceRef>& Devices() = 0;
  virtual uint64_t MemoryInUse(uint32_t device) = 0;
  virtual DeviceUse UseUpToNow(uint32_t device) = 0;

  virtual CUcontext CurrentContext() = 0;
  // False when there is no such object.
  virtual bool ContextId(CUcontext context, uint32_t* id) = 0;
  virtual bool ContextDevice(CUcontext context, uint32_t* device) = 0;
  // A null `stream` is the default stream of `context`, or of the current context when that is null too.
  virtual bool StreamId(CUcontext context, CUstream stream, bool per_thread_default, uint32_t* id) = 0;
  virtual bool GraphId(CUgraph graph, uint32_t* id) = 0;
  virtual bool GraphExecId(CUgraphExec graph, uint32_t* id) = 0;
  virtual bool GraphNodeId(CUgraphNode node, uint64_t* id) = 0;
  virtual const char* KernelName(const void* function_or_kernel) = 0;
  virtual std::vector<ContextFacts> Contexts() = 0;
  virtual std::vector<StreamFacts> Streams() = 0;
  virtual int DeviceAttribute(CUdevice_attribute attribute, uint32_t device) = 0;

 protected:
  ~Driver() = default;  // lives as long as the process
};

}  // namespace simgpu

extern "C" {
// Null when `interface_version` is not that of this build.
__attribute__((visibility("default"))) simgpu::Driver* simgpu_driver(uint32_t interface_version);
// The version of the simulator; its presence tells a profiler that no real GPU is behind the driver.
__attribute__((visibility("default"))) const char* simgpu_version(void);
// Lets `ns` pass on the host: a workload calls it, when it finds it with dlsym, instead of really computing for that
// long.
__attribute__((visibility("default"))) void simgpu_host_work_ns(uint64_t ns);
}
