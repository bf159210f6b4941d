// SPDX-License-Identifier: Apache-2.0
// Capturing the Python frames of the calling thread.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libmigprof/record/python_layout.h"
#include "libmigprof/record/ring_records.h"
#include "libmigprof/record/spsc_ring.h"

namespace migprof::record {

inline constexpr uint32_t kMaxPythonDepth = 512;

// An interpreter whose memory is understood. Never changes and is never freed.
struct PythonReader {
  PythonLayout layout;
  uint64_t code_type = 0;            // address of PyCode_Type
  void* (*this_thread)() = nullptr;  // PyGILState_GetThisThreadState: the own state, whoever holds the GIL
  int (*is_finalizing)() = nullptr;  // thread states may be freed from then on
};

struct PythonStack {
  const PythonFrame* frames = nullptr;  // innermost first; valid until the next capture with the same state
  uint32_t depth = 0;
  bool truncated = false;  // there were more than kMaxPythonDepth frames
  bool lost = false;       // there were frames, but they could not be recorded
  bool nonsense = false;   // memory was not what the layout says: the reader must not be used again
  uint64_t hash = 0;       // identifies the stack: equal frames, equal hash; never 0 when there are frames
};

// Code objects that a thread knows to have sent. The address alone does not identify one, because another may be made
// where it was freed; nor do its pointers, because code made in a loop finds its strings at the same addresses again.
// So the number that 3.12 and later give each code object is compared too, and before 3.12 what the pointers point to,
// as far as it fits into a few words.
class KnownCode {
 public:
  struct Entry {
    uint64_t address;
    uint64_t file;
    uint64_t name;
    uint64_t lines;
    uint64_t content;  // of these three and the first line; or the code object's number
    uint64_t code;     // as sent
  };

  static constexpr size_t kMostEntries = 2048;

  // `entries`: room for `size` of them, a power of two, all zeros.
  void Init(Entry* entries, size_t size) {
    entries_ = entries;
    mask_ = size - 1;
  }

  // The entry of the code object at `address`, or the one to put it into.
  Entry* Find(uint64_t address) {
    const size_t home = address * 0x9E3779B97F4A7C15u >> 53;
    for (size_t i = 0; i < kProbes; ++i) {
      Entry& entry = entries_[(home + i) & mask_];
      if (entry.address == address || entry.address == 0) return &entry;
    }
    return &entries_[home & mask_];  // of a full neighbourhood one goes
  }

  void Clear() {
    if (entries_ != nullptr) std::memset(entries_, 0, (mask_ + 1) * sizeof(Entry));
  }

 private:
  static constexpr size_t kProbes = 4;
  Entry* entries_ = nullptr;
  size_t mask_ = 0;
};

// Where a thread's name is read into and compared; see python_thread_name.h.
struct PythonNameScratch {
  static constexpr size_t kMostRanges = 80;
  static constexpr size_t kMostBytes = 4096;

  iovec ranges[kMostRanges];
  uint8_t bytes[kMostBytes];
};

// What a thread keeps between captures; all zeros at first, but for the place of known_code's entries.
struct PythonStackState {
  static constexpr size_t kMostFileBytes = 4096;
  static constexpr size_t kMostNameBytes = 1024;

  PythonFrame frames[kMaxPythonDepth];
  KnownCode known_code;
  char file[kMostFileBytes];
  char name[kMostNameBytes];
  PythonNameScratch name_scratch;
};

// The same with the largest table of code there is.
struct WholePythonStackState : PythonStackState {
  WholePythonStackState() : PythonStackState{} { known_code.Init(entries, KnownCode::kMostEntries); }

  KnownCode::Entry entries[KnownCode::kMostEntries]{};
};

// Frames owned by this or more are the interpreter's own and lie between two runs of the evaluation loop.
inline constexpr uint8_t kOwnedByInterpreter = 3;
inline constexpr uint64_t kStackRefTag =
    3;  // bits of the pointer to a frame's code object that are none of the address

// Where the calling thread's innermost frame is, or 0 when it is not inside Python.
uint64_t InnermostPythonFrame(const PythonReader& reader) noexcept;

// The Python frames of the calling thread, of which there are none when it is not inside Python. Sends code objects
// that the thread has not seen through `ring`, its own. No GIL, no API, no reference counts: while a thread is in here
// nobody else changes its frames, and they keep their code objects alive. noexcept, no lock, no allocation, no system
// call. Without `lines` frames are those of functions, and have no line.
PythonStack CapturePythonStack(const PythonReader& reader, PythonStackState* state, SpscRing* ring,
                               bool lines = true) noexcept;

}  // namespace migprof::record
