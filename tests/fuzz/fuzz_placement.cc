// SPDX-License-Identifier: Apache-2.0
// Which slices of a GPU are free and who shares with whom, from any numbers that a driver might tell, against a model
// that marks slice by slice in wider integers.
#include <cstdint>
#include <vector>

#include "libmigprof/mig/topology.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::mig;

// Small mostly, so that instances meet each other; any number now and then.
uint32_t Number(FuzzInput* input) {
  const uint8_t byte = input->Byte();
  return byte == 255 ? input->Number<uint32_t>() : byte % 16;
}

std::optional<uint32_t> MaybeNumber(FuzzInput* input) {
  return input->Byte() % 8 == 7 ? std::nullopt : std::optional(Number(input));
}

Use ReadUse(FuzzInput* input) {
  Use use;
  use.refusal = input->Byte() % 8 == 7 ? 3 : 0;
  const size_t processes = use.refusal == 0 ? input->Byte() % 3 : 0;
  for (size_t i = 0; i < processes; ++i) {
    const uint8_t mps = input->Byte();
    GpuProcess process;
    process.mps_client = mps % 8 == 7;
    process.mps_server = mps % 8 == 6;
    use.processes.push_back(process);
  }
  return use;
}

GpuInstance ReadInstance(FuzzInput* input) {
  GpuInstance instance;
  instance.slices = MaybeNumber(input);
  if (input->Byte() % 8 != 7) {
    instance.placement.emplace();
    instance.placement->start = Number(input);
    instance.placement->size = Number(input);
  }
  const size_t count = input->Byte() % 4;
  for (size_t i = 0; i < count; ++i) {
    ComputeInstance compute;
    compute.slices = MaybeNumber(input);
    compute.use = ReadUse(input);
    instance.compute_instances.push_back(compute);
  }
  return instance;
}

Gpu ReadGpu(FuzzInput* input) {
  Gpu gpu;
  const uint8_t mode = input->Byte();
  gpu.mode = mode % 8 < 4 ? MigMode::kOn : static_cast<MigMode>(mode % 4);
  gpu.listing_refusal = input->Byte() % 8 == 7 ? 4 : 0;
  gpu.compute_slices = MaybeNumber(input);
  // A GPU has 8; more than some thousand would only take time.
  if (const auto slices = MaybeNumber(input)) gpu.memory_slices = *slices % 4096;
  while (!input->empty() && gpu.gpu_instances.size() < 32) gpu.gpu_instances.push_back(ReadInstance(input));
  return gpu;
}

void CheckFree(const Gpu& gpu) {
  std::vector<uint32_t> expected;
  bool is_known = gpu.mode == MigMode::kOn && gpu.listing_refusal == 0 && gpu.memory_slices.has_value();
  for (const GpuInstance& instance : gpu.gpu_instances) is_known = is_known && instance.placement.has_value();
  for (uint64_t slice = 0; is_known && slice < *gpu.memory_slices; ++slice) {
    bool covered = false;
    for (const GpuInstance& instance : gpu.gpu_instances) {
      const uint64_t start = instance.placement->start;
      covered |= slice >= start && slice < start + instance.placement->size;
    }
    if (!covered) expected.push_back(static_cast<uint32_t>(slice));
  }
  Check(FreeMemorySlices(gpu) == expected, "free are the memory slices that nobody covers");
}

void CheckUncovered(const Gpu& gpu) {
  uint64_t covered = 0;
  bool is_known = gpu.mode == MigMode::kOn && gpu.compute_slices.has_value();
  for (const GpuInstance& instance : gpu.gpu_instances) {
    is_known = is_known && instance.slices.has_value();
    covered += instance.slices.value_or(0);
  }
  is_known = is_known && covered <= *gpu.compute_slices;
  const auto uncovered = UncoveredComputeSlices(gpu);
  Check(uncovered.has_value() == is_known, "uncovered compute slices are known when all numbers make sense");
  if (is_known) Check(*uncovered == *gpu.compute_slices - covered, "and are those that are left");
}

void CheckSharing(const GpuInstance& instance) {
  for (const ComputeInstance& compute : instance.compute_instances) {
    const auto shares = SharesGpuInstance(instance, compute);
    Check(instance.compute_instances.size() < 2 || shares == true, "two in one GPU instance share it");
    Check(shares != false || *compute.slices >= *instance.slices, "who is alone fills the GPU instance");
    const Sharing sharing = SharingOf(compute.use);
    Check((sharing == Sharing::kUnknown) == (compute.use.refusal != 0), "what was refused is unknown");
    Check((sharing == Sharing::kIdle) == (compute.use.refusal == 0 && compute.use.processes.empty()),
          "idle is what nobody uses");
    Check(*SharingName(sharing) != '\0', "every way to share has a name");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const Gpu gpu = ReadGpu(&input);
  CheckFree(gpu);
  CheckUncovered(gpu);
  for (const GpuInstance& instance : gpu.gpu_instances) CheckSharing(instance);
  return 0;
}
