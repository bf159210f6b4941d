// SPDX-License-Identifier: Apache-2.0
// NVIDIA's own libcupti as the judge of the simulated one's records: it walks buffers without a driver.
#include <cupti.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/every_kind.h"

namespace simgpu::test {
namespace {

#ifdef SIMGPU_TEST_REAL_CUPTI

// What NVIDIA's iterator makes of `buffers`.
std::vector<std::vector<RecordStep>> TheirSteps(const std::vector<RecordedBuffer>& buffers) {
  const std::string file_name = TemporaryFile(".buffers");
  FILE* const file = std::fopen(file_name.c_str(), "wb");
  for (const RecordedBuffer& buffer : buffers) {
    const uint64_t bytes = buffer.bytes.size();
    std::fwrite(&bytes, sizeof(bytes), 1, file);
    std::fwrite(buffer.bytes.data(), 1, bytes, file);
  }
  std::fclose(file);
  std::string output;
  const std::string command = std::string(SIMGPU_TEST_WALKER) + " " + SIMGPU_TEST_REAL_CUPTI + " < " + file_name;
  const ChildResult result = RunProgram({}, {"/bin/sh", "-c", command}, &output);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  std::remove(file_name.c_str());

  std::vector<std::vector<RecordStep>> steps(1);
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line == "-") {
      steps.emplace_back();
    } else {
      RecordStep& step = steps.back().emplace_back();
      std::istringstream(line) >> step.kind >> step.bytes;
    }
  }
  steps.pop_back();
  return steps;
}

TEST(AbiOracle, NvidiasIteratorSeesTheSameRecords) {
  InChild([] {
    const ActivityRecorder recorder(4096);
    EmitEveryKind();
    const std::vector<RecordedBuffer> buffers = recorder.Buffers();
    const auto theirs = TheirSteps(buffers);
    ASSERT_EQ(theirs.size(), buffers.size());
    std::set<uint32_t> seen;
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(theirs[i], Walk(buffers[i])) << "buffer " << i;
      for (const RecordStep& step : theirs[i]) seen.insert(step.kind);
    }
    for (const CUpti_ActivityKind kind : kEveryKind) EXPECT_TRUE(seen.contains(kind)) << kind;
  });
}

// Every kind there is, written by the simulator or not.
TEST(AbiOracle, SizesOfAllKindsAgree) {
  InChild([] {
    std::vector<RecordedBuffer> buffers(CUPTI_ACTIVITY_KIND_COUNT);
    for (uint32_t kind = 0; kind < CUPTI_ACTIVITY_KIND_COUNT; ++kind) {
      // Wherever a record ends, another of the same kind begins.
      buffers[kind].bytes.resize(1024);
      for (size_t i = 0; i < buffers[kind].bytes.size(); i += 8) buffers[kind].bytes[i] = static_cast<uint8_t>(kind);
    }
    const auto theirs = TheirSteps(buffers);
    ASSERT_EQ(theirs.size(), buffers.size());
    size_t with_records = 0;
    for (uint32_t kind = 0; kind < CUPTI_ACTIVITY_KIND_COUNT; ++kind) {
      const std::vector<RecordStep> ours = Walk(buffers[kind]);
      ASSERT_EQ(ours.empty(), theirs[kind].empty()) << kind;
      if (ours.empty()) continue;
      EXPECT_EQ(ours[0], theirs[kind][0]);
      ++with_records;
    }
    EXPECT_GT(with_records, 30u);
  });
}

#else

TEST(AbiOracle, NvidiasIteratorSeesTheSameRecords) {
  GTEST_SKIP() << "NO ORACLE: the toolkit's libcupti.so.13 was not found";
}

#endif

}  // namespace
}  // namespace simgpu::test
