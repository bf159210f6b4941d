// SPDX-License-Identifier: Apache-2.0
// Finding the Python interpreter of the process, which this library is not linked to.
#pragma once

#include <atomic>
#include <cstdint>

#include "libmigprof/record/module_map.h"
#include "libmigprof/record/python_stack.h"

namespace migprof::record {

class PythonRuntime {
 public:
  // Looks for an interpreter among what is loaded, until one was found or cannot be used; the latter is said in one
  // line. Not on the hot path: the loader's lock is taken. One thread at a time.
  void Find(const ModuleMap& modules);
  // Reads with `reader`, which is never freed, instead of looking for an interpreter. Before any thread captures.
  void Use(const PythonReader* reader) noexcept {
    settled_ = true;
    reader_.store(reader, std::memory_order_release);
  }
  // Says in one line that Distrust was called, once. Drain thread.
  void ReportDistrust();

  // What to read Python frames with, or null. Any thread.
  const PythonReader* reader() const noexcept { return reader_.load(std::memory_order_acquire); }
  // Any thread: the interpreter's memory was not what its version says. No Python frames from now on.
  void Distrust() noexcept;

 private:
  // What is used of an interpreter's symbols.
  struct Symbols;

  static Symbols Look(void* library);
  void Use(const Symbols& symbols);

  std::atomic<const PythonReader*> reader_{nullptr};
  std::atomic<bool> distrusted_{false};
  bool settled_ = false;
  uint32_t modules_seen_ = 0;
};

}  // namespace migprof::record
