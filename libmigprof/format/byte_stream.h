// SPDX-License-Identifier: Apache-2.0
// The two seams between the trace format and whatever holds the bytes.
#pragma once

#include <cstdint>
#include <span>

#include "libmigprof/base/error.h"

namespace migprof::format {

// Takes the bytes of whole chunks, in order. One call is one chunk, so a sink that writes it in one go leaves a
// readable file at any moment.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Asked before a chunk of so many bytes is appended; on an error it is not. May write other chunks to this sink.
  virtual Error MakeRoom(uint64_t) { return Error::None(); }
  virtual Error Append(std::span<const uint8_t> bytes) = 0;
};

// Random access to the bytes of a trace.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // Reads up to `out.size()` bytes at `offset`; returns how many there were. Fewer than asked for means the end, or an
  // I/O error: both end the readable part of the file.
  virtual size_t ReadAt(uint64_t offset, std::span<uint8_t> out) = 0;
};

}  // namespace migprof::format
