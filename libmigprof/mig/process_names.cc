// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/process_names.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "libmigprof/mig/pod_names.h"

namespace migprof::mig {
namespace {

// PROC_PID_INIT_INO of the kernel.
constexpr char kRootNamespace[] = "pid:[4026531836]";
// The name that the kernel keeps ends after 15 characters.
constexpr char kMpsServer[] = "nvidia-cuda-mps-server";
constexpr size_t kKernelNameLength = 15;
constexpr size_t kMaxBytes = size_t{64} * 1024;

std::string ReadStart(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

bool HasLibcuda(const std::string& maps_path) {
  std::ifstream file(maps_path);
  for (std::string line; std::getline(file, line);) {
    if (line.find("/libcuda.so") != std::string::npos) return true;
  }
  return false;
}

std::string FirstLine(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

// Arguments end with a zero byte each.
std::string CommandLine(std::string text) {
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

bool IsMpsServer(const std::string& name) {
  return name == kMpsServer || name == std::string(kMpsServer).substr(0, kKernelNameLength);
}

}  // namespace

ProcessNames::ProcessNames(std::string proc) : proc_(std::move(proc)), is_root_namespace_(false) {
  char target[64];
  const ssize_t length = readlink((proc_ + "/self/ns/pid").c_str(), target, sizeof(target));
  is_root_namespace_ = length > 0 && std::string(target, static_cast<size_t>(length)) == kRootNamespace;
}

void ProcessNames::Describe(GpuProcess* process) const {
  const std::string folder = proc_ + "/" + std::to_string(process->pid);
  if (!is_root_namespace_ && !HasLibcuda(folder + "/maps")) return;
  process->name = FirstLine(ReadStart(folder + "/comm"));
  process->command_line = CommandLine(ReadStart(folder + "/cmdline"));
  process->workload = ParseCgroups(ReadStart(folder + "/cgroup"));
  AddPodNames(folder, &process->workload);
  process->mps_server = IsMpsServer(process->name);
}

}  // namespace migprof::mig
