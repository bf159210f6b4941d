// SPDX-License-Identifier: Apache-2.0
// CUDA device ordinal -> trace file; asks who a device is the first time it is seen.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "libmigprof/mig/driver_api.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/slice_identity.h"
#include "libmigprof/record/activity.h"
#include "libmigprof/record/counter_sampler.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/pause_log.h"
#include "libmigprof/record/process_facts.h"
#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// Drain thread only.
class SliceFiles {
 public:
  // `folder` is absolute. `facts` go into every file. `driver` may lack functions; slices are then known by ordinal
  // only.
  SliceFiles(std::string folder, ProcessInfo process, Facts facts, const mig::DriverApi& driver,
             Definitions* definitions, const PauseLog* pauses);

  // The file of a device, made if it is not there; null when it cannot be made, which error() then explains.
  SliceFile* ForDevice(uint32_t ordinal);
  // The device if the process has used exactly one so far.
  const uint32_t* only_device() const { return files_.size() == 1 ? &files_.begin()->first : nullptr; }

  // CUPTI's own word on a slice: fills in the instance ids when NVML could not be asked.
  void NoteMigDevice(const DeviceActivity& device);

  void ForEach(const std::function<void(uint32_t ordinal, SliceFile*)>& visit);

  // Has `sampler` sample the devices that NVML has identified. Without one, NVML is left alone.
  void SampleCounters(CounterSampler* sampler);

  // Tries once more what could not be written when it should have been; the first reason why something is left.
  Error WriteWaiting();

  bool empty() const { return files_.empty(); }
  const Error& error() const { return error_; }

 private:
  struct Entry {
    mig::SliceIdentity identity;
    std::unique_ptr<SliceFile> file;
    bool known_to_nvml = false;
    uint64_t uses = 0;  // how often ForDevice was asked for it
  };

  mig::SliceIdentity Identify(uint32_t ordinal);
  // Whether NVML knows the device.
  bool AskNvml(mig::SliceIdentity* identity);
  bool AddInstanceIds(mig::SliceIdentity* identity) const;
  std::string PathFor(const mig::SliceIdentity& identity, int attempt) const;

  std::string folder_;
  ProcessInfo process_;
  Facts facts_;
  mig::DriverApi driver_;
  mig::NvmlApi nvml_;
  bool nvml_loaded_ = false;
  bool nvml_missing_ = false;
  Definitions* definitions_;
  const PauseLog* pauses_;
  std::map<uint32_t, Entry> files_;
  std::vector<DeviceActivity> mig_devices_;
  Error error_;
};

}  // namespace migprof::record
