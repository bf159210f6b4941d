// SPDX-License-Identifier: Apache-2.0
// Which binary is where in this process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct dl_phdr_info;

namespace migprof::record {

struct Module {
  uint32_t id = 0;       // from 1; never reused
  std::string path;      // as the loader has it; of the main program: the file behind /proc/self/exe
  std::string build_id;  // hexadecimal; empty where the binary has none
  uint64_t bias = 0;     // address in memory - address in the file
  uint64_t start = 0;    // of the mapped segments
  uint64_t end = 0;
  bool is_profiler = false;  // this library itself

  // Whether `other` is the same file at the same place.
  bool IsSame(const Module& other) const {
    return start == other.start && end == other.end && path == other.path && build_id == other.build_id;
  }
};

// A snapshot of the loader's list, kept up to date by Refresh. Drain thread only: taking it waits for whoever holds the
// loader's lock.
class ModuleMap {
 public:
  // Looks whether modules came or went, and takes a new snapshot if so. Returns true when any went: addresses seen
  // before may now mean something else.
  bool Refresh();

  // Starts as a copy of `older` without the modules that went, and with ids of its own, from `base` + 1 on.
  void Succeed(const ModuleMap& older, uint32_t base);

  // The id here of a module that went, as another map knew it.
  uint32_t Keep(const Module& gone);

  // The module that holds `address` in the last snapshot, or null.
  const Module* Find(uint64_t address) const;
  // A module by id, also after it was unloaded.
  const Module& operator[](uint32_t id) const { return modules_[id - base_ - 1]; }
  // All that this map has seen, in the order of their ids, which follow each other.
  const std::vector<Module>& all() const { return modules_; }
  uint32_t last_id() const { return base_ + static_cast<uint32_t>(modules_.size()); }

 private:
  struct Walk;
  static int Visit(dl_phdr_info* info, size_t size, void* walk);
  static int Note(dl_phdr_info* info, size_t size, Walk* walk);
  uint32_t Intern(Module module);

  std::vector<Module> modules_;          // all that were ever seen, by id
  std::map<uint64_t, uint32_t> by_end_;  // of the snapshot: end -> id
  uint32_t base_ = 0;
  uint64_t adds_ = 0;
  uint64_t subs_ = 0;
};

}  // namespace migprof::record
