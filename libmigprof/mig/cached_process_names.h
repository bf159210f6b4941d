// SPDX-License-Identifier: Apache-2.0
// What /proc tells of processes that are asked for again and again.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "libmigprof/mig/process_names.h"

namespace migprof::mig {

// Asks for a process once until Forget, as long as it is the same. Not thread-safe.
class CachedProcessNames : public ProcessNames {
 public:
  explicit CachedProcessNames(std::string proc = "/proc");

  void Describe(GpuProcess* process) const override;

  // Names and groups may change: a program that starts another in its place is the same process.
  void Forget() { known_.clear(); }

 private:
  struct Known {
    uint64_t start = 0;
    GpuProcess process;
  };
  const std::string proc_;
  mutable std::unordered_map<uint32_t, Known> known_;
};

}  // namespace migprof::mig
