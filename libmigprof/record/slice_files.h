// SPDX-License-Identifier: Apache-2.0
// CUDA device ordinal -> trace file; asks who a device is the first time it is seen.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libmigprof/mig/driver_api.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/slice_identity.h"
#include "libmigprof/record/activity.h"
#include "libmigprof/record/counter_sampler.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/live_allocations.h"
#include "libmigprof/record/live_graph_nodes.h"
#include "libmigprof/record/pause_log.h"
#include "libmigprof/record/process_facts.h"
#include "libmigprof/record/rotation.h"
#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// Drain thread only.
class SliceFiles {
 public:
  // `folder` is absolute. `facts` go into every file. `driver` may lack functions; slices are then known by ordinal
  // only.
  SliceFiles(std::string folder, ProcessInfo process, Facts facts, const mig::DriverApi& driver,
             Definitions* definitions, const PauseLog* pauses);

  // Rows that wait in all files take at most so much memory. Before there is any file.
  void LimitRows(size_t most_bytes) { most_row_bytes_ = most_bytes; }
  // Before the first file: keeps the recording within `limits`. `now_ns` reads CUPTI's clock.
  void SetLimits(const RotationLimits& limits, uint64_t (*now_ns)());
  // Before Definitions::Forget; see SliceFile. An error is error().
  void ForgetDefinitions();
  bool is_bounded() const { return rotation_.has_value(); }
  // What later files must say for themselves. Used only where the recording is bounded.
  LiveGraphNodes* live_graph_nodes() { return &live_graph_nodes_; }
  LiveAllocations* live_allocations() { return &live_allocations_; }

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
  // Of a bounded recording, after all files were flushed and names resolved: begins new files where it is time, and
  // deletes what is older than the window.
  Error Rotate();
  // The same between two flushes, for files that are full. To be called wherever much is added at once.
  void WriteFull();
  // Has what is recorded now stay when it is no longer in the window. Nothing without one.
  Error KeepWindow();
  // Says once more in `file`, the device's, what of its recording was deleted: where that was said may have been cut
  // off.
  Error StateRotated(uint32_t ordinal, SliceFile* file);
  // Whether all of MIGPROF_MAX_BYTES may be used: at the end, and else not quite all.
  void UseReserve(bool use);
  uint64_t rows_without_room() const;

  bool empty() const { return files_.empty(); }
  const Error& error() const { return error_; }

 private:
  struct Entry {
    mig::SliceIdentity identity;
    std::unique_ptr<SliceFile> file;
    std::string path;      // of its files, up to the number of the segment
    uint32_t segment = 0;  // number of the file among those of the device
    bool known_to_nvml = false;
    uint64_t uses = 0;  // how often ForDevice was asked for it
  };

  mig::SliceIdentity Identify(uint32_t ordinal);
  // Whether NVML knows the device.
  bool AskNvml(mig::SliceIdentity* identity);
  bool AddInstanceIds(mig::SliceIdentity* identity) const;
  std::string PathFor(const mig::SliceIdentity& identity, int attempt) const;
  // Without the number of a segment.
  bool IsPathOfAnother(const std::string& path) const;
  std::unique_ptr<SliceFile> CreateFile(uint32_t ordinal, const Entry& entry, uint32_t segment, Error* error);
  Facts ProcessFactsOf(uint32_t segment) const;
  // Goes on in a new file. Where none can be made, in the old one.
  Error BeginSegment(uint32_t ordinal, Entry* entry);

  std::string folder_;
  ProcessInfo process_;
  Facts facts_;
  mig::DriverApi driver_;
  mig::NvmlApi nvml_;
  bool nvml_loaded_ = false;
  bool nvml_missing_ = false;
  Definitions* definitions_;
  const PauseLog* pauses_;
  std::shared_ptr<format::Compressor> compressor_ = format::MakeCompressor();
  size_t most_row_bytes_ = SIZE_MAX;
  std::map<uint32_t, Entry> files_;
  std::vector<DeviceActivity> mig_devices_;
  std::optional<Rotation> rotation_;
  uint64_t (*now_ns_)() = nullptr;
  LiveGraphNodes live_graph_nodes_;
  LiveAllocations live_allocations_;
  uint64_t rows_without_room_ = 0;  // of files that were closed
  Error error_;
};

}  // namespace migprof::record
