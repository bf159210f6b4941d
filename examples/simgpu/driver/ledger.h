// SPDX-License-Identifier: Apache-2.0
// The record of everything the simulated GPU executed: the truth a profiler is measured against.
//
// SIMGPU_LEDGER names a file to which all processes append JSON lines. Lines survive `_exit`, abort and SIGKILL without
// a system call for each: a process appends a block of spaces that ends in a newline and already holds its first line,
// maps that block, and puts further lines into it through the mapping. The last line of a block so carries trailing
// spaces, which JSON allows. With SIMGPU_LEDGER_SYNC=1, or on a file that cannot be mapped, every line is one write(2).
//
// With SIMGPU_LEDGER_DETAIL=1 kernels also say what was asked for and when, and memory has lines of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "simgpu_private.h"

namespace simgpu::driver {

// A driver API call.
struct LedgerCall {
  std::string_view name;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
  uint32_t correlation_id = 0;
  uint32_t thread = 0;  // the system's id
};

class Ledger {
 public:
  // Null unless SIMGPU_LEDGER is set and can be opened.
  static Ledger* ForProcess();

  // Appends the line of one piece of work of the device called `slice`. Any thread.
  void Append(std::string_view slice, const Work& work);
  // Appends the line of a call made with a context on the device called `slice`, or with none. Any thread.
  void AppendCall(std::string_view slice, const LedgerCall& call);

  // Appends a line of memory taken (or given back) at `time_ns`, if details are wanted. Any thread.
  void AppendMemory(std::string_view slice, const MemoryOperation& operation);

  Ledger(int file, bool write_through, bool details) : file_(file), details_(details), write_through_(write_through) {}

 private:
  // Begins line_ with what every line has first.
  void StartLine(std::string_view slice, std::string_view kind, std::string_view name);
  void WriteLine(std::string_view line);
  // Appends a block that starts with `line` and maps it; a file that allows no mapping gets single lines from then on.
  void StartBlock(std::string_view line);
  void Write(std::string_view bytes);

  std::mutex mutex_;
  const int file_;
  const bool details_;
  bool write_through_;
  char* next_ = nullptr;       // where the previous line of the block ended
  char* block_end_ = nullptr;  // its final newline
  char* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::string line_;
};

}  // namespace simgpu::driver
