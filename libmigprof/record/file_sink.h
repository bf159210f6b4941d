// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>

#include "libmigprof/base/error.h"
#include "libmigprof/format/byte_stream.h"

namespace migprof::record {

// Makes `folder` (and what is above it) if it is not there: new folders are private to the user. Fails if it cannot be
// written to.
Error MakeTraceFolder(const std::string& folder);

// A new trace file. Drain thread only.
class FileSink : public format::ByteSink {
 public:
  ~FileSink() override;

  // Creates `path`, which must not exist and is not followed if it is a link; private to the user.
  Error Create(const std::string& path);

  // One write(2) per call as long as the kernel takes it whole. Refuses when the descriptor is no longer this file: an
  // application that closes all descriptors and opens its own must not find trace bytes in them.
  Error Append(std::span<const uint8_t> bytes) override;

  uint64_t bytes_written() const { return bytes_written_; }

 private:
  int descriptor_ = -1;
  struct stat identity_ {};
  uint64_t bytes_written_ = 0;
};

}  // namespace migprof::record
