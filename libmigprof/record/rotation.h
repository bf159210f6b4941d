// SPDX-License-Identifier: Apache-2.0
// Keeps a recording within MIGPROF_MAX_BYTES and MIGPROF_WINDOW: of the files it consists of, the oldest are deleted.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libmigprof/record/disk_room.h"
#include "libmigprof/record/file_sink.h"
#include "libmigprof/record/rotated_log.h"
#include "libmigprof/record/slice_file.h"

namespace migprof::record {

struct RotationLimits {
  uint64_t max_bytes = 0;  // of all files of the process; 0: no limit
  uint64_t window_ns = 0;  // of events that are kept; 0: all
  bool any() const { return max_bytes != 0 || window_ns != 0; }
};

// What is recorded of a device is a sequence of files, segments, of which only the newest is written to. A segment is
// deleted after what it held has been written down, as numbers, in the newest file of its device: when a SIGKILL comes,
// either the segment is there or its numbers are. Drain thread only.
class Rotation final : public DiskRoom {
 public:
  explicit Rotation(const RotationLimits& limits) : limits_(limits) {}

  // Deletes the oldest segments as far as MIGPROF_MAX_BYTES demands; kNoRoom when that is not enough.
  Error MakeRoom(uint64_t bytes) override;
  void Took(uint64_t bytes) override { total_bytes_ += bytes; }
  void GaveBack(uint64_t bytes) override { total_bytes_ -= bytes; }

  // The newest file of `device`. It must stay until there is another.
  void SetNewest(uint32_t device, SliceFile* file) { newest_[device] = file; }
  // A file that was the newest and is written to no more: segment `number`.
  void Close(uint32_t device, uint32_t number, const SliceFile& file);
  // A file that could not be begun.
  Error Discard(const SliceFile& file);

  // While a file is begun, which makes another one deletable, all of the limit may be used.
  void UseReserve(bool use) { uses_reserve_ = use; }

  // Whether a newest file should be followed by another.
  bool IsFull(const SliceFile& file) const;
  // Deletes what is older than the window, counted from the newest event.
  Error DropOld();
  // What is closed now is outside of the window from then on, and only MIGPROF_MAX_BYTES deletes it.
  void KeepClosed();
  // The same for the newest file of `device`, which could not be followed by another yet.
  void KeepWhenClosed(uint32_t device) { kept_when_closed_.insert(device); }

  const RotatedLog& log(uint32_t device) { return logs_[device]; }
  // Rows of a file after which they are written, so that no chunk is large beside a segment.
  uint32_t full_rows() const;
  uint64_t total_bytes() const { return total_bytes_; }
  bool has_window() const { return limits_.window_ns != 0; }

 private:
  // Files of one device that are kept, if possible: what one deletion costs is this part of the limit.
  static constexpr uint64_t kSegments = 8;
  // For the numbers of what is deleted, and for the beginning of a file.
  static constexpr uint64_t kReserveBytes = 16 * 1024;

  struct Segment {
    uint32_t device;
    uint32_t number;
    std::string path;
    FileIdentity identity;
    uint64_t bytes;
    Tally tally;
    bool is_kept;
  };

  uint64_t segment_bytes() const;
  uint64_t newest_ns() const;
  uint64_t waiting_bytes() const;
  bool IsOldest(const SliceFile& file) const;
  Error Delete(std::vector<Segment>::iterator segment);

  const RotationLimits limits_;
  std::map<uint32_t, SliceFile*> newest_;
  std::map<uint32_t, RotatedLog> logs_;
  std::set<uint32_t> kept_when_closed_;
  std::vector<Segment> closed_;  // in the order in which they were closed
  uint64_t total_bytes_ = 0;
  bool uses_reserve_ = false;
  bool is_deleting_ = false;
};

}  // namespace migprof::record
