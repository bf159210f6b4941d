// SPDX-License-Identifier: Apache-2.0
// Chunks of work flow through several streams, ordered by events; then the same as a captured graph.
#include <cuda_runtime.h>

#include <cstdio>

#include "examples/workloads/common/call_site.h"

namespace {

constexpr int kStreams = 3;
constexpr int kCount = 1 << 18;

__global__ void Smooth(float* values, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < count) values[i] = 0.5f * (values[i] + values[i - 1]);
}

__global__ void Reduce(const float* values, float* sum, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) atomicAdd(sum, values[i]);
}

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

__attribute__((noinline)) void SmoothChunk(float* values, cudaStream_t stream) {
  LOGGED_CALL("Smooth", (Smooth<<<kCount / 256, 256, 0, stream>>>(values, kCount)));
}

__attribute__((noinline)) void ReduceChunk(const float* values, float* sum, cudaStream_t stream) {
  LOGGED_CALL("Reduce", (Reduce<<<kCount / 256, 256, 0, stream>>>(values, sum, kCount)));
}

}  // namespace

int main() {
  cudaStream_t streams[kStreams];
  float* chunks[kStreams];
  float* sum = nullptr;
  cudaEvent_t smoothed;
  Check(cudaMalloc(&sum, sizeof(float)), "cudaMalloc");
  Check(cudaMemset(sum, 0, sizeof(float)), "cudaMemset");
  Check(cudaEventCreate(&smoothed), "cudaEventCreate");
  for (int i = 0; i < kStreams; ++i) {
    Check(cudaStreamCreate(&streams[i]), "cudaStreamCreate");
    Check(cudaMalloc(&chunks[i], kCount * sizeof(float)), "cudaMalloc");
  }
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kStreams; ++i) SmoothChunk(chunks[i], streams[i]);
    for (int i = 0; i < kStreams; ++i) ReduceChunk(chunks[i], sum, streams[i]);
  }
  Check(cudaEventRecord(smoothed, streams[0]), "cudaEventRecord");
  Check(cudaEventSynchronize(smoothed), "cudaEventSynchronize");

  cudaGraph_t graph;
  cudaGraphExec_t executable;
  Check(cudaStreamBeginCapture(streams[0], cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  SmoothChunk(chunks[0], streams[0]);
  ReduceChunk(chunks[0], sum, streams[0]);
  Check(cudaStreamEndCapture(streams[0], &graph), "cudaStreamEndCapture");
  Check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
  for (int replay = 0; replay < 10; ++replay) {
    LOGGED_CALL("graph", Check(cudaGraphLaunch(executable, streams[0]), "cudaGraphLaunch"));
  }
  Check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  std::printf("%d streams\n", kStreams);
  Check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  Check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  for (int i = 0; i < kStreams; ++i) {
    Check(cudaFree(chunks[i]), "cudaFree");
    Check(cudaStreamDestroy(streams[i]), "cudaStreamDestroy");
  }
  Check(cudaFree(sum), "cudaFree");
  Check(cudaEventDestroy(smoothed), "cudaEventDestroy");
  return 0;
}
