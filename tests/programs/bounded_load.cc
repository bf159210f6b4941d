// SPDX-License-Identifier: Apache-2.0
// Load for bounded recordings: on every device, with a thread each, memory that is taken at the start and kept, a graph
// that is captured at the start, and then rounds of a few launches, a copy, an allocation that is given back, and a
// replay of the graph. What is captured and kept must be known for as long as it lives.
//
// usage: bounded_load [--rounds N] [--devices N]
#include <cuda.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "examples/workloads/common/transformer_kernels.h"

namespace {

using workload::DeviceCode;
using workload::KernelArguments;
namespace kernels = workload::kernels;

constexpr size_t kKeptBytes = 3 << 20;

void Launch(const DeviceCode& code, const char* kernel, CUdeviceptr data, CUstream stream) {
  KernelArguments arguments(data, 128);
  CHECK_CUDA(cuLaunchKernel(code[kernel], 64, 1, 1, 128, 1, 1, 0, stream, arguments.pointers(), nullptr));
}

__attribute__((noinline)) CUdeviceptr TakeWhatIsKept() {
  CUdeviceptr data = 0;
  CHECK_CUDA(cuMemAlloc(&data, kKeptBytes));
  return data;
}

__attribute__((noinline)) void CapturedAtTheStart(const DeviceCode& code, CUdeviceptr data, CUstream stream) {
  for (int layer = 0; layer < 4; ++layer) Launch(code, kernels::kGelu, data, stream);
}

CUgraphExec Capture(const DeviceCode& code, CUdeviceptr data, CUstream stream) {
  CUgraph graph;
  CUgraphExec executable;
  CHECK_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  CapturedAtTheStart(code, data, stream);
  CHECK_CUDA(cuStreamEndCapture(stream, &graph));
  CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
  CHECK_CUDA(cuGraphDestroy(graph));
  return executable;
}

__attribute__((noinline)) void Round(const DeviceCode& code, CUdeviceptr data, CUgraphExec graph, CUstream stream) {
  for (int i = 0; i < 4; ++i) Launch(code, kernels::kMatmul, data, stream);
  CHECK_CUDA(cuMemsetD8Async(data, 0, 4096, stream));
  CUdeviceptr scratch = 0;
  CHECK_CUDA(cuMemAlloc(&scratch, 4096));
  CHECK_CUDA(cuGraphLaunch(graph, stream));
  CHECK_CUDA(cuStreamSynchronize(stream));
  CHECK_CUDA(cuMemFree(scratch));
}

void UseDevice(int ordinal, int rounds) {
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  {
    const DeviceCode code(kernels::All());
    CUstream stream;
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    const CUdeviceptr data = TakeWhatIsKept();
    const CUgraphExec graph = Capture(code, data, stream);
    for (int round = 0; round < rounds; ++round) Round(code, data, graph, stream);
    CHECK_CUDA(cuGraphExecDestroy(graph));
    CHECK_CUDA(cuMemFree(data));
    CHECK_CUDA(cuStreamDestroy(stream));
  }
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = workload::NumberOption(argc, argv, "--rounds", 1000);
  const int most = workload::NumberOption(argc, argv, "--devices", 64);
  CHECK_CUDA(cuInit(0));
  int devices = 0;
  CHECK_CUDA(cuDeviceGetCount(&devices));
  devices = std::min(devices, most);
  std::vector<std::thread> threads;
  for (int ordinal = 0; ordinal < devices; ++ordinal) threads.emplace_back(UseDevice, ordinal, rounds);
  for (std::thread& thread : threads) thread.join();
  std::printf("%d rounds on each of %d devices\n", rounds, devices);
  return 0;
}
