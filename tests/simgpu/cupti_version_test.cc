// SPDX-License-Identifier: Apache-2.0
// The versions of CUPTI that can be emulated: their records and their functions.
#include <cupti.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/every_kind.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

using Sizes = std::map<uint32_t, size_t>;

// The kinds whose size differs between versions.
Sizes Chosen(const Sizes& all) {
  Sizes chosen;
  for (const uint32_t kind :
       {CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_KERNEL,
        CUPTI_ACTIVITY_KIND_DEVICE, CUPTI_ACTIVITY_KIND_CONTEXT, CUPTI_ACTIVITY_KIND_OVERHEAD,
        CUPTI_ACTIVITY_KIND_MEMORY2, CUPTI_ACTIVITY_KIND_MEMORY_POOL, CUPTI_ACTIVITY_KIND_CUDA_EVENT,
        CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, CUPTI_ACTIVITY_KIND_GRAPH_TRACE}) {
    if (all.contains(kind)) chosen[kind] = all.at(kind);
  }
  return chosen;
}

Sizes SizesIn(const ActivityRecorder& recorder) {
  Sizes sizes;
  for (const RecordedBuffer& buffer : recorder.Buffers()) {
    for (const RecordStep& step : Walk(buffer)) {
      const auto [entry, is_new] = sizes.emplace(step.kind, step.bytes);
      EXPECT_EQ(entry->second, step.bytes) << "one size per kind: " << step.kind;
    }
  }
  return sizes;
}

Sizes ExpectedSizes(const std::string& api) {
  if (api == "18") {
    return {{1, 88},   {10, 200}, {3, 200}, {8, 176}, {9, 16}, {17, 40},
            {49, 120}, {50, 72},  {36, 24}, {38, 40}, {51, 48}};
  }
  const size_t context = api == "22" ? 24 : 32;
  if (api != "130001") {
    return {{1, 88},   {10, 208}, {3, 208}, {8, 184}, {9, context}, {17, 56},
            {49, 120}, {50, 72},  {36, 24}, {38, 40}, {51, 56}};
  }
  return {{1, 96}, {10, 216}, {3, 216}, {8, 184}, {9, 32}, {17, 56}, {49, 128}, {50, 80}, {36, 56}, {38, 56}, {51, 56}};
}

TEST(CuptiVersion, RecordsHaveTheSizesOfTheVersion) {
  for (const std::string api : {"18", "22", "23", "130001"}) {
    InChild({{"SIMGPU_CUPTI_API", api}}, [&] {
      uint32_t version = 0;
      EXPECT_CUPTI(cuptiGetVersion(&version));
      EXPECT_EQ(std::to_string(version), api);
      const ActivityRecorder recorder;
      EmitEveryKind();
      const Sizes sizes = SizesIn(recorder);
      for (const CUpti_ActivityKind kind : kEveryKind) EXPECT_TRUE(sizes.contains(kind)) << kind;
      EXPECT_EQ(Chosen(sizes), ExpectedSizes(api)) << "version " << api;
    });
  }
}

TEST(CuptiVersion, WhatIsCutOffIsTheEnd) {
  const auto kernel_in = [](const char* api) {
    InChild({{"SIMGPU_CUPTI_API", api}}, [] {
      const ActivityRecorder recorder;
      EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
      const GpuProgram gpu;
      EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream, 3));
      EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream, 4));
      EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
      EXPECT_CUPTI(cuptiActivityFlushAll(0));
      const auto kernels = recorder.Records<CUpti_ActivityKernel8>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
      ASSERT_EQ(kernels.size(), 2u);
      EXPECT_STREQ(kernels[0].name, "beta");
      EXPECT_EQ(kernels[1].gridX, 4);
      EXPECT_EQ(kernels[1].start, kernels[0].end + 800);
    });
  };
  kernel_in("18");
  kernel_in("22");
  kernel_in("130001");
}

TEST(CuptiVersion, OldVersionsLackTheNewFunctions) {
  InChild({{"SIMGPU_CUPTI_API", "18"}}, [] {
    EXPECT_EQ(cuptiActivityEnableHWTrace(1), CUPTI_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(cuptiActivityEnableDriverApi(1, 1), CUPTI_ERROR_NOT_SUPPORTED);
  });
  InChild({{"SIMGPU_CUPTI_API", "eleven"}}, [] {
    uint32_t version = 0;
    EXPECT_CUPTI(cuptiGetVersion(&version));
    EXPECT_EQ(version, 130001u) << "nonsense is ignored";
  });
}

struct OldLibrary {
  const char* file;
  uint32_t version;
  bool has_exec_id;
};

TEST(CuptiVersion, OldLibrariesHaveTheirOwnNamesAndExports) {
  for (const OldLibrary& old :
       {OldLibrary{"cupti-12.4/libcupti.so.12", 22, true}, OldLibrary{"cupti-11.8/libcupti.so.11.8", 18, false}}) {
    InChild([&] {
      void* const library = dlopen((LibraryFolder() + "/" + old.file).c_str(), RTLD_NOW | RTLD_LOCAL);
      ASSERT_NE(library, nullptr) << dlerror();
      const auto get_version = reinterpret_cast<decltype(&cuptiGetVersion)>(dlsym(library, "cuptiGetVersion"));
      uint32_t version = 0;
      ASSERT_NE(get_version, nullptr);
      EXPECT_CUPTI(get_version(&version));
      EXPECT_EQ(version, old.version);
      EXPECT_EQ(dlsym(library, "cuptiSubscribe_v2"), nullptr);
      EXPECT_NE(dlsym(library, "cuptiSubscribe"), nullptr);
      EXPECT_EQ(dlsym(library, "cuptiGetGraphExecId") != nullptr, old.has_exec_id);
    });
  }
}

TEST(CuptiVersion, WithoutAGpuTheyFailEachInItsWay) {
  // A driver that finds no GPU: 15. A driver too old for the library: 999 since 13.0.
  for (const std::string api : {"22", "130001"}) {
    const std::string no_gpu = TemporaryFile(".json");
    std::ofstream(no_gpu) << R"({"driver": {"version": "580.159.03", "cuda": 13000}, "gpus": []})";
    for (const std::string& topology : {no_gpu, std::string("/nowhere")}) {
      InChild({{"SIMGPU_CUPTI_API", api}, {"SIMGPU_TOPOLOGY", topology}}, [] {
        EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY), CUPTI_ERROR_NOT_INITIALIZED);
        EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
        const ActivityRecorder recorder;  // registering needs no driver
      });
    }
    InChild({{"SIMGPU_CUPTI_API", api}, {"SIMGPU_FAULTS", "old-driver"}}, [&] {
      const ActivityRecorder recorder;
      CUpti_SubscriberHandle subscriber = nullptr;
      const CUptiResult expected = api == "22" ? CUPTI_ERROR_NOT_INITIALIZED : CUPTI_ERROR_UNKNOWN;
      EXPECT_EQ(cuptiSubscribe(
                    &subscriber, [](void*, CUpti_CallbackDomain, CUpti_CallbackId, const void*) {}, nullptr),
                expected);
      EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY), expected);
      uint64_t now = 0;
      EXPECT_CUPTI(cuptiGetTimestamp(&now));
      EXPECT_NE(now, 0u);
    });
  }
}

}  // namespace
}  // namespace simgpu::test
