// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/session_facts.h"

#include <unistd.h>

#include <cstring>

namespace migprof::record {
namespace {

const char* GraphsFact(GraphDetail detail) {
  switch (detail) {
    case GraphDetail::kNode:
      return "node";
    case GraphDetail::kGraph:
      return "graph";
    case GraphDetail::kOff:
      break;
  }
  return "off";
}

}  // namespace

std::string AbsolutePath(const char* path) {
  if (path[0] == '/') return path;
  std::string folder(4096, '\0');
  if (getcwd(folder.data(), folder.size()) == nullptr) return path;
  folder.resize(std::strlen(folder.c_str()));
  return folder + "/" + path;
}

Facts ProcessFacts(const Options& options, const ProcessInfo& process, const CuptiApi& cupti,
                   const mig::DriverApi& driver, int driver_version, uint64_t cupti_start_ns) {
  const bool simulated = driver.simulator_version != nullptr;
  Facts facts = {{"host", process.host},
                 {"boot_id", process.boot_id},
                 {"pid", std::to_string(process.pid)},
                 {"process_name", process.name},
                 {"start_ns", std::to_string(process.start_ns)},
                 {"cupti_start_ns", std::to_string(cupti_start_ns)},
                 {"migprof_version", MIGPROF_VERSION},
                 {"cupti_version", std::to_string(cupti.version)},
                 {"driver_version", std::to_string(driver_version)},
                 {"stacks", options.stacks ? "1" : "0"},
                 {"graphs", GraphsFact(options.graphs)},
                 {"simulated", simulated ? "1" : "0"},
                 {"simulator_version", simulated ? driver.simulator_version() : ""}};
  if (!process.command_line.empty()) facts.emplace_back("command_line", process.command_line);
  return facts;
}

}  // namespace migprof::record
