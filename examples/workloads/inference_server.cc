// SPDX-License-Identifier: Apache-2.0
// A language model server in miniature: several workers, each with a stream of its own, take prompts of different
// lengths and generate tokens one by one.
//
// usage: inference_server [--device N] [--workers N] [--requests N] [--layers N]
#include <cuda.h>

#include <cstdio>
#include <random>
#include <thread>
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

constexpr size_t kTokenBytes = 4096;  // of one token's activations

struct Request {
  unsigned prompt_tokens;
  unsigned new_tokens;
};

// One worker's share of the card.
class Worker {
 public:
  Worker(CUcontext context, const DeviceCode* code, int layers) : context_(context), code_(code), layers_(layers) {}

  void Serve(const std::vector<Request>& requests) {
    CHECK_CUDA(cuCtxSetCurrent(context_));
    CHECK_CUDA(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&activations_, 512 * kTokenBytes));
    CHECK_CUDA(cuMemAllocHost(&staging_, 512 * kTokenBytes));
    for (const Request& request : requests) HandleRequest(request);
    CHECK_CUDA(cuMemFreeHost(staging_));
    CHECK_CUDA(cuMemFree(activations_));
    CHECK_CUDA(cuStreamDestroy(stream_));
  }

 private:
  __attribute__((noinline)) void HandleRequest(const Request& request) {
    Tokenize(request.prompt_tokens);
    Prefill(request.prompt_tokens);
    for (unsigned token = 0; token < request.new_tokens; ++token) {
      DecodeStep();
      StreamToken();
    }
  }

  __attribute__((noinline)) void Tokenize(unsigned tokens) {
    HostWork(2'000 * tokens);
    LOGGED_CALL("memcpy HtoD",
                CHECK_CUDA(cuMemcpyHtoDAsync(activations_, staging_, size_t{tokens} * kTokenBytes, stream_)));
  }

  __attribute__((noinline)) void Prefill(unsigned tokens) {
    KernelArguments arguments(activations_, 64);
    LOGGED_CALL(kernels::kEmbedding, Launch(kernels::kEmbedding, tokens, 256, &arguments));
    for (int layer = 0; layer < layers_; ++layer) DecoderLayer(tokens * 8);
  }

  __attribute__((noinline)) void DecodeStep() {
    HostWork(15'000);  // scheduling the batch
    for (int layer = 0; layer < layers_; ++layer) DecoderLayer(8);
    SampleToken();
  }

  __attribute__((noinline)) void DecoderLayer(unsigned blocks) {
    SelfAttention(blocks);
    FeedForward(blocks);
  }

  __attribute__((noinline)) void SelfAttention(unsigned blocks) {
    KernelArguments arguments(activations_, 256);
    LOGGED_CALL(kernels::kLayerNorm, Launch(kernels::kLayerNorm, blocks, 256, &arguments));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, blocks * 3, 128, &arguments));
    LOGGED_CALL(kernels::kRope, Launch(kernels::kRope, blocks, 128, &arguments));
    LOGGED_CALL(kernels::kAttention, Launch(kernels::kAttention, blocks * 2, 256, &arguments));
  }

  __attribute__((noinline)) void FeedForward(unsigned blocks) {
    KernelArguments arguments(activations_, 512);
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, blocks * 4, 128, &arguments));
    LOGGED_CALL(kernels::kGelu, Launch(kernels::kGelu, blocks, 512, &arguments));
    LOGGED_CALL(kernels::kMatmul, Launch(kernels::kMatmul, blocks * 4, 128, &arguments));
  }

  __attribute__((noinline)) void SampleToken() {
    KernelArguments arguments(activations_, 32);
    LOGGED_CALL(kernels::kSampleToken, Launch(kernels::kSampleToken, 1, 1024, &arguments));
  }

  __attribute__((noinline)) void StreamToken() {
    LOGGED_CALL("memcpy DtoH", CHECK_CUDA(cuMemcpyDtoHAsync(staging_, activations_, 4, stream_)));
    CHECK_CUDA(cuStreamSynchronize(stream_));
    HostWork(5'000);  // writing it to the client
  }

  void Launch(const char* kernel, unsigned blocks, unsigned threads, KernelArguments* arguments) {
    CHECK_CUDA(
        cuLaunchKernel((*code_)[kernel], blocks, 1, 1, threads, 1, 1, 0, stream_, arguments->pointers(), nullptr));
  }

  CUcontext context_;
  const DeviceCode* code_;
  int layers_;
  CUstream stream_ = nullptr;
  CUdeviceptr activations_ = 0;
  void* staging_ = nullptr;
};

std::vector<Request> MakeRequests(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Request> requests;
  for (int i = 0; i < count; ++i)
    requests.push_back({16 + static_cast<unsigned>(random() % 112), 4 + static_cast<unsigned>(random() % 12)});
  return requests;
}

}  // namespace

int main(int argc, char** argv) {
  const int device_ordinal = workload::NumberOption(argc, argv, "--device", 0);
  const int workers = workload::NumberOption(argc, argv, "--workers", 3);
  const int requests = workload::NumberOption(argc, argv, "--requests", 6);
  const int layers = workload::NumberOption(argc, argv, "--layers", 8);

  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, device_ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  {
    const DeviceCode code(kernels::All());
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) {
      threads.emplace_back([&, i] { Worker(context, &code, layers).Serve(MakeRequests(requests, 100 + i)); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("served %d requests with %d workers\n", requests * workers, workers);
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
