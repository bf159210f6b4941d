// SPDX-License-Identifier: Apache-2.0
// The ledger: that it is complete however a program ends, and the same each time.
#include <cuda.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

std::string ReadText(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

void Work(int rounds) {
  const GpuProgram gpu;
  const CUdeviceptr memory = gpu.Allocate(4096);
  std::vector<char> host(4096);
  CUstream side = nullptr;
  EXPECT_CUDA(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
  for (int i = 0; i < rounds; ++i) {
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 1u + static_cast<unsigned>(i) % 500, 64));
    EXPECT_CUDA(gpu.Launch(gpu.beta, side, 50));
    EXPECT_CUDA(cuMemcpyHtoDAsync(memory, host.data(), 1 + static_cast<size_t>(i), gpu.stream));
    EXPECT_CUDA(cuMemsetD8Async(memory, 1, 100, side));
  }
}

// The text without what differs from process to process: their ids, and the spaces to the ends of blocks.
std::string Comparable(const std::string& text) {
  std::string comparable;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    const size_t digits = line.find("\"pid\":") + 6;
    line.erase(digits, line.find(',', digits) - digits);
    comparable += line + "\n";
  }
  return comparable;
}

TEST(Ledger, IsTheSameEachTime) {
  for (const char* const sync : {"0", "1"}) {
    std::string first;
    for (int run = 0; run < 3; ++run) {
      const std::string file = TemporaryFile(".jsonl");
      InChild({{"SIMGPU_LEDGER", file}, {"SIMGPU_LEDGER_SYNC", sync}}, [] {
        Work(100);
        EXPECT_CUDA(cuCtxSynchronize());
      });
      const std::string text = Comparable(ReadText(file));
      if (run == 0) first = text;
      EXPECT_EQ(text, first) << "run " << run;
    }
    EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 400);
    EXPECT_NE(first.find(R"("name":"memcpy HtoD")"), std::string::npos);
  }
}

TEST(Ledger, LineSaysWhatWasDoneWhere) {
  const std::string file = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", file}, Topology("two-gpus")}, [] {
    const GpuProgram slice(0);
    EXPECT_CUDA(slice.Launch(slice.alpha, slice.stream));
    int count = 0;
    EXPECT_CUDA(cuDeviceGetCount(&count));
    const GpuProgram whole(count - 1);
    EXPECT_CUDA(cuMemsetD32(whole.Allocate(64), 1, 5));
  });
  const std::vector<LedgerLine> lines = ReadLedger(file);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].slice.substr(0, 4), "MIG-");
  EXPECT_EQ(lines[0].kind, "kernel");
  EXPECT_EQ(lines[0].name, "alpha");
  EXPECT_EQ(lines[0].bytes, 0u);
  EXPECT_EQ(lines[0].stream, 13u);
  EXPECT_NE(lines[0].correlation_id, 0u);
  EXPECT_EQ(lines[1].slice.substr(0, 4), "GPU-");
  EXPECT_EQ(lines[1].kind, "memset");
  EXPECT_EQ(lines[1].bytes, 20u);
  EXPECT_EQ(lines[1].stream, 7u) << "the default stream";
}

TEST(Ledger, WithDetails_SaysWhatAKernelAskedForAndWhoHasMemory) {
  const std::string file = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", file}, {"SIMGPU_LEDGER_DETAIL", "1"}, Topology("two-gpus")}, [] {
    const GpuProgram slice(0);
    EXPECT_CUDA(slice.Launch(slice.alpha, slice.stream));
    CUdeviceptr memory = 0;
    EXPECT_CUDA(cuMemAllocAsync(&memory, 4096, slice.stream));
    EXPECT_CUDA(cuMemFreeAsync(memory, slice.stream));
    void* host = nullptr;
    EXPECT_CUDA(cuMemAllocHost(&host, 512));
    EXPECT_CUDA(cuMemFreeHost(host));
  });
  const std::string text = ReadText(file);
  EXPECT_NE(text.find("\"grid_blocks\":"), std::string::npos) << text;
  EXPECT_NE(text.find("\"queued_ns\":"), std::string::npos) << text;
  EXPECT_NE(text.find("\"bytes\":4096,\"memory_kind\":3}"), std::string::npos) << text;
  EXPECT_NE(text.find("\"bytes\":512,\"memory_kind\":2}"), std::string::npos) << text;
  EXPECT_NE(text.find("\"kind\":\"free\""), std::string::npos) << text;
}

struct Ending {
  const char* name;
  void (*end)();
  int exit_code;
  int signal;
};

constexpr Ending kEndings[] = {
    {"exit", [] { std::exit(3); }, 3, 0},
    {"_exit", [] { _exit(4); }, 4, 0},
    {"abort", [] { std::abort(); }, -1, SIGABRT},
    {"SIGKILL", [] { raise(SIGKILL); }, -1, SIGKILL},
    {"SIGTERM", [] { raise(SIGTERM); }, -1, SIGTERM},
};

// The virtual GPU executes what is submitted, also when the program does not wait for it.
TEST(Ledger, IsCompleteHoweverTheProcessEnds) {
  for (const Ending& ending : kEndings) {
    for (const char* const sync : {"0", "1"}) {
      const std::string file = TemporaryFile(".jsonl");
      const ChildResult result = RunInChild({{"SIMGPU_LEDGER", file}, {"SIMGPU_LEDGER_SYNC", sync}}, [&] {
        Work(200);
        ending.end();
      });
      EXPECT_EQ(result.exit_code, ending.exit_code) << ending.name;
      EXPECT_EQ(result.signal, ending.signal) << ending.name;
      EXPECT_EQ(ReadLedger(file).size(), 800u) << ending.name << ", SIMGPU_LEDGER_SYNC=" << sync;
    }
  }
}

TEST(Ledger, IsSharedByManyProcesses) {
  for (const char* const sync : {"0", "1"}) {
    const std::string file = TemporaryFile(".jsonl");
    InChild({{"SIMGPU_LEDGER", file}, {"SIMGPU_LEDGER_SYNC", sync}}, [] {
      for (int i = 0; i < 8; ++i) {
        if (fork() != 0) continue;
        Work(150);
        _exit(testing::Test::HasFailure() ? 1 : 0);
      }
      for (int status = 0; wait(&status) > 0;) EXPECT_EQ(status, 0);
    });
    std::map<int64_t, int> lines_of;
    for (const LedgerLine& line : ReadLedger(file)) ++lines_of[line.pid];
    EXPECT_EQ(lines_of.size(), 8u);
    for (const auto& [pid, lines] : lines_of) EXPECT_EQ(lines, 600);
  }
}

TEST(Ledger, GrowsByBlocksOrLineByLine) {
  const std::string file = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", file}, {"SIMGPU_LEDGER_SYNC", "1"}}, [&] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    const std::string one = ReadText(file);
    EXPECT_EQ(one.back(), '\n');
    EXPECT_LT(one.size(), 300u);
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_EQ(ReadLedger(file).size(), 2u) << "without any synchronisation";
  });
}

TEST(Ledger, ThatCannotBeWrittenIsMentionedOnce) {
  const ChildResult unopened = RunInChild({{"SIMGPU_LEDGER", "/nowhere/ledger.jsonl"}}, [] { Work(3); });
  EXPECT_EQ(unopened.exit_code, 0);
  EXPECT_NE(unopened.errors.find("/nowhere/ledger.jsonl"), std::string::npos) << unopened.errors;
  const ChildResult full = RunInChild({{"SIMGPU_LEDGER", "/dev/full"}}, [] { Work(50); });
  EXPECT_EQ(full.exit_code, 0);
  EXPECT_EQ(std::count(full.errors.begin(), full.errors.end(), '\n'), 1) << full.errors;
}

}  // namespace
}  // namespace simgpu::test
