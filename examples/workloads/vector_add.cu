// SPDX-License-Identifier: Apache-2.0
// The first CUDA program everybody writes, with a few launches more.
#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

#include "examples/workloads/common/call_site.h"

namespace {

__global__ void AddVectors(const float* a, const float* b, float* sum, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) sum[i] = a[i] + b[i];
}

template <int kFactor>
__global__ void Scale(float* values, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) values[i] *= kFactor;
}

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

__attribute__((noinline)) void Add(const float* a, const float* b, float* sum, int count, cudaStream_t stream) {
  LOGGED_CALL("AddVectors", (AddVectors<<<(count + 255) / 256, 256, 0, stream>>>(a, b, sum, count)));
  Check(cudaGetLastError(), "AddVectors");
}

__attribute__((noinline)) void Double(float* values, int count, cudaStream_t stream) {
  LOGGED_CALL("Scale", (Scale<2><<<(count + 255) / 256, 256, 0, stream>>>(values, count)));
  Check(cudaGetLastError(), "Scale");
}

}  // namespace

int main() {
  constexpr int kCount = 1 << 20;
  constexpr size_t kBytes = kCount * sizeof(float);
  std::vector<float> host(kCount, 1.0f);
  float* a = nullptr;
  float* b = nullptr;
  float* sum = nullptr;
  cudaStream_t stream = nullptr;
  Check(cudaMalloc(&a, kBytes), "cudaMalloc");
  Check(cudaMalloc(&b, kBytes), "cudaMalloc");
  Check(cudaMalloc(&sum, kBytes), "cudaMalloc");
  Check(cudaStreamCreate(&stream), "cudaStreamCreate");
  Check(cudaMemcpy(a, host.data(), kBytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  Check(cudaMemcpy(b, host.data(), kBytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  for (int round = 0; round < 50; ++round) {
    Add(a, b, sum, kCount, stream);
    Double(sum, kCount, stream);
  }
  Check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  Check(cudaMemcpy(host.data(), sum, kBytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  // On the simulated GPU kernels compute nothing, so the value is only printed.
  std::printf("added %d numbers; the first sum is %g\n", kCount, static_cast<double>(host[0]));
  Check(cudaFree(sum), "cudaFree");
  Check(cudaFree(b), "cudaFree");
  Check(cudaFree(a), "cudaFree");
  Check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  return 0;
}
