// SPDX-License-Identifier: Apache-2.0
// What a subscriber to callbacks sees.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cupti.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

// A callback, with copies of what its data pointed to.
struct Call {
  CUpti_CallbackDomain domain = CUPTI_CB_DOMAIN_INVALID;
  CUpti_CallbackId id = 0;
  bool enter = false;
  std::string function;
  std::string symbol;
  uint32_t correlation_id = 0;
  uint32_t context_uid = 0;
  int result = -1;
  unsigned grid_x = 0;
  CUpti_GraphData graph = {};
  uint64_t node_id = 0;
  uint64_t original_node_id = 0;
  size_t module_bytes = 0;
};

std::vector<Call>& Calls() {
  static auto& calls = *new std::vector<Call>;
  return calls;
}

void RecordApi(const CUpti_CallbackData& data, Call* call) {
  call->enter = data.callbackSite == CUPTI_API_ENTER;
  call->function = data.functionName;
  call->symbol = data.symbolName != nullptr ? data.symbolName : "";
  call->correlation_id = data.correlationId;
  call->context_uid = data.contextUid;
  if (call->enter) {
    EXPECT_EQ(*data.correlationData, 0u);
    *data.correlationData = 40 + data.correlationId;
  } else {
    EXPECT_EQ(*data.correlationData, 40u + data.correlationId) << "kept from the entry";
    call->result = *static_cast<int*>(data.functionReturnValue);
  }
  if (call->domain == CUPTI_CB_DOMAIN_DRIVER_API && call->id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel) {
    call->grid_x = static_cast<const cuLaunchKernel_params*>(data.functionParams)->gridDimX;
  }
}

void RecordResource(const CUpti_ResourceData& data, Call* call) {
  if (call->id >= CUPTI_CBID_RESOURCE_GRAPH_CREATED && call->id != CUPTI_CBID_RESOURCE_STREAM_ATTRIBUTE_CHANGED) {
    call->graph = *static_cast<CUpti_GraphData*>(data.resourceDescriptor);
    if (call->graph.node != nullptr) {
      EXPECT_CUPTI(cuptiGetGraphNodeId(call->graph.node, &call->node_id));
    }
    if (call->graph.originalNode != nullptr) {
      EXPECT_CUPTI(cuptiGetGraphNodeId(call->graph.originalNode, &call->original_node_id));
    }
  }
  if (call->id == CUPTI_CBID_RESOURCE_MODULE_LOADED) {
    const auto* const module = static_cast<CUpti_ModuleResourceData*>(data.resourceDescriptor);
    call->module_bytes = module->cubinSize;
    EXPECT_NE(std::strstr(module->pCubin, ".entry alpha"), nullptr);
  }
}

void Callback(void* userdata, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  EXPECT_EQ(userdata, &Calls());
  Call call;
  call.domain = domain;
  call.id = id;
  const bool is_api = domain == CUPTI_CB_DOMAIN_DRIVER_API || domain == CUPTI_CB_DOMAIN_RUNTIME_API;
  if (is_api) RecordApi(*static_cast<const CUpti_CallbackData*>(data), &call);
  if (domain == CUPTI_CB_DOMAIN_RESOURCE) RecordResource(*static_cast<const CUpti_ResourceData*>(data), &call);
  Calls().push_back(call);
}

CUpti_SubscriberHandle Subscribe() {
  CUpti_SubscriberHandle subscriber = nullptr;
  EXPECT_CUPTI(cuptiSubscribe(&subscriber, &Callback, &Calls()));
  return subscriber;
}

std::vector<uint32_t> ResourceIds() {
  std::vector<uint32_t> ids;
  for (const Call& call : Calls()) {
    if (call.domain == CUPTI_CB_DOMAIN_RESOURCE) ids.push_back(call.id);
  }
  return ids;
}

TEST(CuptiCallback, EntryAndExitOfALaunch) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_CUPTI(
        cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel));
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream, 5));
    EXPECT_EQ(gpu.Launch(gpu.beta, gpu.stream, 5, 129), CUDA_ERROR_INVALID_VALUE);
    ASSERT_EQ(Calls().size(), 4u);
    const Call& enter = Calls()[0];
    EXPECT_TRUE(enter.enter);
    EXPECT_EQ(enter.function, "cuLaunchKernel");
    EXPECT_EQ(enter.symbol, "beta");
    EXPECT_EQ(enter.grid_x, 5u);
    EXPECT_EQ(enter.context_uid, 1u);
    const Call& exit = Calls()[1];
    EXPECT_FALSE(exit.enter);
    EXPECT_EQ(exit.correlation_id, enter.correlation_id);
    EXPECT_EQ(exit.result, CUDA_SUCCESS);
    EXPECT_EQ(Calls()[3].result, CUDA_ERROR_INVALID_VALUE);
    EXPECT_GT(Calls()[3].correlation_id, exit.correlation_id);
  });
}

TEST(CuptiCallback, DriverCallInsideARuntimeCallHasItsCorrelationId) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_RUNTIME_API));
    EXPECT_EQ(cudaMemset(memory, 0, 64), cudaSuccess);
    ASSERT_EQ(Calls().size(), 4u);
    EXPECT_EQ(Calls()[0].function, "cudaMemset");
    EXPECT_EQ(Calls()[1].function, "cuMemsetD8_v2");
    EXPECT_EQ(Calls()[2].function, "cuMemsetD8_v2");
    EXPECT_EQ(Calls()[3].function, "cudaMemset");
    for (const Call& call : Calls()) EXPECT_EQ(call.correlation_id, Calls()[0].correlation_id);
  });
}

TEST(CuptiCallback, PerThreadVariantsHaveIdsOfTheirOwn) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API));
    const GpuProgram gpu;
    void* launch = nullptr;
    constexpr cuuint64_t kPerThread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    EXPECT_CUDA(cuGetProcAddress_v2("cuLaunchKernel", &launch, 13000, kPerThread, nullptr));
    Calls().clear();
    reinterpret_cast<decltype(&cuLaunchKernel)>(launch)(gpu.gamma, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
    ASSERT_EQ(Calls().size(), 2u);
    EXPECT_EQ(Calls()[0].id, 442u);
    EXPECT_EQ(Calls()[0].function, "cuLaunchKernel_ptsz");
  });
}

TEST(CuptiCallback, SecondSubscriberIsToldWhoIsThere) {
  InChild([] {
    CUpti_SubscriberHandle first = nullptr, second = nullptr;
    char holder[64] = "nobody";
    CUpti_SubscriberParams params = {CUpti_SubscriberParams_STRUCT_SIZE, "Tests", holder, sizeof(holder)};
    EXPECT_CUPTI(cuptiSubscribe_v2(&first, &Callback, nullptr, &params));
    EXPECT_STREQ(holder, "nobody");
    EXPECT_EQ(cuptiSubscribe_v2(&second, &Callback, nullptr, &params), CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
    EXPECT_STREQ(holder, "CUPTI for Tests");
    EXPECT_EQ(cuptiSubscribe(&second, &Callback, nullptr), CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
    params.structSize = 0;
    EXPECT_EQ(cuptiSubscribe_v2(&second, &Callback, nullptr, &params), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_CUPTI(cuptiUnsubscribe(first));
    EXPECT_EQ(cuptiUnsubscribe(first), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_CUPTI(cuptiSubscribe(&second, &Callback, nullptr));
  });
}

TEST(CuptiCallback, NothingComesAfterUnsubscribing) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_CUPTI(cuptiEnableAllDomains(1, subscriber));
    uint32_t enabled = 0;
    EXPECT_CUPTI(cuptiGetCallbackState(&enabled, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, 307));
    EXPECT_EQ(enabled, 1u);
    const GpuProgram gpu;
    EXPECT_FALSE(Calls().empty());
    EXPECT_CUPTI(cuptiUnsubscribe(subscriber));
    Calls().clear();
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_TRUE(Calls().empty());
    // And the next subscriber starts from nothing.
    Subscribe();
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_TRUE(Calls().empty());
  });
}

TEST(CuptiCallback, ParametersAreChecked) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_EQ(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_INVALID, 1), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE, 0), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_SIZE),
              CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(cuptiEnableCallback(1, nullptr, CUPTI_CB_DOMAIN_RESOURCE, 1), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(cuptiSubscribe(nullptr, &Callback, nullptr), CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_CUPTI(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_STATE, CUPTI_CBID_STATE_FATAL_ERROR));
    const char* name = nullptr;
    EXPECT_CUPTI(cuptiGetCallbackName(CUPTI_CB_DOMAIN_DRIVER_API, 307, &name));
    EXPECT_STREQ(name, "cuLaunchKernel");
    EXPECT_CUPTI(cuptiGetCallbackName(CUPTI_CB_DOMAIN_RUNTIME_API, 211, &name));
    EXPECT_STREQ(name, "cudaLaunchKernel");
    EXPECT_EQ(cuptiGetCallbackName(CUPTI_CB_DOMAIN_DRIVER_API, 9999, &name), CUPTI_ERROR_INVALID_PARAMETER);
    size_t count = 0;
    CUpti_DomainTable domains = nullptr;
    EXPECT_CUPTI(cuptiSupportedDomains(&count, &domains));
    EXPECT_EQ(count, 6u);
  });
}

TEST(CuptiCallback, ContextsStreamsAndModules) {
  InChild([] {
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_SYNCHRONIZE));
    const GpuProgram gpu;
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUDA(cuStreamDestroy(gpu.stream));
    EXPECT_CUDA(cuCtxDestroy(gpu.context));
    EXPECT_EQ(ResourceIds(),
              (std::vector<uint32_t>{CUPTI_CBID_RESOURCE_CU_INIT_FINISHED, CUPTI_CBID_RESOURCE_CONTEXT_CREATED,
                                     CUPTI_CBID_RESOURCE_MODULE_LOADED, CUPTI_CBID_RESOURCE_STREAM_CREATED,
                                     CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING,
                                     CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING,
                                     CUPTI_CBID_RESOURCE_MODULE_UNLOAD_STARTING}));
    EXPECT_EQ(Calls()[2].module_bytes, std::strlen(kKernelsPtx));
    EXPECT_EQ(Calls()[4].domain, CUPTI_CB_DOMAIN_SYNCHRONIZE);
    EXPECT_EQ(Calls()[4].id, uint32_t{CUPTI_CBID_SYNCHRONIZE_STREAM_SYNCHRONIZED});
    EXPECT_EQ(Calls()[5].id, uint32_t{CUPTI_CBID_SYNCHRONIZE_CONTEXT_SYNCHRONIZED});
  });
}

TEST(CuptiCallback, GraphFromCaptureToDestruction) {
  InChild([] {
    const GpuProgram gpu;
    const CUpti_SubscriberHandle subscriber = Subscribe();
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE));
    CUgraph graph;
    CUgraphExec exec;
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
    EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(
        ResourceIds(),
        (std::vector<uint32_t>{CUPTI_CBID_RESOURCE_GRAPH_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_CREATE_STARTING,
                               CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_CREATE_STARTING,
                               CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_DEPENDENCY_CREATED,
                               CUPTI_CBID_RESOURCE_GRAPHEXEC_CREATE_STARTING, CUPTI_CBID_RESOURCE_GRAPH_CLONED,
                               CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED,
                               CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED,
                               CUPTI_CBID_RESOURCE_GRAPHEXEC_CREATED}))
        << "and nothing during the launch";
    const Call& created = Calls()[4];
    EXPECT_EQ(created.graph.graph, graph);
    EXPECT_EQ(created.graph.nodeType, CU_GRAPH_NODE_TYPE_KERNEL);
    EXPECT_EQ(Calls()[5].graph.dependency, Calls()[2].graph.node);
    const Call& cloned = Calls()[11];
    EXPECT_EQ(cloned.graph.originalGraph, graph);
    EXPECT_EQ(cloned.original_node_id, created.node_id);
    EXPECT_NE(cloned.node_id, created.node_id);
    uint32_t graph_id = 0, exec_id = 0;
    EXPECT_CUPTI(cuptiGetGraphId(graph, &graph_id));
    EXPECT_CUPTI(cuptiGetGraphExecId(exec, &exec_id));
    EXPECT_EQ(created.node_id >> 32, graph_id);
    EXPECT_EQ(cloned.node_id >> 32, exec_id);
    Calls().clear();
    EXPECT_CUDA(cuGraphExecDestroy(exec));
    EXPECT_CUDA(cuGraphDestroy(graph));
    const std::vector<uint32_t> ids = ResourceIds();
    EXPECT_EQ(ids.front(), uint32_t{CUPTI_CBID_RESOURCE_GRAPHEXEC_DESTROY_STARTING});
    EXPECT_EQ(std::count(ids.begin(), ids.end(), uint32_t{CUPTI_CBID_RESOURCE_GRAPHNODE_DESTROY_STARTING}), 4);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), uint32_t{CUPTI_CBID_RESOURCE_GRAPH_DESTROY_STARTING}), 2);
    EXPECT_EQ(cuptiGetGraphId(graph, &graph_id), CUPTI_ERROR_INVALID_PARAMETER);
  });
}

TEST(CuptiCallback, WorksBeforeThereIsAContext) {
  InChild([] {
    uint32_t version = 0;
    uint64_t time_ns = 0;
    EXPECT_CUPTI(cuptiGetVersion(&version));
    EXPECT_EQ(version, 130001u);
    EXPECT_CUPTI(cuptiGetTimestamp(&time_ns));
    EXPECT_EQ(time_ns, 1'700'000'000'000'000'000u);
    const CUpti_SubscriberHandle subscriber = Subscribe();
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiEnableAllDomains(1, subscriber));
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
    EXPECT_CUPTI(cuptiSetThreadIdType(CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_CUPTI(cuptiFinalize());
  });
}

}  // namespace
}  // namespace simgpu::test
