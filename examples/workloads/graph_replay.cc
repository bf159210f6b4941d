// SPDX-License-Identifier: Apache-2.0
// One step of a model runs eagerly, is captured into a CUDA graph, and then replayed many times, as serving engines do.
//
// usage: graph_replay [--device N] [--replays N] [--layers N]
#include <cuda.h>

#include <cstdio>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/call_site.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "examples/workloads/common/host_work.h"
#include "examples/workloads/common/transformer_kernels.h"

namespace {

using workload::DeviceCode;
using workload::HostWork;
using workload::KernelArguments;
namespace kernels = workload::kernels;

class Model {
 public:
  Model(const DeviceCode* code, CUdeviceptr data, CUstream stream, int layers)
      : code_(code), data_(data), stream_(stream), layers_(layers) {}

  __attribute__((noinline)) void Step() {
    LOGGED_CALL("memset", CHECK_CUDA(cuMemsetD8Async(data_, 0, 1 << 20, stream_)));
    for (int layer = 0; layer < layers_; ++layer) Layer();
  }

 private:
  __attribute__((noinline)) void Layer() {
    Attention();
    FeedForward();
  }
  __attribute__((noinline)) void Attention() {
    LOGGED_CALL(kernels::kLayerNorm, Launch(kernels::kLayerNorm, 64, 256));
    LOGGED_CALL(kernels::kAttention, Launch(kernels::kAttention, 192, 256));
  }
  __attribute__((noinline)) void FeedForward() {
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, 512, 128));
    LOGGED_CALL(kernels::kGelu, Launch(kernels::kGelu, 128, 512));
  }
  void Launch(const char* kernel, unsigned blocks, unsigned threads) {
    KernelArguments arguments(data_, 64);
    CHECK_CUDA(
        cuLaunchKernel((*code_)[kernel], blocks, 1, 1, threads, 1, 1, 0, stream_, arguments.pointers(), nullptr));
  }

  const DeviceCode* code_;
  CUdeviceptr data_;
  CUstream stream_;
  int layers_;
};

__attribute__((noinline)) CUgraphExec CaptureStep(Model* model, CUstream stream) {
  CUgraph graph;
  CUgraphExec executable;
  CHECK_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  model->Step();
  CHECK_CUDA(cuStreamEndCapture(stream, &graph));
  CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
  CHECK_CUDA(cuGraphDestroy(graph));
  return executable;
}

__attribute__((noinline)) void ReplayStep(CUgraphExec executable, CUstream stream) {
  HostWork(20'000);
  LOGGED_CALL("graph", CHECK_CUDA(cuGraphLaunch(executable, stream)));
  CHECK_CUDA(cuStreamSynchronize(stream));
}

}  // namespace

int main(int argc, char** argv) {
  const int device_ordinal = workload::NumberOption(argc, argv, "--device", 0);
  const int replays = workload::NumberOption(argc, argv, "--replays", 50);
  const int layers = workload::NumberOption(argc, argv, "--layers", 12);

  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, device_ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  {
    const DeviceCode code(kernels::All());
    CUstream stream;
    CUdeviceptr data;
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&data, 1 << 20));
    Model model(&code, data, stream, layers);
    for (int warm_up = 0; warm_up < 3; ++warm_up) model.Step();
    CHECK_CUDA(cuStreamSynchronize(stream));
    const CUgraphExec executable = CaptureStep(&model, stream);
    for (int replay = 0; replay < replays; ++replay) ReplayStep(executable, stream);
    CHECK_CUDA(cuGraphExecDestroy(executable));
    CHECK_CUDA(cuMemFree(data));
    CHECK_CUDA(cuStreamDestroy(stream));
  }
  std::printf("replayed a graph %d times\n", replays);
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
