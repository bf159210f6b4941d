// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/render/live_samples.h"

namespace migprof::render {
namespace {

mig::LiveSlice Slice(unsigned gpu, uint32_t instance, const char* profile, uint32_t sm_count, char uuid_digit) {
  mig::LiveSlice slice;
  slice.gpu_index = gpu;
  slice.gpu_uuid = "GPU-" + std::to_string(gpu) + "0000000-aaaa-bbbb-cccc-dddddddddddd";
  slice.gpu_name = "NVIDIA H100 80GB HBM3";
  slice.pci_bus_id = "00000000:1B:00.0";
  slice.gpu_instance_id = instance;
  slice.gpu_instance_profile = slice.profile = profile;
  slice.compute_instance_id = 0;
  slice.mig_uuid = "MIG-" + std::string(8, uuid_digit) + "-1111-2222-3333-444444444444";
  slice.sm_count = sm_count;
  slice.memory_bytes = 10'000'000'000;
  slice.memory_used_bytes = 0;
  slice.first_seen_ns = 1'700'000'000'000'000'000;
  return slice;
}

void SetCounters(mig::LiveSlice* slice, double sm, double occupancy, double tensor, double dram, bool stale = false) {
  slice->counters = {mig::LiveValue{sm, stale}, mig::LiveValue{sm, stale}, mig::LiveValue{occupancy, stale},
                     mig::LiveValue{tensor, stale}, mig::LiveValue{dram, stale}};
}

mig::GpuProcess Process(uint32_t pid, uint64_t bytes, const char* command) {
  mig::GpuProcess process;
  process.pid = pid;
  process.memory_bytes = bytes;
  process.name = "name";
  process.command_line = command;
  return process;
}

}  // namespace

mig::LiveSample SampleLive() {
  mig::LiveSample sample;
  sample.host = "node7";
  sample.driver_version = "580.159.03";
  sample.time_ns = 1'700'000'100'000'000'000;
  sample.interval_ns = 1'000'000'000;

  mig::LiveSlice busy = Slice(0, 9, "1g.10gb", 16, 'a');
  SetCounters(&busy, 87.25, 41.5, 12, 66);
  busy.memory_used_bytes = 9'100'000'000;
  busy.use.processes = {Process(977, 512'000'000, "/opt/venv/bin/python3 serve.py --port 80"),
                        Process(21077, 8'000'000'000, "/usr/bin/train \x1b[31m\"red\"\n")};
  for (mig::GpuProcess& process : busy.use.processes) {
    process.workload.pod_uid = "3f2a1b9c-0d4e-4f5a-8b6c-7d8e9f0a1b2c";
    process.workload.pod_name = "train-0";
    process.workload.pod_namespace = "research";
    process.workload.container_name = "main";
  }
  mig::LiveSlice above = Slice(0, 10, "1g.10gb", 16, 'b');
  SetCounters(&above, 137.5, 50, 0, 10);
  above.memory_used_bytes = 1'000'000;
  above.use.processes = {Process(5, 1, "a"), Process(6, 1, "b")};
  above.use.processes[0].workload = busy.use.processes[0].workload;  // and the other one is in no pod
  mig::LiveSlice stale = Slice(0, 11, "1g.10gb", 16, 'c');
  SetCounters(&stale, 55.5, 20, 0, 33.3, true);
  mig::LiveSlice first = Slice(0, 1, "3g.40gb", 14, 'd');
  first.profile = "1c.3g.40gb";
  first.siblings = 2;
  first.memory_bytes = 42'000'000'000;
  first.memory_used_bytes = 2'000'000'000;
  SetCounters(&first, 5, 4, 3, 2);
  first.use.processes = {Process(31, 2'000'000'000, "one")};
  mig::LiveSlice second = first;
  second.profile = "2c.3g.40gb";
  second.compute_instance_id = 1;
  second.sm_count = 28;
  second.mig_uuid[4] = 'e';
  second.use = {.refusal = 4, .processes = {}};
  mig::LiveSlice whole = Slice(1, 0, "", 132, 'f');
  whole.gpu_instance_id = whole.compute_instance_id = std::nullopt;
  whole.mig_uuid.clear();
  whole.gpu_name = "bad\"name\\with\nline end\xff";
  whole.counter_refusal = 3;
  sample.slices = {busy, above, stale, first, second, whole};

  mig::LiveGpu sliced{.index = 0, .uuid = busy.gpu_uuid, .name = busy.gpu_name, .is_mig = true, .slices = 5};
  mig::LiveGpu plain{.index = 1, .uuid = whole.gpu_uuid, .name = whole.gpu_name, .slices = 1};
  mig::LiveGpu empty{.index = 2, .uuid = "GPU-2", .name = "NVIDIA A30", .is_mig = true};
  mig::LiveGpu lost{.index = 3, .uuid = "GPU-3", .name = "NVIDIA A100", .refusal = 15};
  sample.gpus = {sliced, plain, empty, lost};
  return sample;
}

}  // namespace migprof::render
