// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libmigprof/base/error.h"
#include "libmigprof/format/byte_stream.h"

namespace migprof::record {

// Makes `folder` (and what is above it) if it is not there: new folders are private to the user. Fails if it cannot be
// written to.
Error MakeTraceFolder(const std::string& folder);

// A new trace file. Disks are full for a moment, descriptors used up, servers away: what cannot be written then waits
// in memory, in order, and goes first the next time. Drain thread only.
class FileSink : public format::ByteSink {
 public:
  // Beyond so much nothing more is taken: some half a million events.
  static constexpr size_t kMostWaitingBytes = 4 << 20;

  ~FileSink() override;

  // Creates `path`, which must not exist and is not followed if it is a link; private to the user. When that fails for
  // a reason that may pass, it is tried again with each Append.
  Error Create(const std::string& path);

  // One write(2) per call as long as the kernel takes it whole. Refuses when the descriptor is no longer this file (an
  // application that closes all descriptors and opens its own must not find trace bytes in them), when writing failed
  // for a reason that does not pass, and when too much waits already.
  Error Append(std::span<const uint8_t> bytes) override;

  // Tries once more what waits. No error while there is nothing left.
  Error WriteWaiting();

  size_t waiting_bytes() const { return waiting_.size(); }
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  int OpenNew();
  Error WriteSome(std::span<const uint8_t>* bytes);

  std::string path_;
  int descriptor_ = -1;
  struct stat identity_ {};
  std::vector<uint8_t> waiting_;
  uint64_t bytes_written_ = 0;
};

}  // namespace migprof::record
