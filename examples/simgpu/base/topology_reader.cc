// SPDX-License-Identifier: Apache-2.0
// The JSON side of topology.h.
#include <cstdio>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <type_traits>

#include "base/topology.h"

namespace simgpu {
namespace {

using nlohmann::json;

constexpr uint64_t kMebibyte = 1024 * 1024;

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what); }

// Refuses numbers that would become others on the way: negative ones, fractions and those that are too large.
template <class T>
T Value(const json& object, const char* key) {
  const json& value = object.at(key);
  if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > std::numeric_limits<T>::max()) {
      Fail(std::string("\"") + key + "\" must be a whole number from 0 to " +
           std::to_string(std::numeric_limits<T>::max()) + ", not " + value.dump().substr(0, 80));
    }
  }
  return value.get<T>();
}

template <class T>
T Required(const json& object, const char* key) {
  if (!object.contains(key)) Fail(std::string("\"") + key + "\" is missing in " + object.dump().substr(0, 80));
  return Value<T>(object, key);
}

template <class T>
T Optional(const json& object, const char* key, T otherwise) {
  return object.contains(key) ? Value<T>(object, key) : otherwise;
}

// Refuses keys that nobody reads: a misspelt one would otherwise be a silent default.
void CheckKeys(const json& object, const std::set<std::string>& known) {
  if (!object.is_object()) Fail("expected an object, not " + object.dump().substr(0, 80));
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key)) Fail("unknown key \"" + key + "\"");
  }
}

Uuid RequiredUuid(const json& object, const char* prefix) {
  const std::string text = Required<std::string>(object, "uuid");
  const std::optional<Uuid> uuid = ParseUuid(prefix, text);
  if (!uuid) Fail("\"uuid\" must be \"" + std::string(prefix) + "\" and a UUID, not \"" + text + "\"");
  return *uuid;
}

uint32_t RequiredHex(const json& object, const char* key) {
  return static_cast<uint32_t>(std::stoul(Required<std::string>(object, key), nullptr, 16));
}

void ReadPci(const json& object, Gpu* gpu) {
  CheckKeys(object, {"bus_id", "device_id", "subsystem_id"});
  const std::string bus_id = Required<std::string>(object, "bus_id");
  if (std::sscanf(bus_id.c_str(), "%x:%x:%x.0", &gpu->pci_domain, &gpu->pci_bus, &gpu->pci_slot) != 3) {
    Fail("\"bus_id\" must look like 00000000:1b:00.0");
  }
  gpu->pci_device_id = RequiredHex(object, "device_id");
  gpu->pci_subsystem_id = RequiredHex(object, "subsystem_id");
}

ComputeInstance ReadComputeInstance(const json& object) {
  CheckKeys(object, {"id", "uuid", "slices", "sm_count", "placement_start", "profile_id"});
  ComputeInstance instance;
  instance.id = Required<uint32_t>(object, "id");
  instance.slices = Required<uint32_t>(object, "slices");
  instance.sm_count = Required<uint32_t>(object, "sm_count");
  instance.placement_start = Optional(object, "placement_start", 0u);
  instance.profile_id = Optional(object, "profile_id", 0u);
  instance.uuid = RequiredUuid(object, "MIG-");
  if (instance.sm_count == 0) Fail("a compute instance needs at least one SM");
  return instance;
}

GpuInstance ReadGpuInstance(const json& object) {
  CheckKeys(object, {"id", "profile", "profile_id", "slices", "placement_start", "placement_size", "memory_mib",
                     "copy_engines", "decoders", "compute_instances"});
  GpuInstance instance;
  instance.id = Required<uint32_t>(object, "id");
  instance.profile = Required<std::string>(object, "profile");
  instance.profile_id = Required<uint32_t>(object, "profile_id");
  instance.slices = Required<uint32_t>(object, "slices");
  instance.placement_start = Required<uint32_t>(object, "placement_start");
  instance.placement_size = Required<uint32_t>(object, "placement_size");
  instance.memory_bytes = Required<uint32_t>(object, "memory_mib") * kMebibyte;
  instance.copy_engines = Optional(object, "copy_engines", 1u);
  instance.decoders = Optional(object, "decoders", 0u);
  for (const json& compute : Required<json>(object, "compute_instances")) {
    instance.compute_instances.push_back(ReadComputeInstance(compute));
  }
  return instance;
}

Gpu ReadGpu(const json& object) {
  CheckKeys(object, {"name",
                     "uuid",
                     "pci",
                     "compute_capability",
                     "sm_count",
                     "copy_engines",
                     "memory_mib",
                     "memory_slices",
                     "memory_gb_per_s",
                     "memory_bus_bits",
                     "l2_mib",
                     "clock_mhz",
                     "memory_clock_mhz",
                     "pcie_gb_per_s",
                     "mig",
                     "mig_pending",
                     "mig_capable",
                     "mig_slices",
                     "mig_sm_count",
                     "gpu_instances"});
  Gpu gpu;
  gpu.name = Required<std::string>(object, "name");
  gpu.uuid = RequiredUuid(object, "GPU-");
  ReadPci(Required<json>(object, "pci"), &gpu);
  const std::string capability = Required<std::string>(object, "compute_capability");
  if (std::sscanf(capability.c_str(), "%u.%u", &gpu.compute_major, &gpu.compute_minor) != 2) {
    Fail("\"compute_capability\" must look like 9.0");
  }
  gpu.sm_count = Required<uint32_t>(object, "sm_count");
  gpu.copy_engines = Optional(object, "copy_engines", 3u);
  gpu.memory_bytes = Required<uint32_t>(object, "memory_mib") * kMebibyte;
  gpu.memory_slices = Optional(object, "memory_slices", 8u);
  gpu.memory_bytes_per_us = uint64_t{Required<uint32_t>(object, "memory_gb_per_s")} * 1000;
  gpu.pcie_bytes_per_us = uint64_t{Required<uint32_t>(object, "pcie_gb_per_s")} * 1000;
  gpu.memory_bus_bits = Optional(object, "memory_bus_bits", 5120u);
  gpu.l2_bytes = static_cast<uint32_t>(Optional(object, "l2_mib", 50u) * kMebibyte);
  gpu.clock_khz = Optional(object, "clock_mhz", 1980u) * 1000;
  gpu.memory_clock_khz = Optional(object, "memory_clock_mhz", 2619u) * 1000;
  gpu.mig = Optional(object, "mig", false);
  gpu.mig_pending = Optional(object, "mig_pending", gpu.mig);
  gpu.mig_capable = Optional(object, "mig_capable", true);
  gpu.mig_slices = Optional(object, "mig_slices", 7u);
  gpu.mig_sm_count = Optional(object, "mig_sm_count", gpu.sm_count);
  if (!gpu.mig_capable && (gpu.mig || gpu.mig_pending)) Fail("\"mig\" needs \"mig_capable\": true");
  if (gpu.memory_bytes_per_us == 0 || gpu.pcie_bytes_per_us == 0) Fail("a bandwidth of 0");
  for (const json& instance : object.value("gpu_instances", json::array())) {
    gpu.instances.push_back(ReadGpuInstance(instance));
  }
  if (!gpu.mig && !gpu.instances.empty()) Fail("\"gpu_instances\" need \"mig\": true");
  return gpu;
}

std::shared_ptr<const regex_t> Compile(const std::string& pattern) {
  auto compiled = std::make_unique<regex_t>();
  if (const int error = regcomp(compiled.get(), pattern.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
    char text[128];
    regerror(error, compiled.get(), text, sizeof(text));
    Fail("\"" + pattern + "\": " + text);
  }
  const auto release = [](regex_t* expression) {
    regfree(expression);
    delete expression;
  };
  return {compiled.release(), release};
}

KernelRule ReadKernelRule(const json& object) {
  CheckKeys(object, {"match", "base_ns", "wave_ns"});
  KernelRule rule;
  rule.pattern = Required<std::string>(object, "match");
  rule.compiled = Compile(rule.pattern);
  if (object.contains("base_ns")) rule.base_ns = Value<uint64_t>(object, "base_ns");
  if (object.contains("wave_ns")) rule.wave_ns = Value<uint64_t>(object, "wave_ns");
  return rule;
}

TimeModel ReadModel(const json& object) {
  CheckKeys(object, {"driver_call_ns", "runtime_call_ns", "launch_latency_ns", "gap_ns", "kernel_base_ns", "wave_ns",
                     "copy_latency_ns", "host_function_ns"});
  TimeModel model;
  model.driver_call_ns = Optional(object, "driver_call_ns", model.driver_call_ns);
  model.runtime_call_ns = Optional(object, "runtime_call_ns", model.runtime_call_ns);
  model.launch_latency_ns = Optional(object, "launch_latency_ns", model.launch_latency_ns);
  model.gap_ns = Optional(object, "gap_ns", model.gap_ns);
  model.kernel_base_ns = Optional(object, "kernel_base_ns", model.kernel_base_ns);
  model.wave_ns = Optional(object, "wave_ns", model.wave_ns);
  model.copy_latency_ns = Optional(object, "copy_latency_ns", model.copy_latency_ns);
  model.host_function_ns = Optional(object, "host_function_ns", model.host_function_ns);
  return model;
}

Topology Interpret(const json& document) {
  CheckKeys(document, {"description", "driver", "gpus", "model", "kernels"});
  Topology topology;
  const json driver = Required<json>(document, "driver");
  CheckKeys(driver, {"version", "cuda"});
  topology.driver_version = Required<std::string>(driver, "version");
  topology.driver_branch = static_cast<uint32_t>(std::stoul(topology.driver_version));
  topology.cuda_version = Required<uint32_t>(driver, "cuda");
  for (const json& gpu : Required<json>(document, "gpus")) topology.gpus.push_back(ReadGpu(gpu));
  topology.model = ReadModel(document.value("model", json::object()));
  for (const json& rule : document.value("kernels", json::array())) {
    topology.model.kernel_rules.push_back(ReadKernelRule(rule));
  }
  return topology;
}

// Runs `interpret` on the parsed file; turns whatever it throws into `problem`.
template <class Function>
bool ReadFile(const std::string& file, std::string* problem, Function interpret) {
  std::ifstream stream(file);
  if (!stream) {
    *problem = "cannot be opened";
    return false;
  }
  try {
    interpret(json::parse(stream));
    return true;
  } catch (const std::exception& error) {
    *problem = error.what();
    return false;
  }
}

}  // namespace

bool ReadTopology(const std::string& file, Topology* topology, std::string* problem) {
  return ReadFile(file, problem, [&](const json& document) {
    *topology = Interpret(document);
    topology->file = file;
  });
}

bool ReadKernelRules(const std::string& file, std::vector<KernelRule>* rules, std::string* problem) {
  return ReadFile(file, problem, [&](const json& document) {
    if (!document.is_array()) Fail("expected a list of kernel rules");
    for (const json& rule : document) rules->push_back(ReadKernelRule(rule));
  });
}

}  // namespace simgpu
