// SPDX-License-Identifier: Apache-2.0
// CUDA graphs in every shape they come in: captured, built node by node, cloned, updated, nested, instantiated twice,
// destroyed and made again. Every kernel has a name of its own, and the place that captured or added it is logged.
//
// usage: graph_shapes [--device N] [--other-device N] [--replays N]
//
// With --other-device one graph is built while the first device is current, and another while none is, and both run on
// the other device.
#include <cuda.h>

#include <cstdio>
#include <thread>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/call_site.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace {

using workload::DeviceCode;
using workload::KernelArguments;

const std::vector<std::string> kKernels = {"eager_kernel",   "captured_first",  "captured_second", "added_first",
                                           "added_second",   "cloned_kernel",   "params_before",   "params_after",
                                           "update_before",  "update_after",    "nested_inner",    "nested_outer",
                                           "launch_inner",   "launch_outer",    "twice_kernel",    "recreated_first",
                                           "recreated_last", "threaded_kernel", "other_device",    "no_device"};

// A device, and what is needed to give it work.
class Gpu {
 public:
  explicit Gpu(int ordinal) {
    CHECK_CUDA(cuDeviceGet(&device_, ordinal));
    CHECK_CUDA(cuDevicePrimaryCtxRetain(&context_, device_));
    CHECK_CUDA(cuCtxSetCurrent(context_));
    code_ = new DeviceCode(kKernels);
    CHECK_CUDA(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&data_, 1 << 16));
  }
  ~Gpu() {
    CHECK_CUDA(cuCtxSetCurrent(context_));
    CHECK_CUDA(cuStreamSynchronize(stream_));
    CHECK_CUDA(cuMemFree(data_));
    CHECK_CUDA(cuStreamDestroy(stream_));
    delete code_;
    CHECK_CUDA(cuDevicePrimaryCtxRelease(device_));
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  CUcontext context() const { return context_; }
  CUstream stream() const { return stream_; }
  CUdeviceptr data() const { return data_; }

  void Launch(const char* kernel) const {
    KernelArguments arguments(data_, 16);
    CHECK_CUDA(cuLaunchKernel((*code_)[kernel], 64, 1, 1, 128, 1, 1, 0, stream_, arguments.pointers(), nullptr));
  }
  // Parameters of a node that runs `kernel`; they point into `arguments`.
  CUDA_KERNEL_NODE_PARAMS NodeParams(const char* kernel, KernelArguments* arguments) const {
    CUDA_KERNEL_NODE_PARAMS params = {};
    params.func = (*code_)[kernel];
    params.gridDimX = 64;
    params.gridDimY = params.gridDimZ = 1;
    params.blockDimX = 128;
    params.blockDimY = params.blockDimZ = 1;
    params.kernelParams = arguments->pointers();
    params.ctx = context_;
    return params;
  }
  CUgraphNode Add(CUgraph graph, const char* kernel) const {
    KernelArguments arguments(data_, 16);
    const CUDA_KERNEL_NODE_PARAMS params = NodeParams(kernel, &arguments);
    CUgraphNode node;
    CHECK_CUDA(cuGraphAddKernelNode(&node, graph, nullptr, 0, &params));
    return node;
  }
  void BeginCapture() const { CHECK_CUDA(cuStreamBeginCapture(stream_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); }
  CUgraph EndCapture() const {
    CUgraph graph;
    CHECK_CUDA(cuStreamEndCapture(stream_, &graph));
    return graph;
  }

 private:
  CUdevice device_;
  CUcontext context_;
  const DeviceCode* code_;
  CUstream stream_;
  CUdeviceptr data_;
};

int g_replays = 5;

CUgraph NewGraph() {
  CUgraph graph;
  CHECK_CUDA(cuGraphCreate(&graph, 0));
  return graph;
}

CUgraphExec Instantiate(CUgraph graph) {
  CUgraphExec executable;
  CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
  return executable;
}

__attribute__((noinline)) void Replay(const Gpu& gpu, CUgraphExec executable) {
  for (int replay = 0; replay < g_replays; ++replay) {
    LOGGED_CALL("graph", CHECK_CUDA(cuGraphLaunch(executable, gpu.stream())));
  }
}

// Instantiates `graph`, destroys it, replays what was made of it and destroys that too: nothing waits for the GPU.
void ReplayAndDestroy(const Gpu& gpu, CUgraph graph) {
  const CUgraphExec executable = Instantiate(graph);
  CHECK_CUDA(cuGraphDestroy(graph));
  Replay(gpu, executable);
  CHECK_CUDA(cuGraphExecDestroy(executable));
}

__attribute__((noinline)) void RunEager(const Gpu& gpu) { LOGGED_CALL("eager_kernel", gpu.Launch("eager_kernel")); }

__attribute__((noinline)) CUgraph CaptureTwo(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("captured_first", gpu.Launch("captured_first"));
  LOGGED_CALL("captured_second", gpu.Launch("captured_second"));
  return gpu.EndCapture();
}

__attribute__((noinline)) CUgraph AddTwo(const Gpu& gpu) {
  const CUgraph graph = NewGraph();
  LOGGED_CALL("added_first", gpu.Add(graph, "added_first"));
  LOGGED_CALL("added_second", gpu.Add(graph, "added_second"));
  CUDA_MEMSET_NODE_PARAMS params = {gpu.data(), 0, 1, 1, 4096, 1};
  CUgraphNode node;
  LOGGED_CALL("memset", CHECK_CUDA(cuGraphAddMemsetNode(&node, graph, nullptr, 0, &params, gpu.context())));
  return graph;
}

__attribute__((noinline)) CUgraph AddAndClone(const Gpu& gpu) {
  const CUgraph graph = NewGraph();
  LOGGED_CALL("cloned_kernel", gpu.Add(graph, "cloned_kernel"));
  CUgraph clone;
  CUgraph clone_of_clone;
  CHECK_CUDA(cuGraphClone(&clone, graph));
  CHECK_CUDA(cuGraphDestroy(graph));
  CHECK_CUDA(cuGraphClone(&clone_of_clone, clone));
  CHECK_CUDA(cuGraphDestroy(clone));
  return clone_of_clone;
}

// A node stays where it was added when it is given another kernel.
__attribute__((noinline)) void ChangeParams(const Gpu& gpu) {
  const CUgraph graph = NewGraph();
  CUgraphNode node;
  const uint64_t low = workload::CodeAddress();
  node = gpu.Add(graph, "params_before");
  workload::LogCall("params_before", __func__, __FILE__, __LINE__, low, workload::CodeAddress());
  const CUgraphExec executable = Instantiate(graph);
  Replay(gpu, executable);
  KernelArguments arguments(gpu.data(), 16);
  const CUDA_KERNEL_NODE_PARAMS params = gpu.NodeParams("params_after", &arguments);
  CHECK_CUDA(cuGraphExecKernelNodeSetParams(executable, node, &params));
  Replay(gpu, executable);
  CHECK_CUDA(cuGraphExecDestroy(executable));
  CHECK_CUDA(cuGraphDestroy(graph));
}

__attribute__((noinline)) CUgraph CaptureBefore(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("update_before", gpu.Launch("update_before"));
  return gpu.EndCapture();
}

__attribute__((noinline)) CUgraph CaptureAfter(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("update_after", gpu.Launch("update_after"));
  return gpu.EndCapture();
}

// What is updated from another graph runs what that one captured.
void UpdateWhole(const Gpu& gpu) {
  const CUgraph before = CaptureBefore(gpu);
  const CUgraphExec executable = Instantiate(before);
  CHECK_CUDA(cuGraphDestroy(before));
  Replay(gpu, executable);
  const CUgraph after = CaptureAfter(gpu);
  CUgraphExecUpdateResultInfo info;
  CHECK_CUDA(cuGraphExecUpdate(executable, after, &info));
  CHECK_CUDA(cuGraphDestroy(after));
  Replay(gpu, executable);
  CHECK_CUDA(cuGraphExecDestroy(executable));
}

__attribute__((noinline)) CUgraph AddInner(const Gpu& gpu) {
  const CUgraph graph = NewGraph();
  LOGGED_CALL("nested_inner", gpu.Add(graph, "nested_inner"));
  return graph;
}

__attribute__((noinline)) CUgraph AddOuter(const Gpu& gpu) {
  const CUgraph inner = AddInner(gpu);
  const CUgraph outer = NewGraph();
  CUgraphNode node;
  CHECK_CUDA(cuGraphAddChildGraphNode(&node, outer, nullptr, 0, inner));
  CHECK_CUDA(cuGraphDestroy(inner));
  LOGGED_CALL("nested_outer", gpu.Add(outer, "nested_outer"));
  return outer;
}

__attribute__((noinline)) CUgraph CaptureInnerLaunch(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("launch_inner", gpu.Launch("launch_inner"));
  return gpu.EndCapture();
}

// A graph that is launched during a capture becomes part of the other.
__attribute__((noinline)) CUgraph CaptureALaunch(const Gpu& gpu) {
  const CUgraph inner = CaptureInnerLaunch(gpu);
  const CUgraphExec executable = Instantiate(inner);
  CHECK_CUDA(cuGraphDestroy(inner));
  gpu.BeginCapture();
  LOGGED_CALL("launch_outer", gpu.Launch("launch_outer"));
  LOGGED_CALL("graph", CHECK_CUDA(cuGraphLaunch(executable, gpu.stream())));
  const CUgraph outer = gpu.EndCapture();
  CHECK_CUDA(cuGraphExecDestroy(executable));
  return outer;
}

__attribute__((noinline)) void InstantiateTwice(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("twice_kernel", gpu.Launch("twice_kernel"));
  const CUgraph graph = gpu.EndCapture();
  const CUgraphExec first = Instantiate(graph);
  Replay(gpu, first);
  CHECK_CUDA(cuGraphExecDestroy(first));
  ReplayAndDestroy(gpu, graph);
}

__attribute__((noinline)) CUgraph CaptureFirst(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("recreated_first", gpu.Launch("recreated_first"));
  return gpu.EndCapture();
}

__attribute__((noinline)) CUgraph CaptureLast(const Gpu& gpu) {
  gpu.BeginCapture();
  LOGGED_CALL("recreated_last", gpu.Launch("recreated_last"));
  return gpu.EndCapture();
}

__attribute__((noinline)) CUgraph CaptureOnAThread(const Gpu& gpu) {
  CUgraph graph;
  std::thread([&] {
    CHECK_CUDA(cuCtxSetCurrent(gpu.context()));
    gpu.BeginCapture();
    LOGGED_CALL("threaded_kernel", gpu.Launch("threaded_kernel"));
    graph = gpu.EndCapture();
  }).join();
  return graph;
}

__attribute__((noinline)) CUgraph AddForOther(const Gpu& other) {
  const CUgraph graph = NewGraph();
  LOGGED_CALL("other_device", other.Add(graph, "other_device"));
  return graph;
}

__attribute__((noinline)) CUgraph AddWithoutDevice(const Gpu& other) {
  CHECK_CUDA(cuCtxSetCurrent(nullptr));
  const CUgraph graph = NewGraph();
  LOGGED_CALL("no_device", other.Add(graph, "no_device"));
  CHECK_CUDA(cuCtxSetCurrent(other.context()));
  return graph;
}

void RunAll(const Gpu& gpu) {
  RunEager(gpu);
  ReplayAndDestroy(gpu, CaptureTwo(gpu));
  ReplayAndDestroy(gpu, AddTwo(gpu));
  ReplayAndDestroy(gpu, AddAndClone(gpu));
  ChangeParams(gpu);
  UpdateWhole(gpu);
  ReplayAndDestroy(gpu, AddOuter(gpu));
  ReplayAndDestroy(gpu, CaptureALaunch(gpu));
  InstantiateTwice(gpu);
  for (int round = 0; round < 3; ++round) {
    ReplayAndDestroy(gpu, CaptureFirst(gpu));
    ReplayAndDestroy(gpu, CaptureLast(gpu));
  }
  ReplayAndDestroy(gpu, CaptureOnAThread(gpu));
}

void RunOn(const Gpu& gpu, const Gpu& other) {
  CHECK_CUDA(cuCtxSetCurrent(gpu.context()));
  const CUgraph graph = AddForOther(other);
  CHECK_CUDA(cuCtxSetCurrent(other.context()));
  ReplayAndDestroy(other, graph);
  ReplayAndDestroy(other, AddWithoutDevice(other));
}

}  // namespace

int main(int argc, char** argv) {
  const int other_device = workload::NumberOption(argc, argv, "--other-device", -1);
  g_replays = workload::NumberOption(argc, argv, "--replays", g_replays);
  CHECK_CUDA(cuInit(0));
  const Gpu gpu(workload::NumberOption(argc, argv, "--device", 0));
  RunAll(gpu);
  if (other_device >= 0) {
    const Gpu other(other_device);
    RunOn(gpu, other);
  }
  CHECK_CUDA(cuCtxSetCurrent(gpu.context()));
  CHECK_CUDA(cuStreamSynchronize(gpu.stream()));
  std::printf("ran graphs of every shape\n");
  return 0;
}
