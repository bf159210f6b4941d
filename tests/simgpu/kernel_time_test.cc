// SPDX-License-Identifier: Apache-2.0
// How long things take: waves of blocks over SMs, bytes over bandwidths, and what topology and environment change about
// that.
#include <cuda.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

extern "C" void simgpu_host_work_ns(uint64_t ns);

namespace simgpu::test {
namespace {

std::vector<LedgerLine> Executed(Environment environment, const std::function<void()>& body) {
  const std::string file = TemporaryFile(".jsonl");
  environment.emplace_back("SIMGPU_LEDGER", file);
  InChild(environment, body);
  return ReadLedger(file);
}

// The time of one kernel on device `ordinal`.
uint64_t KernelNs(CUdevice ordinal, unsigned blocks, unsigned threads, unsigned shared_bytes = 0,
                  Environment environment = {}) {
  const std::vector<LedgerLine> work = Executed(std::move(environment), [=] {
    const GpuProgram gpu(ordinal);
    if (shared_bytes > 48 * 1024) {
      const auto bytes = static_cast<int>(shared_bytes);
      EXPECT_CUDA(cuFuncSetAttribute(gpu.alpha, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes));
    }
    EXPECT_CUDA(cuLaunchKernel(gpu.alpha, blocks, 1, 1, threads, 1, 1, shared_bytes, gpu.stream, nullptr, nullptr));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  return work.size() == 1 ? work[0].end_ns - work[0].start_ns : 0;
}

TEST(KernelTime, HalfTheSmsMeanTwiceTheWaves) {
  // 1024 threads leave room for two blocks on an SM.
  EXPECT_EQ(KernelNs(0, 64 * 2, 1024), 2000u + 3000u);
  EXPECT_EQ(KernelNs(0, 64 * 2 + 1, 1024), 2000u + 2 * 3000u);
  EXPECT_EQ(KernelNs(1, 64 * 2, 1024), 2000u + 2 * 3000u) << "2g has 32 SMs";
  EXPECT_EQ(KernelNs(2, 64 * 2, 1024), 2000u + 4 * 3000u) << "1g has 16 SMs";
}

TEST(KernelTime, OccupancyFollowsThreadsAndSharedMemory) {
  EXPECT_EQ(KernelNs(2, 16 * 8, 256), 2000u + 3000u) << "8 blocks of 256 threads per SM";
  EXPECT_EQ(KernelNs(2, 16 * 32, 32), 2000u + 3000u) << "at most 32 blocks per SM";
  EXPECT_EQ(KernelNs(2, 16 * 2, 32, 100 * 1024), 2000u + 3000u) << "two times 101 KiB of 228";
  EXPECT_EQ(KernelNs(2, 16 * 2 + 1, 32, 100 * 1024), 2000u + 2 * 3000u);
}

TEST(KernelTime, RulesOfTheEnvironmentComeFirst) {
  const std::string rules = TemporaryFile(".json");
  std::ofstream(rules) << R"([{"match": "^alp", "base_ns": 100, "wave_ns": 7}, {"match": ".", "base_ns": 1}])";
  EXPECT_EQ(KernelNs(0, 64 * 2 * 3, 1024, 0, {{"SIMGPU_KERNELS", rules}}), 100u + 3 * 7u);
  std::ofstream(rules) << R"([{"match": "beta", "base_ns": 100}])";
  EXPECT_EQ(KernelNs(0, 1, 32, 0, {{"SIMGPU_KERNELS", rules}}), 5000u);
}

TEST(KernelTime, TopologyCanChangeTheModel) {
  const std::string shipped = LibraryFolder() + "/topologies/h100-mixed.json";
  std::ifstream source(shipped);
  std::string text(std::istreambuf_iterator<char>(source), {});
  text.insert(text.find('{') + 1, R"("model": {"kernel_base_ns": 10, "wave_ns": 20}, )"
                                  R"("kernels": [{"match": "gamma", "wave_ns": 500}],)");
  const std::string file = TemporaryFile(".json");
  std::ofstream(file) << text;
  EXPECT_EQ(KernelNs(0, 1, 32, 0, {{"SIMGPU_TOPOLOGY", file}}), 30u);
}

TEST(CopyTime, PcieForTheHostAndTheSlicesMemoryOtherwise) {
  constexpr size_t kBytes = 55'000'000;
  const std::vector<LedgerLine> work = Executed({}, [] {
    const GpuProgram gpu(2);
    const CUdeviceptr memory = gpu.Allocate(2 * kBytes);
    std::vector<char> host(kBytes);
    EXPECT_CUDA(cuMemcpyHtoD(memory, host.data(), kBytes));
    EXPECT_CUDA(cuMemcpyDtoD(memory + kBytes, memory, kBytes));
    EXPECT_CUDA(cuMemsetD8(memory, 1, kBytes));
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[0].end_ns - work[0].start_ns, 1500u + 1'000'000) << "55 GB/s";
  EXPECT_EQ(work[1].end_ns - work[1].start_ns, 1500u + 2 * kBytes * 1000 / 419'000) << "an eighth of 3352 GB/s";
  EXPECT_EQ(work[2].end_ns - work[2].start_ns, 1500u + kBytes * 1000 / 419'000);
  EXPECT_EQ(work[0].bytes, kBytes);
}

TEST(HostTime, WorkloadCanLetItPass) {
  const std::vector<LedgerLine> work = Executed({}, [] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    simgpu_host_work_ns(5'000'000);
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  ASSERT_EQ(work.size(), 2u);
  // The work, one more call, and the latency of a launch.
  EXPECT_EQ(work[1].start_ns - work[0].end_ns, 5'000'000u + 1500 + 4000);
}

TEST(HostTime, CallsTakeTime) {
  const std::vector<LedgerLine> work = Executed({}, [] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    CUstream other;
    EXPECT_CUDA(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, other));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 2u);
  EXPECT_EQ(work[1].start_ns - work[0].start_ns, 2 * 1500u);
}

}  // namespace
}  // namespace simgpu::test
