// SPDX-License-Identifier: Apache-2.0
// Messages to a human from inside somebody else's process: one line on stderr per cause, at most.
#pragma once

#include <atomic>

namespace migprof {

// How much the injected library says. Set once at start-up from MIGPROF_LOG.
enum class LogLevel { kQuiet, kNormal, kDebug };

void SetLogLevel(LogLevel level);
LogLevel GetLogLevel();

// From now on lines are written only where they cannot become part of the application's data: while descriptor 2 is
// what it is now, a terminal or another device, the same as descriptor 1, or a file that is appended to. Otherwise they
// are dropped. `at_program_start`: nobody can have put anything else there yet. Before any other thread uses this file.
void GuardStderr(bool at_program_start);

// Remembers whether its cause was already reported. One static instance per message site.
class LogOnce {
 public:
  // Writes "migprof: <message>\n" to stderr with a single write(2) on the first call, nothing afterwards. `format` is
  // printf-like; the line is cut at 500 bytes. Any thread; allocates nothing, takes no lock, keeps errno.
  void Print(const char* format, ...) __attribute__((format(printf, 2, 3)));

 private:
  std::atomic<bool> said_{false};
};

// The same without the once, and only at LogLevel::kDebug.
void LogDebug(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace migprof
