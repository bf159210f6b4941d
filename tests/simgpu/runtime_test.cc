// SPDX-License-Identifier: Apache-2.0
// The simulated runtime: called directly, and under a program that nvcc made.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

#define EXPECT_RT(call) EXPECT_EQ(call, cudaSuccess)

cudaKernel_t LoadKernel(const char* name) {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;
  EXPECT_RT(cudaLibraryLoadData(&library, kKernelsPtx, nullptr, nullptr, 0, nullptr, nullptr, 0));
  EXPECT_RT(cudaLibraryGetKernel(&kernel, library, name));
  return kernel;
}

cudaError_t LaunchAlpha(cudaKernel_t kernel, cudaStream_t stream, dim3 grid = {1, 1, 1}, dim3 block = {32, 1, 1}) {
  CUdeviceptr data = 0;
  unsigned count = 0;
  void* arguments[] = {&data, &count};
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments, 0, stream);
}

TEST(Runtime, NeedsNoInitialisation) {
  InChild({Topology("two-gpus")}, [] {
    int count = 0;
    EXPECT_RT(cudaGetDeviceCount(&count));
    EXPECT_EQ(count, 7);
    cudaDeviceProp properties;
    EXPECT_RT(cudaGetDeviceProperties(&properties, 0));
    EXPECT_NE(std::strstr(properties.name, " MIG "), nullptr);
    CUuuid uuid;
    EXPECT_CUDA(cuDeviceGetUuid_v2(&uuid, 0));
    EXPECT_EQ(std::memcmp(&uuid, &properties.uuid, sizeof(uuid)), 0);
    CUcontext context = nullptr;
    EXPECT_CUDA(cuCtxGetCurrent(&context));
    EXPECT_EQ(context, nullptr) << "questions need no context";
    void* memory = nullptr;
    EXPECT_RT(cudaMalloc(&memory, 64));
    EXPECT_CUDA(cuCtxGetCurrent(&context));
    EXPECT_NE(context, nullptr) << "memory does";
    EXPECT_RT(cudaSetDevice(6));
    EXPECT_EQ(cudaSetDevice(7), cudaErrorInvalidDevice);
    int device = -1;
    EXPECT_RT(cudaGetDevice(&device));
    EXPECT_EQ(device, 6);
    std::thread([] {
      int other = -1;
      EXPECT_RT(cudaGetDevice(&other));
      EXPECT_EQ(other, 0) << "each thread begins with the first";
    }).join();
  });
}

TEST(Runtime, NoDeviceIsAnErrorOnly) {
  const ChildResult result = RunInChild({{"SIMGPU_TOPOLOGY", "/nowhere"}}, [] {
    int count = 7;
    EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    EXPECT_EQ(cudaFree(nullptr), cudaErrorNoDevice);
  });
  EXPECT_EQ(result.exit_code, 0) << result.errors;
}

TEST(Runtime, KernelsOfLibraries) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    const cudaKernel_t alpha = LoadKernel("alpha");
    cudaStream_t stream = nullptr;
    EXPECT_RT(cudaStreamCreate(&stream));
    EXPECT_RT(LaunchAlpha(alpha, stream));
    EXPECT_RT(LaunchAlpha(alpha, nullptr));
    EXPECT_RT(LaunchAlpha(alpha, cudaStreamPerThread));
    EXPECT_EQ(LaunchAlpha(alpha, stream, {0, 1, 1}), cudaErrorInvalidConfiguration);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
    int unknown = 0;
    EXPECT_EQ(cudaLaunchKernel(&unknown, {1, 1, 1}, {1, 1, 1}, nullptr, 0, stream), cudaErrorInvalidDeviceFunction);
    const char* name = nullptr;
    EXPECT_RT(cudaFuncGetName(&name, reinterpret_cast<const void*>(alpha)));
    EXPECT_STREQ(name, "alpha");
    EXPECT_RT(cudaDeviceSynchronize());
  });
  std::map<uint32_t, int> launches_of_stream;
  for (const LedgerLine& line : ReadLedger(ledger)) ++launches_of_stream[line.stream];
  EXPECT_EQ(launches_of_stream.size(), 3u);
}

TEST(Runtime, CopiesOfEveryShape) {
  InChild([] {
    char* memory = nullptr;
    char host[64], back[64] = {};
    for (int i = 0; i < 64; ++i) host[i] = static_cast<char>(i);
    EXPECT_RT(cudaMalloc(reinterpret_cast<void**>(&memory), 4096));
    EXPECT_RT(cudaMemcpy(memory, host, 64, cudaMemcpyHostToDevice));
    EXPECT_RT(cudaMemcpy2D(back, 4, memory, 8, 4, 8, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; ++i) EXPECT_EQ(back[i], i / 4 * 8 + i % 4);
    EXPECT_EQ(cudaMemcpy(memory, host, 64, static_cast<cudaMemcpyKind>(7)), cudaErrorInvalidMemcpyDirection);
    // A box of 4 x 2 x 2 bytes out of rows of 8 and planes of 4 rows.
    cudaMemcpy3DParms params = {};
    params.srcPtr = {memory, 8, 8, 4};
    params.srcPos = {1, 1, 0};
    params.dstPtr = {back, 4, 4, 2};
    params.extent = {4, 2, 2};
    params.kind = cudaMemcpyDeviceToHost;
    EXPECT_RT(cudaMemcpy3D(&params));
    for (int i = 0; i < 16; ++i) EXPECT_EQ(back[i], i / 8 * 32 + (1 + i / 4 % 2) * 8 + 1 + i % 4) << i;
    EXPECT_RT(cudaMemset3D({memory, 8, 8, 4}, 9, {2, 4, 2}));
    EXPECT_RT(cudaMemcpy(back, memory, 64, cudaMemcpyDefault));
    for (int i = 0; i < 64; ++i) EXPECT_EQ(back[i], i % 8 < 2 ? 9 : i);
    cudaPointerAttributes attributes;
    EXPECT_RT(cudaPointerGetAttributes(&attributes, memory));
    EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
    EXPECT_RT(cudaPointerGetAttributes(&attributes, host));
    EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
  });
}

TEST(Runtime, GraphsByHand) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    const cudaKernel_t alpha = LoadKernel("alpha");
    void* memory = nullptr;
    EXPECT_RT(cudaMalloc(&memory, 64));
    cudaGraph_t graph = nullptr;
    EXPECT_RT(cudaGraphCreate(&graph, 0));
    CUdeviceptr data = 0;
    unsigned count = 0;
    void* arguments[] = {&data, &count};
    cudaKernelNodeParams kernel = {reinterpret_cast<void*>(alpha), {2, 1, 1}, {64, 1, 1}, 0, arguments, nullptr};
    cudaGraphNode_t first = nullptr, second = nullptr;
    EXPECT_RT(cudaGraphAddKernelNode(&first, graph, nullptr, 0, &kernel));
    const cudaMemsetParams memset = {memory, 0, 7, 1, 64, 1};
    EXPECT_RT(cudaGraphAddMemsetNode(&second, graph, &first, 1, &memset));
    size_t dependencies = 0;
    EXPECT_RT(cudaGraphNodeGetDependencies(second, nullptr, nullptr, &dependencies));
    EXPECT_EQ(dependencies, 1u);
    cudaGraphExec_t exec = nullptr;
    EXPECT_RT(cudaGraphInstantiate(&exec, graph, 0));
    EXPECT_RT(cudaGraphLaunch(exec, nullptr));
    EXPECT_RT(cudaDeviceSynchronize());
    char back = 0;
    EXPECT_RT(cudaMemcpy(&back, memory, 1, cudaMemcpyDeviceToHost));
    EXPECT_EQ(back, 7);
  });
  const std::vector<LedgerLine> lines = ReadLedger(ledger);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].graph_node_id, 0u);
  EXPECT_LE(lines[0].end_ns, lines[1].start_ns);
}

TEST(Runtime, ResetStartsAgain) {
  InChild([] {
    void* memory = nullptr;
    EXPECT_RT(cudaMalloc(&memory, size_t{1} << 30));
    size_t free_before = 0, free_after = 0, total = 0;
    EXPECT_RT(cudaMemGetInfo(&free_before, &total));
    EXPECT_RT(cudaDeviceReset());
    EXPECT_RT(cudaMemGetInfo(&free_after, &total));
    EXPECT_EQ(free_after - free_before, size_t{1} << 30);
    EXPECT_EQ(LaunchAlpha(LoadKernel("alpha"), nullptr), cudaSuccess);
  });
}

TEST(Runtime, WhatIsNotSimulatedSaysSo) {
  const ChildResult result = RunInChild({}, [] {
    cudaTextureObject_t texture = 0;
    EXPECT_EQ(cudaCreateTextureObject(&texture, nullptr, nullptr, nullptr), cudaErrorNotSupported);
    EXPECT_EQ(cudaCreateTextureObject(&texture, nullptr, nullptr, nullptr), cudaErrorNotSupported);
  });
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.errors, "simgpu: cudaCreateTextureObject is not simulated; it returns cudaErrorNotSupported\n");
}

#ifdef SIMGPU_TEST_RUNTIME_PROGRAM

TEST(NvccProgram, RunsUnmodified) {
  const std::string ledger = TemporaryFile(".jsonl");
  std::string output;
  const ChildResult result =
      RunProgram({{"SIMGPU_LEDGER", ledger}, {"CUDA_VISIBLE_DEVICES", "1"}}, {SIMGPU_TEST_RUNTIME_PROGRAM}, &output);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(output, "ok NVIDIA H100 80GB HBM3 MIG 2g.20gb, 32 SMs\n") << result.errors;
  std::map<std::string, int> count;
  for (const LedgerLine& line : ReadLedger(ledger)) ++count[line.name];
  EXPECT_EQ(count["_Z4axpyifPKfPf"], 7) << "mangled, once directly and three times in each of two graph launches";
  EXPECT_EQ(count["_Z4fillIfEvPT_S0_"], 1);
  EXPECT_EQ(count["memset"], 2);
}

TEST(NvccProgram, IsWatchedFromItsFirstCallOn) {
  const std::string protocol = TemporaryFile(".protocol");
  const ChildResult result =
      RunProgram({{"CUDA_INJECTION64_PATH", SIMGPU_TEST_PROBE}, {"PROBE_PROTOCOL", protocol}, {"PROBE_MODE", "watch"}},
                 {SIMGPU_TEST_RUNTIME_PROGRAM});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  std::ostringstream text;
  text << std::ifstream(protocol).rdbuf();
  EXPECT_NE(text.str().find("context created\n"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("launch _Z4axpyifPKfPf\n"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("kernels 8\n"), std::string::npos) << text.str();
}

TEST(NvccProgram, EndsCleanlyWhereThereIsNoGpu) {
  std::string output;
  const ChildResult result = RunProgram({{"SIMGPU_TOPOLOGY", "/nowhere"}}, {SIMGPU_TEST_RUNTIME_PROGRAM}, &output);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(output.find("cudaErrorNoDevice"), std::string::npos) << output;
}

#else

TEST(NvccProgram, RunsUnmodified) {
  GTEST_SKIP() << "NO PROGRAM: there is no nvcc, or this is a build for a sanitizer";
}

#endif

}  // namespace
}  // namespace simgpu::test
