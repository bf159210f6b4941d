// SPDX-License-Identifier: Apache-2.0
#include "tests/simgpu/gpu_program.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace simgpu::test {

const char kKernelsPtx[] = R"(
.version 8.0
.target sm_80
.address_size 64

.global .align 4 .b8 table[256];

.visible .entry alpha(.param .u64 data, .param .u32 count)
{
  ret;
}

// A comment with .entry not_a_kernel( in it.
.visible .entry beta(
  .param .u64 data
)
.maxntid 128, 1, 1
{
  .shared .align 16 .b8 tile[1024];
  ret;
}

.visible .entry gamma()
{
  ret;
}
)";

GpuProgram::GpuProgram(CUdevice ordinal) : device(ordinal) {
  EXPECT_CUDA(cuInit(0));
  EXPECT_CUDA(cuCtxCreate(&context, nullptr, 0, device));
  EXPECT_CUDA(cuModuleLoadData(&module, kKernelsPtx));
  EXPECT_CUDA(cuModuleGetFunction(&alpha, module, "alpha"));
  EXPECT_CUDA(cuModuleGetFunction(&beta, module, "beta"));
  EXPECT_CUDA(cuModuleGetFunction(&gamma, module, "gamma"));
  EXPECT_CUDA(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
}

CUresult GpuProgram::Launch(CUfunction kernel, CUstream in_stream, unsigned blocks, unsigned threads) const {
  CUdeviceptr data = 0;
  unsigned count = 0;
  void* arguments[] = {&data, &count};
  return cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, in_stream, arguments, nullptr);
}

CUdeviceptr GpuProgram::Allocate(size_t bytes) const {
  CUdeviceptr address = 0;
  EXPECT_CUDA(cuMemAlloc(&address, bytes));
  return address;
}

std::vector<LedgerLine> ReadLedger(const std::string& file) {
  std::vector<LedgerLine> lines;
  std::ifstream stream(file);
  for (std::string text; std::getline(stream, text);) {
    const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
    if (object.is_discarded() || !object.is_object() || object.size() != 10) {
      ADD_FAILURE() << "not a line of a ledger: " << text;
      continue;
    }
    LedgerLine line;
    line.slice = object.at("slice").get<std::string>();
    line.pid = object.at("pid").get<int64_t>();
    line.kind = object.at("kind").get<std::string>();
    line.name = object.at("name").get<std::string>();
    line.start_ns = object.at("start_ns").get<uint64_t>();
    line.end_ns = object.at("end_ns").get<uint64_t>();
    line.correlation_id = object.at("correlation_id").get<uint32_t>();
    line.stream = object.at("stream").get<uint32_t>();
    line.bytes = object.at("bytes").get<uint64_t>();
    line.graph_node_id = object.at("graph_node_id").get<uint64_t>();
    lines.push_back(line);
  }
  return lines;
}

}  // namespace simgpu::test
