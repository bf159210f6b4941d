// SPDX-License-Identifier: Apache-2.0
// Graphs, made by hand and by capture.
#include <cuda.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

std::vector<LedgerLine> Executed(const std::function<void()>& body) {
  const std::string file = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", file}}, body);
  return ReadLedger(file);
}

CUDA_KERNEL_NODE_PARAMS KernelParams(CUfunction function, unsigned blocks = 1) {
  CUDA_KERNEL_NODE_PARAMS params = {};
  params.func = function;
  params.gridDimX = blocks;
  params.gridDimY = params.gridDimZ = 1;
  params.blockDimX = 32;
  params.blockDimY = params.blockDimZ = 1;
  return params;
}

CUgraphNode AddKernel(CUgraph graph, CUfunction function, std::vector<CUgraphNode> after = {}, unsigned blocks = 1) {
  CUgraphNode node = nullptr;
  const CUDA_KERNEL_NODE_PARAMS params = KernelParams(function, blocks);
  EXPECT_CUDA(cuGraphAddKernelNode(&node, graph, after.data(), after.size(), &params));
  return node;
}

CUgraphExec Instantiate(CUgraph graph) {
  CUgraphExec exec = nullptr;
  EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
  return exec;
}

bool Overlap(const LedgerLine& a, const LedgerLine& b) { return a.start_ns < b.end_ns && b.start_ns < a.end_ns; }

TEST(Graph, BranchesRunBesideEachOther) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUgraph graph;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    const CUgraphNode root = AddKernel(graph, gpu.alpha);
    const CUgraphNode left = AddKernel(graph, gpu.beta, {root});
    const CUgraphNode right = AddKernel(graph, gpu.beta, {root});
    AddKernel(graph, gpu.gamma, {left, right});
    const CUgraphExec exec = Instantiate(graph);
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuGraphExecDestroy(exec));
    EXPECT_CUDA(cuGraphDestroy(graph));
    EXPECT_EQ(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuGraphLaunch(exec, gpu.stream), CUDA_ERROR_INVALID_VALUE);
  });
  ASSERT_EQ(work.size(), 8u);
  EXPECT_TRUE(Overlap(work[1], work[2]));
  EXPECT_GE(work[1].start_ns, work[0].end_ns);
  EXPECT_GE(work[3].start_ns, std::max(work[1].end_ns, work[2].end_ns));
  EXPECT_GE(work[4].start_ns, work[3].end_ns) << "the second launch comes after the first";
  EXPECT_EQ(work[0].correlation_id, work[3].correlation_id) << "all nodes have the id of their launch";
  EXPECT_EQ(work[4].correlation_id, work[0].correlation_id + 1);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NE(work[i].graph_node_id, 0u);
    EXPECT_EQ(work[i].graph_node_id, work[i + 4].graph_node_id);
  }
}

TEST(Graph, NodesOfAllSortsDoTheirWork) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(16);
    uint8_t host[16] = {};
    CUgraph graph, child;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    EXPECT_CUDA(cuGraphCreate(&child, 0));
    AddKernel(child, gpu.gamma);
    CUgraphNode set, copy, empty, call, inner;
    CUDA_MEMSET_NODE_PARAMS memset_params = {memory, 0, 7, 1, 16, 1};
    EXPECT_CUDA(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &memset_params, gpu.context));
    EXPECT_CUDA(cuGraphAddEmptyNode(&empty, graph, &set, 1));
    CUDA_MEMCPY3D box = {};
    box.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    box.srcDevice = memory;
    box.dstMemoryType = CU_MEMORYTYPE_HOST;
    box.dstHost = host;
    box.WidthInBytes = 16;
    box.Height = box.Depth = 1;
    EXPECT_CUDA(cuGraphAddMemcpyNode(&copy, graph, &empty, 1, &box, gpu.context));
    static int seen = 0;
    CUDA_HOST_NODE_PARAMS host_params = {[](void* bytes) { seen = static_cast<uint8_t*>(bytes)[15]; }, host};
    EXPECT_CUDA(cuGraphAddHostNode(&call, graph, &copy, 1, &host_params));
    EXPECT_CUDA(cuGraphAddChildGraphNode(&inner, graph, &call, 1, child));
    const CUgraphExec exec = Instantiate(graph);
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(seen, 7);
    CUgraphNodeType type;
    EXPECT_CUDA(cuGraphNodeGetType(inner, &type));
    EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_GRAPH);
    CUgraph given = nullptr;
    EXPECT_CUDA(cuGraphChildGraphNodeGetGraph(inner, &given));
    EXPECT_NE(given, child) << "a copy";
    EXPECT_EQ(cuGraphDestroy(given), CUDA_ERROR_INVALID_VALUE) << "which belongs to the node";
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[0].kind, "memset");
  EXPECT_EQ(work[1].name, "memcpy DtoH");
  EXPECT_EQ(work[2].name, "gamma");
  EXPECT_GE(work[2].start_ns, work[1].end_ns + 10000) << "the host function takes its time";
}

TEST(Graph, CanBeWalked) {
  InChild([] {
    const GpuProgram gpu;
    CUgraph graph, clone;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    const CUgraphNode a = AddKernel(graph, gpu.alpha);
    const CUgraphNode b = AddKernel(graph, gpu.beta, {a});
    size_t count = 0;
    EXPECT_CUDA(cuGraphGetNodes(graph, nullptr, &count));
    EXPECT_EQ(count, 2u);
    CUgraphNode nodes[3] = {};
    count = 3;
    EXPECT_CUDA(cuGraphGetRootNodes(graph, nodes, &count));
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(nodes[0], a);
    EXPECT_EQ(nodes[1], nullptr);
    CUgraphNode from[1], to[1];
    count = 1;
    EXPECT_CUDA(cuGraphGetEdges(graph, from, to, nullptr, &count));
    EXPECT_EQ(from[0], a);
    EXPECT_EQ(to[0], b);
    EXPECT_CUDA(cuGraphClone(&clone, graph));
    CUgraphNode found = nullptr;
    EXPECT_CUDA(cuGraphNodeFindInClone(&found, b, clone));
    EXPECT_NE(found, b);
    EXPECT_CUDA(cuGraphRemoveDependencies(graph, from, to, nullptr, 1));
    EXPECT_EQ(cuGraphRemoveDependencies(graph, from, to, nullptr, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CUDA(cuGraphAddDependencies(graph, to, from, nullptr, 1));
    EXPECT_CUDA(cuGraphAddDependencies(graph, from, to, nullptr, 1));
    CUgraphExec exec;
    EXPECT_EQ(cuGraphInstantiate(&exec, graph, 0), CUDA_ERROR_INVALID_VALUE) << "a cycle";
    EXPECT_CUDA(cuGraphDestroyNode(a));
    EXPECT_EQ(cuGraphDestroyNode(a), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
  });
}

TEST(Graph, ArgumentsAreCopied) {
  InChild([] {
    const GpuProgram gpu;
    CUgraph graph;
    CUgraphNode node;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    {
      CUdeviceptr data = 0x1234;
      unsigned count = 77;
      void* arguments[] = {&data, &count};
      CUDA_KERNEL_NODE_PARAMS params = KernelParams(gpu.alpha);
      params.kernelParams = arguments;
      EXPECT_CUDA(cuGraphAddKernelNode(&node, graph, nullptr, 0, &params));
      data = 0;
      count = 0;
    }
    CUDA_KERNEL_NODE_PARAMS params = {};
    EXPECT_CUDA(cuGraphKernelNodeGetParams(node, &params));
    EXPECT_EQ(*static_cast<CUdeviceptr*>(params.kernelParams[0]), 0x1234u);
    EXPECT_EQ(*static_cast<unsigned*>(params.kernelParams[1]), 77u);
    CUDA_KERNEL_NODE_PARAMS wrong = KernelParams(gpu.beta);
    wrong.blockDimX = 129;
    EXPECT_EQ(cuGraphKernelNodeSetParams(node, &wrong), CUDA_ERROR_INVALID_VALUE);
  });
}

TEST(GraphExec, SingleNodesCanBeChangedAndSwitchedOff) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUgraph graph;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    const CUgraphNode a = AddKernel(graph, gpu.alpha);
    const CUgraphNode b = AddKernel(graph, gpu.beta, {a});
    const CUgraphExec exec = Instantiate(graph);
    const CUDA_KERNEL_NODE_PARAMS params = KernelParams(gpu.gamma, 100000);
    EXPECT_CUDA(cuGraphExecKernelNodeSetParams(exec, b, &params));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuGraphNodeSetEnabled(exec, a, 0));
    unsigned enabled = 9;
    EXPECT_CUDA(cuGraphNodeGetEnabled(exec, a, &enabled));
    EXPECT_EQ(enabled, 0u);
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[1].name, "gamma");
  EXPECT_GT(work[1].end_ns - work[1].start_ns, 100000u);
  EXPECT_EQ(work[2].name, "gamma");
}

TEST(GraphExec, UpdateTakesAGraphOfTheSameShape) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUgraph graph, same, other;
    for (CUgraph* const g : {&graph, &same, &other}) EXPECT_CUDA(cuGraphCreate(g, 0));
    AddKernel(graph, gpu.alpha, {AddKernel(graph, gpu.alpha)});
    AddKernel(same, gpu.gamma, {AddKernel(same, gpu.beta)});
    AddKernel(other, gpu.gamma);
    AddKernel(other, gpu.gamma);
    const CUgraphExec exec = Instantiate(graph);
    CUgraphExecUpdateResultInfo info;
    EXPECT_CUDA(cuGraphExecUpdate(exec, same, &info));
    EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
    EXPECT_EQ(cuGraphExecUpdate(exec, other, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  ASSERT_EQ(work.size(), 2u);
  EXPECT_EQ(work[0].name, "beta");
  EXPECT_EQ(work[1].name, "gamma");
}

TEST(GraphMemory, LivesAsLongAsTheGraphsThatUseIt) {
  InChild([] {
    const GpuProgram gpu;
    size_t before = 0, during = 0, after = 0, total = 0;
    EXPECT_CUDA(cuMemGetInfo(&before, &total));
    CUgraph graph;
    CUgraphNode allocate, set, release;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    CUDA_MEM_ALLOC_NODE_PARAMS params = {};
    params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    params.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, gpu.device};
    params.bytesize = 4096;
    EXPECT_CUDA(cuGraphAddMemAllocNode(&allocate, graph, nullptr, 0, &params));
    CUDA_MEMSET_NODE_PARAMS memset_params = {params.dptr, 0, 7, 1, 4096, 1};
    EXPECT_CUDA(cuGraphAddMemsetNode(&set, graph, &allocate, 1, &memset_params, gpu.context));
    EXPECT_CUDA(cuGraphAddMemFreeNode(&release, graph, &set, 1, params.dptr));
    const CUgraphExec exec = Instantiate(graph);
    EXPECT_CUDA(cuGraphDestroy(graph));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuMemGetInfo(&during, &total));
    EXPECT_EQ(before - during, 4096u);
    EXPECT_CUDA(cuGraphExecDestroy(exec));
    EXPECT_CUDA(cuMemGetInfo(&after, &total));
    EXPECT_EQ(before, after);
  });
}

TEST(Capture, AcrossStreamsByEvents) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUstream side;
    CUevent fork, join;
    EXPECT_CUDA(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
    EXPECT_CUDA(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
    EXPECT_CUDA(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
    CUgraph graph;
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuEventRecord(fork, gpu.stream));
    EXPECT_CUDA(cuStreamWaitEvent(side, fork, 0));
    EXPECT_CUDA(gpu.Launch(gpu.beta, side));
    EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream));
    EXPECT_CUDA(cuEventRecord(join, side));
    EXPECT_CUDA(cuStreamWaitEvent(gpu.stream, join, 0));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    CUstreamCaptureStatus status;
    EXPECT_CUDA(cuStreamIsCapturing(side, &status));
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
    EXPECT_EQ(cuEventQuery(fork), CUDA_ERROR_CAPTURED_EVENT);
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
    EXPECT_CUDA(cuStreamIsCapturing(side, &status));
    EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
    EXPECT_CUDA(cuGraphLaunch(Instantiate(graph), gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  ASSERT_EQ(work.size(), 4u) << "nothing ran while it was captured";
  EXPECT_TRUE(Overlap(work[1], work[2]));
  EXPECT_EQ(work[3].name, "gamma");
  EXPECT_GE(work[3].start_ns, std::max(work[1].end_ns, work[2].end_ns));
}

TEST(Capture, EverythingAsynchronousCanBeCaptured) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(64);
    uint8_t host[64] = {};
    CUgraph graph, inner;
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &inner));
    const CUgraphExec inner_exec = Instantiate(inner);

    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    CUdeviceptr temporary = 0;
    EXPECT_CUDA(cuMemAllocAsync(&temporary, 64, gpu.stream));
    EXPECT_CUDA(cuMemsetD8Async(temporary, 5, 64, gpu.stream));
    EXPECT_CUDA(cuMemcpyDtoDAsync(memory, temporary, 64, gpu.stream));
    EXPECT_CUDA(cuMemFreeAsync(temporary, gpu.stream));
    EXPECT_CUDA(cuMemcpyDtoHAsync(host, memory, 64, gpu.stream));
    EXPECT_CUDA(cuLaunchHostFunc(
        gpu.stream, [](void* bytes) { ++static_cast<uint8_t*>(bytes)[0]; }, host));
    EXPECT_CUDA(cuGraphLaunch(inner_exec, gpu.stream));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
    size_t count = 0;
    EXPECT_CUDA(cuGraphGetNodes(graph, nullptr, &count));
    EXPECT_EQ(count, 7u);
    EXPECT_CUDA(cuGraphLaunch(Instantiate(graph), gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(host[0], 6);
    EXPECT_EQ(host[63], 5);
  });
  ASSERT_EQ(work.size(), 4u);
  EXPECT_EQ(work[3].name, "gamma");
}

TEST(Capture, WhatItForbidsSpoilsIt) {
  InChild([] {
    const GpuProgram gpu;
    CUgraph graph = nullptr;
    CUdeviceptr memory = 0;
    const auto begin = [&] { EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL)); };
    const auto expect_spoilt = [&] {
      EXPECT_EQ(gpu.Launch(gpu.alpha, gpu.stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
      EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
      EXPECT_EQ(graph, nullptr);
    };
    begin();
    EXPECT_EQ(cuStreamSynchronize(gpu.stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    expect_spoilt();
    begin();
    EXPECT_EQ(cuMemAlloc(&memory, 64), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    expect_spoilt();
    begin();
    EXPECT_EQ(gpu.Launch(gpu.alpha, nullptr), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    expect_spoilt();
    begin();
    EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    expect_spoilt();
    EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
    EXPECT_EQ(cuStreamBeginCapture(CU_STREAM_LEGACY, CU_STREAM_CAPTURE_MODE_GLOBAL),
              CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream)) << "all is well again";
  });
}

TEST(Capture, ModesDecideWhatOtherThreadsMayDo) {
  InChild([] {
    const GpuProgram gpu;
    CUgraph graph = nullptr;
    const auto allocate_elsewhere = [&](CUstreamCaptureMode mode) {
      CUresult result = CUDA_SUCCESS;
      std::thread([&] {
        EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
        EXPECT_CUDA(cuThreadExchangeStreamCaptureMode(&mode));
        EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_GLOBAL);
        CUdeviceptr memory = 0;
        result = cuMemAlloc(&memory, 64);
      }).join();
      return result;
    };
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    EXPECT_CUDA(allocate_elsewhere(CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(allocate_elsewhere(CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT_EQ(allocate_elsewhere(CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  });
}

TEST(Capture, UnjoinedOrMergedSequencesFail) {
  InChild([] {
    const GpuProgram gpu;
    CUstream side;
    CUevent event;
    CUgraph graph = nullptr;
    EXPECT_CUDA(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
    EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuEventRecord(event, gpu.stream));
    EXPECT_CUDA(cuStreamWaitEvent(side, event, 0));
    EXPECT_CUDA(gpu.Launch(gpu.beta, side));
    EXPECT_EQ(cuStreamEndCapture(side, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);

    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(cuStreamBeginCapture(side, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(cuEventRecord(event, gpu.stream));
    EXPECT_EQ(cuStreamWaitEvent(side, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
    EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(cuStreamEndCapture(side, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    EXPECT_CUDA(cuEventRecord(event, side));
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_EQ(cuStreamWaitEvent(gpu.stream, event, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    EXPECT_EQ(cuStreamEndCapture(gpu.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_CUDA(cuStreamBeginCapture(side, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(cuStreamDestroy(side)) << "and the capture goes with it";
    EXPECT_CUDA(cuCtxSynchronize());
  });
}

TEST(Capture, IntoAGraphThatIsThere) {
  InChild([] {
    const GpuProgram gpu;
    CUgraph graph, ended = nullptr;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    const CUgraphNode first = AddKernel(graph, gpu.alpha);
    EXPECT_CUDA(cuStreamBeginCaptureToGraph(gpu.stream, graph, &first, nullptr, 1, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &ended));
    EXPECT_EQ(ended, graph);
    size_t edges = 0;
    EXPECT_CUDA(cuGraphGetEdges(graph, nullptr, nullptr, nullptr, &edges));
    EXPECT_EQ(edges, 1u);
  });
}

}  // namespace
}  // namespace simgpu::test
