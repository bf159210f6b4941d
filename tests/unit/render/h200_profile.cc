// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <initializer_list>
#include <utility>

#include "libmigprof/render/idle_cause.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameKind;
using analyze::IdleCause;
using analyze::NodeId;
using analyze::Profile;
using analyze::SliceProfile;
using analyze::StackTree;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kWindow = 20'000 * kMs;
constexpr size_t kBins = 100;

struct Step {
  FrameKind kind;
  const char* name;
  const char* module = "";
};

constexpr Step kTrainScript = {FrameKind::kPython, "<module> (train.py:12)", "train.py"};
constexpr Step kTrainStep = {FrameKind::kPython, "train_step (train.py:48)", "train.py"};
constexpr Step kForward = {FrameKind::kPython, "forward (model.py:131)", "model.py"};
constexpr Step kLoad = {FrameKind::kPython, "load_batch (data.py:77)", "data.py"};
constexpr Step kLinear = {FrameKind::kNative, "at::native::linear(at::Tensor const&, at::Tensor const&)",
                          "libtorch_cpu.so"};
constexpr Step kLaunch = {FrameKind::kCudaApi, "cudaLaunchKernel", "libcudart.so.12"};
constexpr Step kCopyAsync = {FrameKind::kCudaApi, "cudaMemcpyAsync", "libcudart.so.12"};
constexpr Step kMalloc = {FrameKind::kCudaApi, "cudaMalloc", "libcudart.so.12"};

void Add(Profile* profile, StackTree* tree, std::initializer_list<Step> steps, uint64_t amount, uint64_t count) {
  NodeId node = 0;
  for (const Step& step : steps) {
    Frame frame{.name = step.name, .full_name = step.name, .module = step.module, .kind = step.kind};
    node = tree->Child(node, profile->frames.Intern(std::move(frame)));
  }
  tree->Add(node, amount, count);
}

Step Cause(IdleCause cause) { return {FrameKind::kIdle, CauseLabel(cause)}; }

void AddKernel(SliceProfile* slice, const char* name, uint64_t count, uint64_t total_ns, double sm_share) {
  analyze::KernelUse kernel;
  kernel.name = kernel.full_name = name;
  kernel.count = count;
  kernel.total_ns = total_ns;
  kernel.sm_weighted_ns = static_cast<uint64_t>(static_cast<double>(total_ns) * sm_share);
  // Spread around the mean, the same on every machine.
  for (uint64_t i = 0; i < 64; ++i) kernel.duration.Add(total_ns / count * (52 + 3 * i / 2) / 100, count / 64);
  kernel.uses_tensor_cores = std::string(name).find("tensorop") != std::string::npos;
  kernel.registers_per_thread = 128;
  kernel.largest_grid_blocks = static_cast<uint64_t>(256 * sm_share);
  slice->metrics.kernel_duration.Merge(kernel.duration);
  slice->metrics.sm_weighted_ns += kernel.sm_weighted_ns;
  if (kernel.uses_tensor_cores) slice->metrics.tensor_ns += total_ns;
  slice->kernels.count += count;
  slice->kernels.total_ns += total_ns;
  slice->metrics.kernels.push_back(std::move(kernel));
}

// A slice that is busy for `busy` of its window, with kernels that fill `sm_share` of its SMs.
SliceProfile Slice(Profile* profile, uint32_t gi, double busy, double sm_share, const char* process, uint32_t pid) {
  SliceProfile slice;
  slice.host = "gpu-node-04";
  slice.simulated = true;
  slice.identity = {.gpu_uuid = "GPU-5ad1f0c2-77aa-4c0b-8d11-2f6a9b3c4d5e",
                    .mig_uuid = "MIG-0000000" + std::to_string(gi) + "-1111-2222-3333-444444444444",
                    .gpu_name = "NVIDIA H200",
                    .profile = "2g.35gb",
                    .pci_bus_id = "00000000:3B:00.0",
                    .gpu_instance_id = gi,
                    .compute_instance_id = 0,
                    .placement = mig::Placement{2 * (gi - 3), 2},
                    .memory_slices = 8,
                    .sm_count = 32,
                    .memory_bytes = 34'359'738'368,
                    .compute_major = 9,
                    .compute_minor = 0,
                    .source = "driver+nvml"};
  slice.first_ns = 1'750'000'000'000'000'000;
  slice.window_ns = kWindow;
  slice.busy_ns = static_cast<uint64_t>(busy * static_cast<double>(kWindow));
  const uint64_t copies = slice.busy_ns / 20;
  const uint64_t kernels = slice.busy_ns - copies;
  const std::string process_name = std::string(process) + " (pid " + std::to_string(pid) + ")";
  const Step top = {FrameKind::kProcess, process_name.c_str()};
  const uint64_t gemm = kernels * 7 / 10;
  const uint64_t attention = kernels / 5;
  const uint64_t rest = kernels - gemm - attention;
  Add(profile, &slice.stacks,
      {top,
       kTrainScript,
       kTrainStep,
       kForward,
       kLinear,
       kLaunch,
       {FrameKind::kKernel, "cutlass_80_tensorop_bf16_s16816gemm_relu"}},
      gemm, 40'960);
  Add(profile, &slice.stacks,
      {top, kTrainScript, kTrainStep, kForward, kLaunch, {FrameKind::kKernel, "flash_attention_forward<128>"}},
      attention, 8192);
  Add(profile, &slice.stacks, {top, kTrainScript, kTrainStep, kLaunch, {FrameKind::kKernel, "adam_update"}}, rest,
      20'480);
  Add(profile, &slice.stacks, {top, kTrainScript, kLoad, kCopyAsync, {FrameKind::kMemcpy, "[memcpy HtoD]"}}, copies,
      1024);
  AddKernel(&slice, "cutlass_80_tensorop_bf16_s16816gemm_relu", 40'960, gemm, sm_share);
  AddKernel(&slice, "flash_attention_forward<128>", 8192, attention, sm_share * 0.8);
  AddKernel(&slice, "adam_update", 20'480, rest, sm_share * 0.6);
  slice.memcpys = {.count = 1024, .total_ns = copies, .bytes = uint64_t{1024} << 22};
  slice.metrics.copies[0] = slice.memcpys;
  slice.metrics.kernel_busy_ns = kernels;
  slice.health.launches = slice.health.matched = slice.kernels.count + slice.memcpys.count;

  analyze::Timeline& timeline = slice.metrics.timeline;
  timeline.bin_ns = kWindow / kBins;
  for (size_t i = 0; i < kBins; ++i) {
    const double swing = 0.25 * std::sin(static_cast<double>(i) / 4.0) * (1 - busy) / 0.5;
    const double share = std::min(1.0, std::max(0.0, busy + swing));
    timeline.bins.push_back({.kernel_ns = static_cast<uint64_t>(share * 0.95 * static_cast<double>(timeline.bin_ns)),
                             .busy_ns = static_cast<uint64_t>(share * static_cast<double>(timeline.bin_ns))});
    analyze::Timeline::Bin& bin = timeline.bins.back();
    const uint64_t bin_idle = timeline.bin_ns - bin.busy_ns;
    bin.idle_ns[static_cast<size_t>(IdleCause::kSynchronize)] = bin_idle * 18 / 100;
    bin.idle_ns[static_cast<size_t>(IdleCause::kLaunchLatency)] = bin_idle * 11 / 100;
    bin.idle_ns[static_cast<size_t>(IdleCause::kHost)] = bin_idle - bin_idle * 18 / 100 - bin_idle * 11 / 100;
  }
  for (uint64_t i = 0; i < 100; ++i) slice.metrics.launch_latency.Add(3000 + 160 * i, 10);

  const uint64_t idle = kWindow - slice.busy_ns;
  const uint64_t loading = idle * 71 / 100;
  const uint64_t waiting = idle * 18 / 100;
  const uint64_t latency = idle - loading - waiting;
  Add(profile, &slice.idle, {top, kTrainScript, kLoad, kCopyAsync, Cause(IdleCause::kHost)}, loading, 1024);
  Add(profile, &slice.idle, {top, kTrainScript, kTrainStep, kLaunch, Cause(IdleCause::kSynchronize)}, waiting, 512);
  Add(profile, &slice.idle,
      {top, kTrainScript, kTrainStep, kForward, kLinear, kLaunch, Cause(IdleCause::kLaunchLatency)}, latency, 40'000);
  slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kHost)] = loading;
  slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kSynchronize)] = waiting;
  slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kLaunchLatency)] = latency;

  Add(profile, &slice.memory,
      {top, kTrainScript, {FrameKind::kPython, "build_model (model.py:20)", "model.py"}, kMalloc}, uint64_t{14} << 30,
      612);
  Add(profile, &slice.memory, {top, kTrainScript, kLoad, kMalloc}, uint64_t{3} << 30, 16);
  slice.metrics.memory = {.peak_bytes = uint64_t{17} << 30,
                          .peak_ns = slice.first_ns + 5200 * kMs,
                          .live_at_end_bytes = uint64_t{14} << 30,
                          .allocations = 628,
                          .releases = 16,
                          .live_bytes = std::vector<uint64_t>(kBins, uint64_t{16} << 30)};
  analyze::CounterSeries counter;
  counter.name = "sm_occupancy";
  counter.unit = "percent";
  counter.source = "NVML GPM";
  counter.samples = 20;
  counter.mean = 100 * busy * sm_share * 0.6;
  counter.smallest = 0;
  counter.largest = 61.5;
  counter.bins.resize(kBins);
  for (size_t i = 0; i < kBins; i += 5) counter.bins[i] = counter.mean + static_cast<double>(i % 7) - 3;
  slice.metrics.counters.push_back(counter);
  counter.name = "sm_utilization";
  counter.source = "NVML";
  counter.mean = 98.2;
  counter.largest = 131;
  counter.doubt = "above 100 %";
  for (auto& bin : counter.bins) {
    if (bin) bin = 98.2;
  }
  slice.metrics.counters.push_back(counter);
  slice.processes.push_back({.pid = pid,
                             .name = process,
                             .command_line = "",
                             .window_ns = kWindow,
                             .gpu_ns = slice.kernels.total_ns + copies,
                             .recorder = {.own_ns = 41 * kMs, .own_share_ppm = 2100},
                             .health = slice.health,
                             .recording = std::to_string(pid)});
  return slice;
}

}  // namespace

Profile H200Profile() {
  Profile profile;
  profile.simulated = true;
  profile.slices.push_back(Slice(&profile, 3, 0.85, 0.72, "train.py", 5101));
  profile.slices.push_back(Slice(&profile, 4, 0.48, 0.66, "finetune.py", 5102));
  profile.slices.push_back(Slice(&profile, 5, 0.936, 0.81, "train.py", 5103));
  return profile;
}

Profile FleetProfile() {
  Profile profile;
  const std::vector<std::vector<const char*>> cuts = {
      {"1g.18gb", "1g.18gb", "1g.18gb", "1g.18gb", "1g.18gb", "1g.18gb", "1g.18gb"},
      {"3g.71gb", "4g.71gb"},
      {"2g.35gb", "2g.35gb", "3g.71gb"},
      {"7g.141gb"}};
  for (uint32_t gpu = 0; gpu < 8; ++gpu) {
    uint32_t gi = 1;
    for (const char* name : cuts[gpu % cuts.size()]) {
      const bool bad = gpu == 5 && gi == 1;
      const double busy = bad ? 0.12 : 0.72 + 0.01 * (7 * gpu + 3 * gi % 11) / 2.2;
      SliceProfile slice = Slice(&profile, gi, std::min(0.97, busy), 0.7, "serve.py", 100 * gpu + gi);
      ++gi;
      slice.host = gpu < 4 ? "gpu-node-04" : "gpu-node-05";
      slice.identity.gpu_uuid[4] = static_cast<char>('0' + gpu);
      slice.identity.placement.reset();  // of a card cut otherwise
      slice.identity.memory_slices = 0;
      slice.identity.profile = name;
      slice.identity.sm_count = 16 * static_cast<uint32_t>(name[0] - '0');
      profile.slices.push_back(std::move(slice));
    }
  }
  profile.simulated = true;
  return profile;
}

}  // namespace migprof::render
