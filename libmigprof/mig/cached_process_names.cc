// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/cached_process_names.h"

#include <fstream>
#include <sstream>
#include <utility>

namespace migprof::mig {
namespace {

// When the process began, in ticks since the machine did; 0 when that cannot be read.
uint64_t StartOf(const std::string& stat_path) {
  std::ifstream file(stat_path);
  std::string line;
  std::getline(file, line);
  // Field 22; the second one, in brackets, may hold anything.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  uint64_t start = 0;
  fields >> start;
  return start;
}

}  // namespace

CachedProcessNames::CachedProcessNames(std::string proc) : ProcessNames(proc), proc_(std::move(proc)) {}

void CachedProcessNames::Describe(GpuProcess* process) const {
  const uint64_t start = StartOf(proc_ + "/" + std::to_string(process->pid) + "/stat");
  const auto found = known_.find(process->pid);
  if (found == known_.end() || found->second.start != start || start == 0) {
    ProcessNames::Describe(process);
    if (start != 0) known_[process->pid] = {start, *process};
    return;
  }
  const GpuProcess& known = found->second.process;
  process->name = known.name;
  process->command_line = known.command_line;
  process->workload = known.workload;
  process->mps_server = known.mps_server;
}

}  // namespace migprof::mig
