// SPDX-License-Identifier: Apache-2.0
// GPM of the simulated NVML: what it says follows from what was executed.
#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "nvml/nvml_abi.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

template <class... Arguments>
nvmlReturn_t Call(const char* name, Arguments... arguments) {
  static void* const library = dlopen((LibraryFolder() + "/libnvidia-ml.so.1").c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto function = reinterpret_cast<nvmlReturn_t (*)(Arguments...)>(dlsym(library, name));
  return function != nullptr ? function(arguments...) : NVML_ERROR_UNKNOWN;
}

nvmlDevice_t Gpu(unsigned index = 0) {
  nvmlDevice_t gpu = nullptr;
  EXPECT_EQ(Call("nvmlDeviceGetHandleByIndex_v2", index, &gpu), NVML_SUCCESS);
  return gpu;
}

// The GPU instance of the only device that the process sees.
unsigned OwnInstance() {
  unsigned id = ~0u;
  for (unsigned index = 0; index < 8; ++index) {
    nvmlDevice_t device = nullptr;
    if (Call("nvmlDeviceGetMigDeviceHandleByIndex", Gpu(), index, &device) != NVML_SUCCESS) continue;
    EXPECT_EQ(Call("nvmlDeviceGetGpuInstanceId", device, &id), NVML_SUCCESS);
    return id;
  }
  return id;
}

struct FreeSample {
  void operator()(nvmlGpmSample_t sample) const { EXPECT_EQ(Call("nvmlGpmSampleFree", sample), NVML_SUCCESS); }
};
using OwnedSample = std::unique_ptr<std::remove_pointer_t<nvmlGpmSample_t>, FreeSample>;

OwnedSample EmptySample() {
  nvmlGpmSample_t sample = nullptr;
  EXPECT_EQ(Call("nvmlGpmSampleAlloc", &sample), NVML_SUCCESS);
  return OwnedSample(sample);
}

OwnedSample Sample(unsigned instance) {
  OwnedSample sample = EmptySample();
  EXPECT_EQ(Call("nvmlGpmMigSampleGet", Gpu(), instance, sample.get()), NVML_SUCCESS);
  return sample;
}

nvmlGpmMetric_t Metric(unsigned id, const OwnedSample& before, const OwnedSample& after) {
  const auto request = std::make_unique<nvmlGpmMetricsGet_t>();
  request->version = kNvmlGpmVersion;
  request->numMetrics = 1;
  request->sample1 = before.get();
  request->sample2 = after.get();
  request->metrics[0].metricId = id;
  EXPECT_EQ(Call("nvmlGpmMetricsGet", request.get()), NVML_SUCCESS);
  return request->metrics[0];
}

TEST(Gpm, GraphicsUtilization_IsTheShareOfTimeThatTheLedgerSays) {
  const std::string ledger = testing::TempDir() + "/gpm_test_ledger";
  std::filesystem::remove(ledger);
  InChild({{"SIMGPU_LEDGER", ledger}}, [&] {
    ASSERT_EQ(Call("nvmlInit_v2"), NVML_SUCCESS);
    const GpuProgram gpu;
    const unsigned instance = OwnInstance();
    const OwnedSample before = Sample(instance);
    for (int i = 0; i < 50; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 5000, 128));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    const OwnedSample after = Sample(instance);
    uint64_t busy = 0, first = UINT64_MAX, last = 0;
    for (const LedgerLine& line : ReadLedger(ledger)) {
      if (line.kind != "kernel") continue;
      busy += line.end_ns - line.start_ns;
      first = std::min(first, line.start_ns);
      last = std::max(last, line.end_ns);
    }
    const double share = 100.0 * static_cast<double>(busy) / static_cast<double>(last - first);
    EXPECT_NEAR(Metric(1, before, after).value, share, 5);
    EXPECT_GT(Metric(2, before, after).value, 10) << "5000 blocks are on every SM";
    EXPECT_LE(Metric(2, before, after).value, Metric(1, before, after).value);
    EXPECT_LE(Metric(3, before, after).value, Metric(2, before, after).value);
    EXPECT_EQ(Metric(5, before, after).value, 0) << "no matrix multiplication by its name";
    const OwnedSample later = Sample(instance);
    EXPECT_EQ(Metric(1, after, later).nvmlReturn, NVML_ERROR_NO_DATA) << "the clock has not moved";
    EXPECT_EQ(Metric(4711, before, after).nvmlReturn, NVML_ERROR_NOT_SUPPORTED);
    // Another instance had nothing to do.
    EXPECT_EQ(Call("nvmlGpmMigSampleGet", Gpu(), 99u, EmptySample().get()), NVML_ERROR_INVALID_ARGUMENT);
  });
}

TEST(Gpm, OneBlock_UsesOneSm) {
  InChild([] {
    ASSERT_EQ(Call("nvmlInit_v2"), NVML_SUCCESS);
    const GpuProgram gpu;
    const unsigned instance = OwnInstance();
    const OwnedSample before = Sample(instance);
    for (int i = 0; i < 50; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    const OwnedSample after = Sample(instance);
    int sms = 0;
    EXPECT_CUDA(cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, gpu.device));
    EXPECT_NEAR(Metric(2, before, after).value, Metric(1, before, after).value / sms, 0.01);
  });
}

TEST(Gpm, OlderThanHopper_HasNone) {
  InChild({Topology("a100-seven-1g")}, [] {
    ASSERT_EQ(Call("nvmlInit_v2"), NVML_SUCCESS);
    nvmlGpmSupport_t support{kNvmlGpmVersion, 7};
    EXPECT_EQ(Call("nvmlGpmQueryDeviceSupport", Gpu(), &support), NVML_SUCCESS);
    EXPECT_EQ(support.isSupportedDevice, 0u);
    EXPECT_EQ(Call("nvmlGpmSampleGet", Gpu(), EmptySample().get()), NVML_ERROR_NOT_SUPPORTED);
  });
}

TEST(GpmFault, ValuesCanBeWrong) {
  const auto value = [](const char* fault, const std::function<void(double)>& check) {
    InChild({{"SIMGPU_FAULTS", fault}}, [&] {
      ASSERT_EQ(Call("nvmlInit_v2"), NVML_SUCCESS);
      const GpuProgram gpu;
      const unsigned instance = OwnInstance();
      OwnedSample before = Sample(instance);
      double last = 0;
      for (int round = 1; round <= 3; ++round) {
        for (int i = 0; i < round; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 5000, 128));
        EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
        OwnedSample after = Sample(instance);
        const double now = Metric(1, before, after).value;
        if (round > 1 && std::string(fault) == "gpm-stale") {
          EXPECT_EQ(now, last);
        }
        before = std::move(after);
        last = now;
      }
      check(last);
    });
  };
  value("gpm-nan", [](double last) { EXPECT_TRUE(std::isnan(last)); });
  value("gpm-above-100", [](double last) { EXPECT_EQ(last, 137.5); });
  value("gpm-says=42", [](double last) { EXPECT_EQ(last, 42); });
  value("gpm-stale", [](double last) { EXPECT_GT(last, 0); });
}

}  // namespace
}  // namespace simgpu::test
