// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/topology_json.h"
#include "libmigprof/render/topology_text.h"
#include "tests/unit/render/golden.h"

namespace migprof::render {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kNoPermission = 4;
constexpr int kGpuIsLost = 15;

mig::GpuProcess Process(uint32_t pid, uint64_t bytes, const char* command) {
  mig::GpuProcess process;
  process.pid = pid;
  process.memory_bytes = bytes;
  process.name = "name";
  process.command_line = command;
  return process;
}

mig::ComputeInstance Compute(uint32_t id, const char* profile, uint32_t slices, uint32_t sm_count, char uuid_digit) {
  mig::ComputeInstance compute;
  compute.id = id;
  compute.profile = profile;
  compute.slices = slices;
  compute.sm_count = sm_count;
  compute.uuid = "MIG-" + std::string(8, uuid_digit) + "-1111-2222-3333-444444444444";
  compute.placement = mig::Placement{id, slices};
  return compute;
}

mig::GpuInstance Instance(uint32_t id, const char* profile, uint32_t slices, mig::Placement placement) {
  mig::GpuInstance instance;
  instance.id = id;
  instance.profile = profile;
  instance.slices = slices;
  instance.memory_bytes = slices * 10'000'000'000;
  instance.memory_used_bytes = 1'234'000'000;
  instance.placement = placement;
  return instance;
}

mig::Gpu MigGpu(unsigned index) {
  mig::Gpu gpu;
  gpu.index = index;
  gpu.uuid = "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd";
  gpu.name = "NVIDIA H100 80GB HBM3";
  gpu.pci_bus_id = "00000000:1B:00.0";
  gpu.mode = gpu.pending = mig::MigMode::kOn;
  gpu.compute_slices = 7;
  gpu.memory_slices = 8;
  return gpu;
}

// One of everything that can be shown.
mig::Host SampleHost() {
  mig::Host host;
  host.name = "node7";
  host.driver_version = "580.159.03";
  host.cuda_version = "13.0";

  mig::Gpu sliced = MigGpu(0);
  sliced.gpu_instances = {Instance(9, "1g.10gb", 1, {0, 1}), Instance(11, "1g.10gb", 1, {1, 1}),
                          Instance(1, "3g.40gb", 3, {4, 4})};
  sliced.gpu_instances[0].compute_instances = {Compute(0, "1g.10gb", 1, 16, 'a')};
  mig::Use* use = &sliced.gpu_instances[0].compute_instances[0].use;
  use->processes = {Process(977, 512'000'000, "/opt/venv/bin/python3 serve.py --port 80"),
                    Process(21077, 2'048'000'000, "")};
  use->processes[0].workload.pod_uid = "3f2a1b9c-0d4e-4f5a-8b6c-7d8e9f0a1b2c";
  use->processes[0].workload.container_id = std::string(64, 'c');
  use->processes[1].name = "";
  sliced.gpu_instances[1].compute_instances = {Compute(0, "1g.10gb", 1, 16, 'b')};
  use = &sliced.gpu_instances[1].compute_instances[0].use;
  use->processes = {
      Process(1, 1000, "nvidia-cuda-mps-server"),
      Process(2, 2000, "a-program-with-a-very-long-command-line --of --arguments --that --do --not --fit"),
      Process(3, 3000, "b")};
  use->processes[0].mps_server = true;
  use->processes[1].mps_client = use->processes[2].mps_client = true;
  use->processes[2].workload.slurm_job_id = "42";
  use->processes[2].workload.slurm_step = "0";
  sliced.gpu_instances[2].compute_instances = {Compute(0, "1c.3g.40gb", 1, 16, 'c'),
                                               Compute(1, "2c.3g.40gb", 2, 44, 'd')};
  sliced.gpu_instances[2].compute_instances[0].use.processes = {Process(5, 1, "lonely")};

  mig::Gpu container = MigGpu(1);
  container.listing_refusal = kNoPermission;
  container.memory_slices.reset();
  container.gpu_instances = {Instance(1, "3g.40gb", 3, {})};
  container.gpu_instances[0].placement.reset();
  container.gpu_instances[0].compute_instances = {Compute(0, "1c.3g.40gb", 1, 16, 'e')};
  container.gpu_instances[0].compute_instances[0].use.refusal = kNoPermission;

  mig::Gpu empty = MigGpu(2);
  mig::Gpu unusable = MigGpu(3);
  unusable.gpu_instances = {Instance(0, "7g.80gb", 7, {0, 8})};

  mig::Gpu whole = MigGpu(4);
  whole.mode = mig::MigMode::kOff;
  whole.memory_slices = whole.compute_slices = std::nullopt;
  whole.sm_count = 132;
  whole.memory_bytes = 85'520'000'000;
  whole.memory_used_bytes = 3'000'000;
  whole.use.processes = {Process(8, 1'000'000, "train"), Process(9, 2'000'000, "eval")};
  mig::Gpu plain = whole;
  plain.index = 5;
  plain.mode = plain.pending = mig::MigMode::kUnsupported;
  plain.use.processes.clear();
  mig::Gpu lost;
  lost.index = 6;
  lost.refusal = kGpuIsLost;
  host.gpus = {sliced, container, empty, unusable, whole, plain, lost};
  return host;
}

std::string Text(const mig::Host& host, const TopologyTextOptions& options = {}) {
  std::ostringstream out;
  WriteTopologyText(host, options, out);
  return out.str();
}

std::string JsonText(const mig::Host& host) {
  std::ostringstream out;
  WriteTopologyJson(host, out);
  return out.str();
}

size_t WidestLine(const std::string& text) {
  std::istringstream lines(text);
  size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, DisplayCells(line));
  return widest;
}

TEST(WriteTopologyText, SampleHost_IsAsItEverWas) {
  const std::string text = Text(SampleHost());
  EXPECT_LE(WidestLine(text), 100u);
  ExpectGolden("topology.txt", text);
}

TEST(WriteTopologyText, NarrowTerminal_PutsUuidsOnLinesOfTheirOwn) {
  const std::string text = Text(SampleHost(), {.width = 72, .ascii = true});
  EXPECT_LE(WidestLine(text), 72u);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  EXPECT_THAT(text, HasSubstr("\n     MIG-aaaaaaaa-1111-2222-3333-444444444444\n"));
  ExpectGolden("topology.narrow.txt", text);
}

TEST(WriteTopologyText, SimulatedHost_SaysSoFirst) {
  mig::Host host = SampleHost();
  EXPECT_THAT(Text(host), Not(HasSubstr("SIMULATED")));
  host.simulated = true;
  EXPECT_EQ(Text(host).rfind("SIMULATED GPU: ", 0), 0u);
}

TEST(WriteTopologyText, Colours_OnlyWhenWanted) {
  EXPECT_THAT(Text(SampleHost()), Not(HasSubstr("\033")));
  EXPECT_THAT(Text(SampleHost(), {.colour = true}), HasSubstr("\033[1mGPU 0  NVIDIA H100 80GB HBM3"));
}

TEST(WriteTopologyText, PendingMode_IsSaidWithWhatToDo) {
  mig::Host host;
  host.gpus = {MigGpu(3)};
  host.gpus[0].mode = mig::MigMode::kOff;
  EXPECT_THAT(Text(host, {.width = 500}), HasSubstr("MIG will be on after the next reset of this GPU: sudo nvidia-smi "
                                                    "--gpu-reset -i 3"));
  host.gpus[0].pending = mig::MigMode::kOff;
  EXPECT_THAT(Text(host), Not(HasSubstr("reset")));
}

TEST(WriteTopologyText, NothingInViewWithoutPermission_IsNotCalledEmpty) {
  mig::Host host;
  host.gpus = {MigGpu(0)};
  EXPECT_THAT(Text(host), HasSubstr("There is no slice"));
  host.gpus[0].listing_refusal = kNoPermission;
  const std::string text = Text(host, {.width = 500});
  EXPECT_THAT(text, Not(HasSubstr("There is no slice")));
  EXPECT_THAT(text,
              HasSubstr("There may be some that this user or container may not see (listing them: no permission)"));
}

TEST(WriteTopologyText, NoGpu_IsAnAnswer) { EXPECT_THAT(Text({}), HasSubstr("no GPU")); }

TEST(WriteTopologyText, HostileNames_DoNotReachTheTerminal) {
  mig::Host host = SampleHost();
  host.gpus[0].gpu_instances[0].compute_instances[0].use.processes[0].command_line = "a\033[2Jb\nc";
  const std::string text = Text(host);
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(text, Not(HasSubstr("b\nc")));
}

TEST(WriteTopologyJson, SampleHost_IsAsItEverWas) { ExpectGolden("topology.json", JsonText(SampleHost())); }

TEST(WriteTopologyJson, WithoutADriver_HasTheProblem) {
  mig::Host host;
  host.problem = "There is none.";
  const nlohmann::json json = nlohmann::json::parse(JsonText(host));
  EXPECT_EQ(json["problem"]["text"], "There is none.");
  EXPECT_TRUE(json["problem"]["nvml_code"].is_null());
  EXPECT_EQ(json["gpus"], nlohmann::json::array());
}

TEST(WriteTopologySchema, EveryFieldOfTheSample_IsInIt) {
  std::ostringstream out;
  WriteTopologySchema(out);
  const nlohmann::json schema = nlohmann::json::parse(out.str());
  const nlohmann::json host = nlohmann::json::parse(JsonText(SampleHost()));
  const auto expect_described = [](const nlohmann::json& object, const nlohmann::json& definition) {
    for (const auto& [field, value] : object.items()) EXPECT_TRUE(definition["properties"].contains(field)) << field;
    for (const auto& field : definition["required"]) EXPECT_TRUE(object.contains(field.get<std::string>())) << field;
    EXPECT_EQ(definition["required"].size(), definition["properties"].size());
  };
  const nlohmann::json& definitions = schema["$defs"];
  const nlohmann::json& instance = host["gpus"][0]["gpu_instances"][0];
  expect_described(host, schema);
  expect_described(host["gpus"][0], definitions["gpu"]);
  expect_described(host["gpus"][6]["problem"], definitions["problem"]);
  expect_described(instance, definitions["gpu_instance"]);
  expect_described(instance["compute_instances"][0], definitions["compute_instance"]);
  expect_described(instance["compute_instances"][0]["processes"][0], definitions["process"]);
}

}  // namespace
}  // namespace migprof::render
