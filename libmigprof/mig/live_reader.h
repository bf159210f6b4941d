// SPDX-License-Identifier: Apache-2.0
// Reads again and again what the slices of this host do.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "libmigprof/mig/cached_process_names.h"
#include "libmigprof/mig/live_sample.h"
#include "libmigprof/mig/nvml_api.h"

namespace migprof::mig {

// Holds NVML open from its first reading to its end, which can block a change of MIG mode or a reset by others. Not
// thread-safe. Every reading may take as long as the driver pleases.
class LiveReader {
 public:
  // `nvml` is a loaded table. Slices are listed anew every `relist`, and at once when one is gone.
  explicit LiveReader(const NvmlApi& nvml, std::chrono::nanoseconds relist = std::chrono::seconds(10),
                      const std::string& proc = "/proc");
  LiveReader(const LiveReader&) = delete;
  LiveReader& operator=(const LiveReader&) = delete;
  ~LiveReader();

  // Never fails: LiveSample::problem says why no driver could be asked. The counters are about the time since the
  // reading before, which has to be more than 100 ms ago; so the first reading has none.
  LiveSample Read();

  // Whether a second reading will tell more than the first.
  bool HasCounters() const { return false; }

 private:
  // What is asked again in every reading.
  struct Source {
    NvmlDevice device = nullptr;
  };

  bool Open();
  void Close();
  void ListSlices();
  void AddGpu(const Gpu& gpu, std::vector<LiveSlice>* slices);
  void KeepHistory(std::vector<LiveSlice>* slices) const;
  void FindDevices();
  bool Refresh();
  bool RefreshSlice(size_t index);

  const NvmlApi nvml_;
  const std::chrono::nanoseconds relist_;
  CachedProcessNames names_;
  bool is_open_ = false;
  std::chrono::steady_clock::time_point listed_;
  bool has_list_ = false;
  LiveSample sample_;
  std::vector<Source> sources_;  // of sample_.slices
};

}  // namespace migprof::mig
