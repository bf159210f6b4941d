// SPDX-License-Identifier: Apache-2.0
// The seam between a trace file and whoever keeps account of what all of them take on disk.
#pragma once

#include <cstdint>

#include "libmigprof/base/error.h"

namespace migprof::record {

// Drain thread only.
class DiskRoom {
 public:
  virtual ~DiskRoom() = default;
  // Before so many bytes are appended to a file, beside those that wait for it. On kNoRoom they must not be; the file
  // is as good as before.
  virtual Error MakeRoom(uint64_t bytes) = 0;
  virtual void Took(uint64_t bytes) = 0;
  // What was taken before is free again: the file was cut.
  virtual void GaveBack(uint64_t bytes) = 0;
};

// Named, so that all files compare with the same one: literals need not be.
inline constexpr char kNoRoomText[] = "MIGPROF_MAX_BYTES leaves no room";
inline constexpr Error kNoRoom = {kNoRoomText, 0};
inline bool IsNoRoom(const Error& error) { return error.what == kNoRoomText; }

}  // namespace migprof::record
