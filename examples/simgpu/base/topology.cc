// SPDX-License-Identifier: Apache-2.0
#include "base/topology.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "base/complain.h"
#include "base/visible_devices.h"

namespace simgpu {
namespace {

constexpr char kDefaultFile[] = "topologies/h100-mixed.json";

// The default topology beside the library this code was linked into; variants of a library are one folder further down.
std::string DefaultFile() {
  Dl_info info;
  std::string folder = ".";
  if (dladdr(reinterpret_cast<const void*>(&kDefaultFile), &info) != 0 && info.dli_fname != nullptr) {
    const std::string library = info.dli_fname;
    const size_t slash = library.rfind('/');
    if (slash != std::string::npos) folder = library.substr(0, slash);
  }
  const std::string file = folder + "/" + kDefaultFile;
  return access(file.c_str(), R_OK) == 0 ? file : folder + "/../" + kDefaultFile;
}

// Null after a complaint.
std::string TopologyFile() {
  const char* given = std::getenv("SIMGPU_TOPOLOGY");
  return given != nullptr && *given != '\0' ? given : DefaultFile();
}

// The file's number on its disk: another one after a replacement.
ino_t FileNumber(const std::string& file) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
}

const Topology* Load() {
  const std::string file = TopologyFile();
  auto topology = std::make_unique<Topology>();
  std::string problem;
  if (!ReadTopology(file, topology.get(), &problem)) {
    Complain("topology %s: %s", file.c_str(), problem.c_str());
    return nullptr;
  }
  if (const char* devices = std::getenv("SIMGPU_VISIBLE_DEVICES"); devices != nullptr && *devices != '\0') {
    Restrict(devices, topology.get());
  }
  if (const char* rules_file = std::getenv("SIMGPU_KERNELS"); rules_file != nullptr && *rules_file != '\0') {
    std::vector<KernelRule> rules;
    if (!ReadKernelRules(rules_file, &rules, &problem)) {
      Complain("SIMGPU_KERNELS %s: %s", rules_file, problem.c_str());
      return nullptr;
    }
    std::vector<KernelRule>& all = topology->model.kernel_rules;
    all.insert(all.begin(), rules.begin(), rules.end());
  }
  return topology.release();
}

}  // namespace

uint64_t DeviceRef::memory_bytes_per_us() const {
  if (!is_mig()) return gpu->memory_bytes_per_us;
  const uint32_t grid = std::max(gpu->memory_slices, 1u);
  return std::max<uint64_t>(gpu->memory_bytes_per_us * instance->placement_size / grid, 1);
}

std::string DeviceRef::uuid_text() const {
  return is_mig() ? FormatUuid("MIG-", compute->uuid) : FormatUuid("GPU-", gpu->uuid);
}

std::string DeviceRef::profile() const {
  if (!is_mig()) return "";
  if (compute->slices == instance->slices) return instance->profile;
  return std::to_string(compute->slices) + "c." + instance->profile;
}

std::string DeviceRef::name() const { return is_mig() ? gpu->name + " MIG " + profile() : gpu->name; }

const Topology* ProcessTopology() {
  // Kept for the life of the process: the driver answers until the last atexit handler has run.
  static const Topology* const topology = Load();
  return topology;
}

const Topology* CurrentTopology() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  static const std::string file = TopologyFile();
  static ino_t number = FileNumber(file);
  static const Topology* current = ProcessTopology();
  const ino_t now = FileNumber(file);
  if (now == number || now == 0) return current;
  number = now;
  if (const Topology* const topology = Load()) current = topology;
  return current;
}

}  // namespace simgpu
