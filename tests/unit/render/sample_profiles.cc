// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/render/sample_profiles.h"

#include <initializer_list>
#include <utility>

#include "tests/unit/render/sample_metrics.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameKind;
using analyze::NodeId;
using analyze::Profile;
using analyze::SliceProfile;

constexpr uint64_t kMs = 1'000'000;

struct Step {
  FrameKind kind;
  const char* name;
  const char* module = "";
  const char* full_name = nullptr;
};

void AddStack(Profile* profile, SliceProfile* slice, std::initializer_list<Step> steps, uint64_t ns, uint64_t count) {
  NodeId node = 0;
  for (const Step& step : steps) {
    Frame frame;
    frame.name = step.name;
    frame.full_name = step.full_name != nullptr ? step.full_name : step.name;
    frame.module = step.module;
    frame.kind = step.kind;
    node = slice->stacks.Child(node, profile->frames.Intern(std::move(frame)));
  }
  slice->stacks.Add(node, ns, count);
  const FrameKind leaf = std::prev(steps.end())->kind;
  analyze::Totals* totals = leaf == FrameKind::kMemcpy   ? &slice->memcpys
                            : leaf == FrameKind::kMemset ? &slice->memsets
                                                         : &slice->kernels;
  totals->count += count;
  totals->total_ns += ns;
  if (leaf != FrameKind::kKernel) totals->bytes += count * 4'194'304;
}

SliceProfile MigSlice(const char* host, const char* profile, uint32_t gi, uint32_t sms, const char* mig_uuid) {
  SliceProfile slice;
  slice.host = host;
  slice.boot_id = "5f6c0a3e-7d52-4f0e-9d0c-0d6c9a2f1b11";
  slice.identity = {.gpu_uuid = "GPU-1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809",
                    .mig_uuid = mig_uuid,
                    .gpu_name = "NVIDIA H100 80GB HBM3",
                    .profile = profile,
                    .pci_bus_id = "00000000:3B:00.0",
                    .gpu_instance_id = gi,
                    .compute_instance_id = 0,
                    .placement = {},
                    .memory_slices = 0,
                    .sm_count = sms,
                    .memory_bytes = 10'468'982'784,
                    .compute_major = 9,
                    .compute_minor = 0,
                    .source = "driver+nvml"};
  slice.first_ns = 1'750'000'000'000'000'000;
  return slice;
}

constexpr const char* kGemm =
    "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_128x64_32x6_nn_align8>"
    "(cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_128x64_32x6_nn_align8::Params)";
constexpr const char* kElementwise =
    "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, "
    "at::detail::Array<char*, 3> >(int, at::native::CUDAFunctor_add<float>, at::detail::Array<char*, 3>)";

void FillTraining(Profile* p, SliceProfile* s, const char* process, uint64_t scale) {
  const Step python = {FrameKind::kProcess, process};
  const Step main = {FrameKind::kPython, "<module> (train.py:12)", "train.py"};
  const Step step = {FrameKind::kPython, "train_step (train.py:48)", "train.py"};
  const Step forward = {FrameKind::kPython, "forward (model.py:131)", "model.py"};
  const Step backward = {FrameKind::kPython, "backward (tensor.py:522)", "tensor.py"};
  const Step linear = {FrameKind::kNative, "at::native::linear(at::Tensor const&, at::Tensor const&)",
                       "libtorch_cpu.so"};
  const Step add = {FrameKind::kNative, "at::native::add_stub(at::TensorIteratorBase&)", "libtorch_cuda.so"};
  const Step engine = {FrameKind::kNative, "torch::autograd::Engine::evaluate_function", "libtorch_cpu.so"};
  const Step launch = {FrameKind::kCudaApi, "cudaLaunchKernel", "libcudart.so.12"};
  const Step gemm = {FrameKind::kKernel, "cutlass::Kernel2<cutlass_80_tensorop_bf16_…>", "", kGemm};
  const Step elementwise = {FrameKind::kKernel, "at::native::vectorized_elementwise_kernel<4, …>", "", kElementwise};
  const Step norm = {FrameKind::kKernel, "layer_norm_backward_kernel"};
  AddStack(p, s, {python, main, step, forward, linear, launch, gemm}, 812 * kMs * scale, 4096);
  AddStack(p, s, {python, main, step, forward, add, launch, elementwise}, 203 * kMs * scale, 8192);
  AddStack(p, s, {python, main, step, backward, engine, linear, launch, gemm}, 1570 * kMs * scale, 8192);
  AddStack(p, s, {python, main, step, backward, engine, add, launch, norm}, 391 * kMs * scale + 77, 2048);
  AddStack(p, s,
           {python,
            main,
            {FrameKind::kPython, "load_batch (data.py:77)", "data.py"},
            {FrameKind::kCudaApi, "cudaMemcpyAsync", "libcudart.so.12"},
            {FrameKind::kMemcpy, "[memcpy HtoD]"}},
           318 * kMs * scale, 1024);
  AddStack(p, s,
           {python,
            main,
            {FrameKind::kPython, "zero_grad (optim.py:31)", "optim.py"},
            {FrameKind::kCudaApi, "cudaMemsetAsync", "libcudart.so.12"},
            {FrameKind::kMemset, "[memset]"}},
           21 * kMs * scale, 512);
}

void FillServing(Profile* p, SliceProfile* s) {
  const Step process = {FrameKind::kProcess, "tritonserver (pid 977)"};
  const Step thread = {FrameKind::kNative, "start_thread", "libc.so.6"};
  const Step infer = {FrameKind::kNative, "nvidia::InferenceBackend::Execute(Request const&)", "libbackend.so"};
  const Step graph_launch = {FrameKind::kCudaApi, "cudaGraphLaunch", "libcudart.so.12"};
  const Step graph = {FrameKind::kGraph, "[graph]"};
  const Step capture = {FrameKind::kNative, "nvidia::InferenceBackend::CaptureGraph()", "libbackend.so"};
  AddStack(p, s, {process, thread, infer, graph_launch, graph, capture, {FrameKind::kKernel, "attention_fwd"}},
           640 * kMs, 20'000);
  AddStack(p, s, {process, thread, infer, graph_launch, graph, capture, {FrameKind::kKernel, "softmax_fwd"}}, 220 * kMs,
           20'000);
  AddStack(p, s, {process, {FrameKind::kNote, "[stack not recorded]"}, {FrameKind::kKernel, "softmax_fwd"}}, 45 * kMs,
           812);
  AddStack(p, s, {process, {FrameKind::kNote, "[unknown launch]"}, {FrameKind::kKernel, "attention_fwd"}}, 12 * kMs,
           31);
  AddStack(p, s, {process, thread, {FrameKind::kKernel, "untimed_kernel"}}, 0, 7);
}

void Finish(SliceProfile* slice, uint64_t window_ns, uint64_t busy_ns, uint32_t pid, const char* process) {
  slice->window_ns = window_ns;
  slice->busy_ns = busy_ns;
  slice->health.launches += slice->kernels.count + slice->memcpys.count + slice->memsets.count;
  slice->health.matched = slice->health.launches - slice->health.unmatched;
  const uint64_t gpu_ns = slice->kernels.total_ns + slice->memcpys.total_ns + slice->memsets.total_ns;
  slice->processes.push_back({.pid = pid,
                              .name = process,
                              .command_line = "",
                              .window_ns = window_ns,
                              .gpu_ns = gpu_ns,
                              .recorder = {},
                              .health = slice->health});
}

}  // namespace

Profile SampleProfile() {
  Profile profile;
  profile.simulated = true;
  SliceProfile small = MigSlice("node-a17", "1g.10gb", 7, 16, "MIG-89abcdef-0123-4567-89ab-cdef01234567");
  FillTraining(&profile, &small, "train.py (pid 4201)", 1);
  FillSampleMetrics(&small);
  Finish(&small, 4600 * kMs, 3315 * kMs, 4201, "train.py");

  small.metrics.counters.resize(3);
  const auto fill = [&](size_t i, const char* name, const char* unit, const char* source, uint64_t samples) {
    analyze::CounterSeries& series = small.metrics.counters[i];
    series.name = name;
    series.unit = unit;
    series.source = source;
    series.samples = samples;
    return &series;
  };
  analyze::CounterSeries* const memory = fill(0, "memory_used", "bytes", "NVML", 4);
  memory->mean = memory->largest = 6'442'450'944;
  memory->smallest = 6'000'000'000;
  memory->bins = {6e9, std::nullopt};
  analyze::CounterSeries* const sm = fill(1, "sm_utilization", "percent", "NVML GPM", 3);
  sm->mean = 88.25;
  sm->smallest = 60.5;
  sm->largest = 112.75;
  sm->doubt = "above 100 % in 1 of 3 samples";
  fill(2, "tensor_utilization", "percent", "NVML GPM", 0)->doubt = "not available: no permission";

  SliceProfile large = MigSlice("node-a17", "3g.40gb", 2, 60, "MIG-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
  FillTraining(&profile, &large, "train.py (pid 4202)", 2);
  Finish(&large, 7000 * kMs, 6600 * kMs, 4202, "train.py");

  SliceProfile serving = MigSlice("node-b03", "1c.2g.20gb", 12, 16, "MIG-77777777-8888-9999-aaaa-bbbbbbbbbbbb");
  serving.identity.gpu_uuid = "GPU-99887766-5544-3322-1100-ffeeddccbbaa";
  FillServing(&profile, &serving);
  serving.health = {.unmatched = 31,
                    .dropped = 1204,
                    .untimed = 7,
                    .orphaned = 31,
                    .stackless = 812,
                    .damaged_bytes = 4096,
                    .killed = true};
  Finish(&serving, 12'000 * kMs, 910 * kMs, 977, "tritonserver");

  SliceProfile whole;
  whole.host = "node-c01";
  whole.identity.gpu_uuid = "GPU-01020304-0506-0708-090a-0b0c0d0e0f10";
  whole.identity.gpu_name = "NVIDIA A30";
  whole.identity.sm_count = 56;
  whole.identity.memory_bytes = 25'769'803'776;
  const Step vector_add[] = {{FrameKind::kProcess, "vector_add (pid 31)"},
                             {FrameKind::kNative, "main", "vector_add"},
                             {FrameKind::kCudaApi, "cuLaunchKernel", "libcuda.so.1"}};
  AddStack(&profile, &whole,
           {vector_add[0],
            vector_add[1],
            vector_add[2],
            {FrameKind::kKernel, "VectorAdd", "", "VectorAdd(float const*, float const*, float*, int)"}},
           3 * kMs + 456'789, 1);
  Finish(&whole, 20 * kMs, 3 * kMs + 456'789, 31, "vector_add");

  for (SliceProfile* slice : {&small, &large, &serving, &whole}) {
    slice->simulated = true;
    profile.slices.push_back(std::move(*slice));
  }
  return profile;
}

Profile HostileProfile() {
  Profile profile;
  SliceProfile slice = MigSlice("host<&>\"'", "1g.10gb", 1, 16, "MIG-<svg onload=alert(1)>");
  slice.identity.gpu_name = "GPU ]]> <script>document.title='owned'</script>";
  const std::string deep(10'000, 'x');
  const std::string names[] = {
      "</script><script>document.title='owned'</script>",
      "]]><script>document.title='owned'</script><![CDATA[",
      "<img src=x onerror=\"document.title='owned'\">",
      "operator<< <std::char_traits<char> >(std::ostream&, char const*)",
      "a;b\nc\td\re",
      std::string("nul\0inside", 10),
      "escape \x1b[31m and \x07 bell \x7f delete",
      "broken utf-8 \xff\xfe\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 end\xe2\x82",
      "nonchar \xef\xbf\xbf and bidi \xe2\x80\xae"
      "desrever",
      "\"quotes\" 'single' `tick` \\back\\slash ${x}",
      "日本語の関数名::処理する(文字列)",
      "emoji 🔥🔥🔥",
      "&amp; &lt; &#x41; %s %n {{7*7}}",
      "-->",
      "",
      " ",
      deep,
  };
  uint64_t ns = 1000 * kMs;
  for (const std::string& name : names) {
    Frame process;
    process.name = process.full_name = "process <" + name.substr(0, 30) + ">";
    process.kind = FrameKind::kProcess;
    Frame kernel;
    kernel.name = kernel.full_name = name;
    kernel.module = name.substr(0, 40);
    kernel.kind = FrameKind::kKernel;
    const NodeId parent = slice.stacks.Child(0, profile.frames.Intern(process));
    slice.stacks.Add(slice.stacks.Child(parent, profile.frames.Intern(kernel)), ns, 3);
    slice.kernels.count += 3;
    slice.kernels.total_ns += ns;
    ns -= 30 * kMs;
  }
  Finish(&slice, 20'000 * kMs, 12'000 * kMs, 1,
         "a\xff"
         "b<c>");
  profile.slices.push_back(std::move(slice));
  return profile;
}

Profile SourcesProfile() {
  Profile profile;
  analyze::SliceProfile slice;
  slice.host = "node";
  uint32_t node = 0;
  for (analyze::Frame frame : std::vector<analyze::Frame>{
           {.name = "app (1)", .full_name = "app (1)", .module = "", .kind = FrameKind::kProcess},
           {.name = "Outer", .full_name = "Outer(int)", .module = "libapp.so", .source = "/src/outer.cc:12"},
           {.name = "Inner",
           .full_name = "Inner()",
           .module = "libapp.so",
           .inlined = true,
           .source = "/src/inner.h:3"},
           {.name = "Inner", .full_name = "Inner()", .module = "libapp.so", .source = "/src/inner.h:3"},
           {.name = "axpy", .full_name = "axpy", .module = "", .kind = FrameKind::kKernel}}) {
    node = slice.stacks.Child(node, profile.frames.Intern(std::move(frame)));
  }
  slice.stacks.Add(node, 1000, 1);
  profile.slices.push_back(std::move(slice));
  return profile;
}

}  // namespace migprof::render
