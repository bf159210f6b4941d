// SPDX-License-Identifier: Apache-2.0
// Source lines and inlined functions for the addresses of many modules.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "libmigprof/analyze/debug_files.h"
#include "libmigprof/analyze/source_frame.h"

namespace migprof::analyze {

struct LineOptions {
  std::vector<std::string> debug_folders;    // searched first, see DebugFiles
  bool debuginfod = true;                    // ask the servers of DEBUGINFOD_URLS, if that is set
  std::chrono::milliseconds time{60'000};    // most that one module may take
  std::chrono::seconds debuginfod_time{30};  // most that all fetching together may take
};

// Finds for each module a file of the same build id that has debug information, and reads it in a process of its own: a
// broken file costs its lines and nothing else. Every address is looked up once. Any thread; lookups in different
// modules run side by side, those in the same one after another.
class LineTable {
 public:
  // Whether this build can read debug information at all.
  static bool IsAvailable();

  explicit LineTable(LineOptions options) : options_(std::move(options)), files_(options_.debug_folders) {}

  // For each of `addresses`, which are of calls (return address - 1) and in the address space of the file: what is
  // known of it, or null. `build_id` is hexadecimal; without one nothing is known. `path`: where the module was.
  std::vector<std::shared_ptr<const SourceChain>> Find(const std::string& build_id, const std::string& path,
                                                       std::span<const uint64_t> addresses);

  // Which module is being read just now, for a person who waits; else empty.
  std::string reading() const;
  // Sentences on modules whose debug information could not be used to its end, sorted.
  std::vector<std::string> problems() const;
  // The files that were used, sorted.
  std::vector<std::string> files_used() const;

 private:
  struct Module {
    std::mutex mutex;
    std::unordered_map<uint64_t, std::shared_ptr<const SourceChain>> chains;  // null: looked for in vain
    bool failed = false;
  };

  Module* ModuleOf(const std::string& build_id);
  void Read(const std::string& build_id, const std::string& path, const std::vector<uint64_t>& addresses,
            Module* module);
  bool MayFetch();

  const LineOptions options_;
  DebugFiles files_;
  mutable std::mutex mutex_;  // for what follows
  std::map<std::string, std::unique_ptr<Module>> modules_;
  std::vector<std::string> problems_;
  std::map<std::string, int> files_used_;
  std::string reading_;
  std::chrono::milliseconds fetching_{0};
};

}  // namespace migprof::analyze
