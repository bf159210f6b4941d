// SPDX-License-Identifier: Apache-2.0
// The beginning of nearly every program in these tests: a context, a stream, a few kernels.
#pragma once

#include <cuda.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace simgpu::test {

#define EXPECT_CUDA(call) EXPECT_EQ(call, CUDA_SUCCESS)
#define ASSERT_CUDA(call) ASSERT_EQ(call, CUDA_SUCCESS)

// PTX with the kernels `alpha`, `beta` (at most 128 threads, 1 KiB of shared memory) and `gamma`, and the variable
// `table`.
extern const char kKernelsPtx[];

// cuInit, a context on device `ordinal`, kKernelsPtx loaded, a stream.
class GpuProgram {
 public:
  explicit GpuProgram(CUdevice ordinal = 0);

  // Launches a kernel with as little as possible said.
  CUresult Launch(CUfunction kernel, CUstream in_stream, unsigned blocks = 1, unsigned threads = 32) const;
  CUdeviceptr Allocate(size_t bytes) const;

  CUdevice device = 0;
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  CUfunction alpha = nullptr;
  CUfunction beta = nullptr;
  CUfunction gamma = nullptr;
  CUstream stream = nullptr;
};

// One line of the ledger.
struct LedgerLine {
  std::string slice;
  int64_t pid = 0;
  std::string kind;
  std::string name;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
  uint32_t correlation_id = 0;
  uint32_t stream = 0;
  uint64_t bytes = 0;
  uint64_t graph_node_id = 0;

  bool operator==(const LedgerLine&) const = default;
};

// Every line of a ledger file; a line that is none fails the test.
std::vector<LedgerLine> ReadLedger(const std::string& file);

}  // namespace simgpu::test
