// SPDX-License-Identifier: Apache-2.0
// Reads again and again what the slices of this host do.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "libmigprof/mig/cached_process_names.h"
#include "libmigprof/mig/live_sample.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/nvml_counter_api.h"
#include "libmigprof/mig/slice_counters.h"

namespace migprof::mig {

// Holds NVML open from its first reading to its end, which can block a change of MIG mode or a reset by others. Not
// thread-safe. Every reading may take as long as the driver pleases.
class LiveReader {
 public:
  // `nvml` and `counters` are tables of the loaded library. Slices are listed anew every `relist`, and soon after one
  // is gone.
  LiveReader(const NvmlApi& nvml, const NvmlCounterApi& counters,
             std::chrono::nanoseconds relist = std::chrono::seconds(10), const std::string& proc = "/proc");
  LiveReader(const LiveReader&) = delete;
  LiveReader& operator=(const LiveReader&) = delete;
  ~LiveReader();

  // Never fails: LiveSample::problem says why no driver could be asked. The counters are about the time since the
  // reading before, which has to be more than 100 ms ago; so the first reading has none.
  LiveSample Read();

  // Whether a second reading will tell more than the first.
  bool HasCounters() const;

 private:
  // What is asked again in every reading.
  struct Source {
    NvmlDevice device = nullptr;
    // Null for a compute instance that shares its GPU instance with the one before: so it does the counters.
    std::unique_ptr<SliceCounters> counters;
  };

  bool Open();
  void Close();
  void ListSlices();
  void AddGpu(const Gpu& gpu, std::vector<LiveSlice>* slices);
  void KeepHistory(std::vector<LiveSlice>* slices) const;
  void FindSources(std::vector<LiveSlice> before);
  void OpenCounters(const LiveSlice& slice, Source* source);
  void ReadCounters();
  bool Refresh();
  bool RefreshSlice(size_t index);

  const NvmlApi nvml_;
  const NvmlCounterApi counter_api_;
  const std::chrono::nanoseconds relist_;
  CachedProcessNames names_;
  bool is_open_ = false;
  std::chrono::steady_clock::time_point listed_;
  bool has_list_ = false;
  LiveSample sample_;
  std::vector<Source> sources_;  // of sample_.slices
  std::chrono::steady_clock::time_point counted_;
};

}  // namespace migprof::mig
