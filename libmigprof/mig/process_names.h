// SPDX-License-Identifier: Apache-2.0
// What /proc tells of a process that uses a GPU.
#pragma once

#include <cstdint>
#include <string>

#include "libmigprof/mig/topology.h"

namespace migprof::mig {

class ProcessNames {
 public:
  // `proc` is where the process file system is mounted.
  explicit ProcessNames(std::string proc = "/proc");
  virtual ~ProcessNames() = default;

  // Adds name, command line and workload of `process->pid`, as far as they are readable. In a PID namespace a driver
  // may give numbers of the host, which mean other processes here: there only a process that has libcuda loaded is
  // believed.
  virtual void Describe(GpuProcess* process) const;

 private:
  std::string proc_;
  bool is_root_namespace_;
};

}  // namespace migprof::mig
