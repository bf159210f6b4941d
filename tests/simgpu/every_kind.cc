// SPDX-License-Identifier: Apache-2.0
#include "tests/simgpu/every_kind.h"

#include <cuda_runtime_api.h>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

void LaunchGraph(const GpuProgram& gpu) {
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
  EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
  EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
  EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
}

void UseMemory(const GpuProgram& first, const GpuProgram& second) {
  const CUdeviceptr there = second.Allocate(64);
  EXPECT_CUDA(cuCtxSetCurrent(first.context));
  const CUdeviceptr here = first.Allocate(64);
  char host[64] = {};
  EXPECT_CUDA(cuMemcpyHtoD(here, host, sizeof(host)));
  EXPECT_CUDA(cuMemcpyPeer(there, second.context, here, first.context, 64));
  EXPECT_CUDA(cuMemsetD8(here, 1, 64));
  CUmemPoolProps props = {};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemoryPool pool = nullptr;
  EXPECT_CUDA(cuMemPoolCreate(&pool, &props));
}

}  // namespace

void EmitEveryKind() {
  for (const CUpti_ActivityKind kind : kEveryKind) {
    if (kind == CUPTI_ACTIVITY_KIND_KERNEL) continue;
    EXPECT_CUPTI(cuptiActivityEnable(kind)) << kind;
  }
  const GpuProgram first(0);
  const GpuProgram second(1);
  EXPECT_CUPTI(cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, 5));
  UseMemory(first, second);
  for (int i = 0; i < 3; ++i) EXPECT_CUDA(first.Launch(first.alpha, first.stream));
  LaunchGraph(first);
  CUevent event = nullptr;
  EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
  EXPECT_CUDA(cuEventRecord(event, first.stream));
  EXPECT_CUDA(cuEventSynchronize(event));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  // The two kinds of kernel records exclude each other.
  EXPECT_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
  EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_KERNEL));
  EXPECT_CUDA(first.Launch(first.beta, first.stream));
  EXPECT_CUDA(cuStreamSynchronize(first.stream));
  EXPECT_CUPTI(cuptiActivityFlushAll(0));
  EXPECT_CUPTI(cuptiActivityFlushAll(0));  // the cost of the first flush is a record itself
}

}  // namespace simgpu::test
