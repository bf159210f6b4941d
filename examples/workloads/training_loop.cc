// SPDX-License-Identifier: Apache-2.0
// A training loop in miniature: batches are copied in, a forward pass, a backward pass, an optimizer, now and then a
// checkpoint.
//
// usage: training_loop [--device N] [--steps N] [--layers N] [--load-us N]
//
// --load-us: what the host needs to prepare a batch; the GPU waits for it.
#include <cuda.h>

#include <cstdio>
#include <vector>

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

constexpr size_t kBatchBytes = 4 << 20;
constexpr size_t kWeightBytes = 32 << 20;

// The parts of a model have names as in a framework, so that the picture reads like one.
class Trainer {
 public:
  Trainer(const DeviceCode* code, int layers, int load_us)
      : code_(code), layers_(layers), load_ns_(static_cast<uint64_t>(load_us) * 1000) {
    CHECK_CUDA(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&batch_, kBatchBytes));
    CHECK_CUDA(cuMemAlloc(&weights_, kWeightBytes));
    CHECK_CUDA(cuMemAlloc(&gradients_, kWeightBytes));
    CHECK_CUDA(cuMemAllocHost(&host_batch_, kBatchBytes));
    CHECK_CUDA(cuEventCreate(&step_start_, CU_EVENT_DEFAULT));
    CHECK_CUDA(cuEventCreate(&step_end_, CU_EVENT_DEFAULT));
    LOGGED_CALL("memset", CHECK_CUDA(cuMemsetD32(weights_, 0, kWeightBytes / 4)));
  }

  ~Trainer() {
    cuEventDestroy(step_end_);
    cuEventDestroy(step_start_);
    cuMemFreeHost(host_batch_);
    cuMemFree(gradients_);
    cuMemFree(weights_);
    cuMemFree(batch_);
    cuStreamDestroy(stream_);
  }

  // Returns the GPU's time for the step in ms.
  __attribute__((noinline)) float TrainStep() {
    LoadBatch();
    CHECK_CUDA(cuEventRecord(step_start_, stream_));
    ZeroGradients();
    Forward();
    Backward();
    OptimizerStep();
    CHECK_CUDA(cuEventRecord(step_end_, stream_));
    CHECK_CUDA(cuEventSynchronize(step_end_));
    float milliseconds = 0;
    CHECK_CUDA(cuEventElapsedTime(&milliseconds, step_start_, step_end_));
    return milliseconds;
  }

  __attribute__((noinline)) void SaveCheckpoint() {
    std::vector<char> weights(kWeightBytes);
    LOGGED_CALL("memcpy DtoH", CHECK_CUDA(cuMemcpyDtoH(weights.data(), weights_, kWeightBytes)));
    HostWork(2'000'000);
  }

 private:
  __attribute__((noinline)) void LoadBatch() {
    HostWork(load_ns_);  // decoding and augmenting
    LOGGED_CALL("memcpy HtoD", CHECK_CUDA(cuMemcpyHtoDAsync(batch_, host_batch_, kBatchBytes, stream_)));
  }

  __attribute__((noinline)) void ZeroGradients() {
    LOGGED_CALL("memset", CHECK_CUDA(cuMemsetD8Async(gradients_, 0, kWeightBytes, stream_)));
  }

  __attribute__((noinline)) void Forward() {
    LOGGED_CALL(kernels::kEmbedding, Launch(kernels::kEmbedding, 512, 256));
    for (int layer = 0; layer < layers_; ++layer) TransformerBlockForward();
    LOGGED_CALL(kernels::kCrossEntropy, Launch(kernels::kCrossEntropy, 256, 1024));
  }

  __attribute__((noinline)) void TransformerBlockForward() {
    AttentionForward();
    MlpForward();
  }

  __attribute__((noinline)) void AttentionForward() {
    LOGGED_CALL(kernels::kLayerNorm, Launch(kernels::kLayerNorm, 512, 256));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, 1536, 128));
    LOGGED_CALL(kernels::kAttention, Launch(kernels::kAttention, 768, 256));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, 512, 128));
  }

  __attribute__((noinline)) void MlpForward() {
    LOGGED_CALL(kernels::kLayerNorm, Launch(kernels::kLayerNorm, 512, 256));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, 2048, 128));
    LOGGED_CALL(kernels::kGelu, Launch(kernels::kGelu, 2048, 512));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, 2048, 128));
  }

  __attribute__((noinline)) void Backward() {
    for (int layer = layers_; layer > 0; --layer) TransformerBlockBackward();
  }

  __attribute__((noinline)) void TransformerBlockBackward() {
    MlpBackward();
    AttentionBackward();
  }

  __attribute__((noinline)) void MlpBackward() {
    LOGGED_CALL(kernels::kMatmulBackward, Launch(kernels::kMatmulBackward, 4096, 128));
    LOGGED_CALL(kernels::kMatmulBackward, Launch(kernels::kMatmulBackward, 4096, 128));
    LOGGED_CALL(kernels::kLayerNormBackward, Launch(kernels::kLayerNormBackward, 512, 256));
  }

  __attribute__((noinline)) void AttentionBackward() {
    LOGGED_CALL(kernels::kAttentionBackward, Launch(kernels::kAttentionBackward, 1536, 256));
    LOGGED_CALL(kernels::kMatmulBackward, Launch(kernels::kMatmulBackward, 3072, 128));
    LOGGED_CALL(kernels::kLayerNormBackward, Launch(kernels::kLayerNormBackward, 512, 256));
  }

  __attribute__((noinline)) void OptimizerStep() {
    for (int layer = 0; layer < layers_; ++layer)
      LOGGED_CALL(kernels::kAdamUpdate, Launch(kernels::kAdamUpdate, 4096, 256));
  }

  void Launch(const char* kernel, unsigned blocks, unsigned threads) {
    KernelArguments arguments(weights_, 128);
    CHECK_CUDA(
        cuLaunchKernel((*code_)[kernel], blocks, 1, 1, threads, 1, 1, 0, stream_, arguments.pointers(), nullptr));
  }

  const DeviceCode* code_;
  int layers_;
  uint64_t load_ns_;
  CUstream stream_ = nullptr;
  CUdeviceptr batch_ = 0;
  CUdeviceptr weights_ = 0;
  CUdeviceptr gradients_ = 0;
  void* host_batch_ = nullptr;
  CUevent step_start_ = nullptr;
  CUevent step_end_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  const int device_ordinal = workload::NumberOption(argc, argv, "--device", 0);
  const int steps = workload::NumberOption(argc, argv, "--steps", 20);
  const int layers = workload::NumberOption(argc, argv, "--layers", 12);
  const int load_us = workload::NumberOption(argc, argv, "--load-us", 300);

  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, device_ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  double total = 0;
  {
    const DeviceCode code(kernels::All());
    Trainer trainer(&code, layers, load_us);
    for (int step = 0; step < steps; ++step) {
      total += trainer.TrainStep();
      if (step % 10 == 9) trainer.SaveCheckpoint();
    }
  }
  std::printf("%d steps, %.3f ms of GPU time per step\n", steps, total / steps);
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
