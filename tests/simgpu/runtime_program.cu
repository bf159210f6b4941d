// SPDX-License-Identifier: Apache-2.0
// A program as people write them, compiled by nvcc against the shared runtime. It prints "ok" and its device's name, or
// what failed.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define CHECK(call)                                                               \
  do {                                                                            \
    const cudaError_t error = (call);                                             \
    if (error != cudaSuccess) {                                                   \
      std::printf("line %d: %s: %s\n", __LINE__, #call, cudaGetErrorName(error)); \
      std::exit(1);                                                               \
    }                                                                             \
  } while (false)
#define REQUIRE(condition)                                    \
  do {                                                        \
    if (!(condition)) {                                       \
      std::printf("line %d: not %s\n", __LINE__, #condition); \
      std::exit(1);                                           \
    }                                                         \
  } while (false)

__device__ int device_values[64];
__constant__ float constants[16];
__managed__ int managed_value = 0;

__global__ void axpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

template <class T>
__global__ void fill(T* out, T value) {
  extern __shared__ char scratch[];
  scratch[threadIdx.x] = 0;
  out[blockIdx.x * blockDim.x + threadIdx.x] = value + device_values[0] + constants[0] + managed_value;
}

static void UseSymbols() {
  int values[64], back[64] = {};
  for (int i = 0; i < 64; ++i) values[i] = i * i;
  CHECK(cudaMemcpyToSymbol(device_values, values, sizeof(values)));
  CHECK(cudaMemcpyFromSymbol(back, device_values, sizeof(int) * 32, sizeof(int) * 32));
  REQUIRE(std::memcmp(back, values + 32, sizeof(int) * 32) == 0);
  size_t bytes = 0;
  CHECK(cudaGetSymbolSize(&bytes, constants));
  REQUIRE(bytes == 64);
  void* address = nullptr;
  CHECK(cudaGetSymbolAddress(&address, constants));
  REQUIRE(address != nullptr);
  managed_value = 5;
  REQUIRE(managed_value == 5);
}

static void UseStreams(float* x, float* y) {
  cudaStream_t stream, other;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CHECK(cudaStreamCreate(&other));
  cudaEvent_t start, stop;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&stop));
  CHECK(cudaEventRecord(start, stream));
  axpy<<<64, 256, 0, stream>>>(1024, 2.f, x, y);
  CHECK(cudaGetLastError());
  CHECK(cudaEventRecord(stop, stream));
  CHECK(cudaStreamWaitEvent(other, stop));
  fill<float><<<8, 128, 128, other>>>(x, 1.f);
  CHECK(cudaGetLastError());
  CHECK(cudaEventSynchronize(stop));
  float milliseconds = 0;
  CHECK(cudaEventElapsedTime(&milliseconds, start, stop));
  REQUIRE(milliseconds > 0);
  CHECK(cudaStreamSynchronize(other));
  int* pooled = nullptr;
  CHECK(cudaMallocAsync(&pooled, 1 << 20, stream));
  CHECK(cudaFreeAsync(pooled, stream));
  CHECK(cudaStreamDestroy(stream));
  CHECK(cudaStreamDestroy(other));
}

static void UseGraph(float* x, float* y) {
  cudaStream_t stream;
  CHECK(cudaStreamCreate(&stream));
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  for (int i = 0; i < 3; ++i) axpy<<<16, 128, 0, stream>>>(1024, 3.f, x, y);
  CHECK(cudaMemsetAsync(y, 0, 64, stream));
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 2; ++i) CHECK(cudaGraphLaunch(exec, stream));
  CHECK(cudaStreamSynchronize(stream));
  CHECK(cudaGraphExecDestroy(exec));
  CHECK(cudaGraphDestroy(graph));
}

static void MakeMistakes(float* x) {
  axpy<<<1, 2000>>>(0, 0, x, x);
  REQUIRE(cudaGetLastError() == cudaErrorInvalidConfiguration);
  void* too_much = nullptr;
  REQUIRE(cudaMalloc(&too_much, size_t{1} << 44) == cudaErrorMemoryAllocation);
  REQUIRE(cudaPeekAtLastError() == cudaErrorMemoryAllocation);
  REQUIRE(cudaGetLastError() == cudaErrorMemoryAllocation);
  REQUIRE(cudaGetLastError() == cudaSuccess);
}

int main() {
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  float *x = nullptr, *y = nullptr;
  CHECK(cudaMalloc(&x, 4096));
  CHECK(cudaMalloc(&y, 4096));
  const std::vector<float> ones(1024, 1.f);
  std::vector<float> back(1024);
  CHECK(cudaMemcpy(x, ones.data(), 4096, cudaMemcpyHostToDevice));
  CHECK(cudaMemcpy(y, x, 4096, cudaMemcpyDefault));
  CHECK(cudaMemcpy(back.data(), y, 4096, cudaMemcpyDeviceToHost));
  REQUIRE(back == ones);
  UseSymbols();
  cudaFuncAttributes attributes;
  CHECK(cudaFuncGetAttributes(&attributes, axpy));
  REQUIRE(attributes.numRegs > 4 && attributes.maxThreadsPerBlock == 1024);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, fill<float>, 128, 0));
  REQUIRE(blocks == 16);
  UseStreams(x, y);
  UseGraph(x, y);
  MakeMistakes(x);
  CHECK(cudaFree(x));
  CHECK(cudaFree(y));
  CHECK(cudaDeviceSynchronize());
  std::printf("ok %s, %d SMs\n", properties.name, properties.multiProcessorCount);
  return 0;
}
