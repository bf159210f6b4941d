// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/raw_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "libmigprof/base/write_signals.h"

namespace migprof {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kNormal};

// What standard error was when GuardStderr was called. Written before there are other threads of this library.
bool g_guarded = false;
bool g_known = false;
struct stat g_known_stderr {};

bool AreSame(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Whether what is behind descriptor 2 now is there to be told of problems. A program that closed standard error and
// opened a file of its own may have got that number for it.
bool MayWrite() {
  struct stat now;
  struct stat out;
  if (!g_guarded) return true;
  if (fstat(STDERR_FILENO, &now) != 0) return false;
  if (S_ISCHR(now.st_mode)) return true;
  if (g_known && AreSame(now, g_known_stderr)) return true;
  if (fstat(STDOUT_FILENO, &out) == 0 && AreSame(now, out)) return true;
  return S_ISREG(now.st_mode) && (fcntl(STDERR_FILENO, F_GETFL) & O_APPEND) != 0;  // a log
}

void WriteLine(const char* format, va_list arguments) {
  constexpr char kPrefix[] = "migprof: ";
  constexpr int kPrefixLength = sizeof(kPrefix) - 1;
  char line[512];
  const int saved_errno = errno;
  __builtin_memcpy(line, kPrefix, kPrefixLength);
  const int room = sizeof(line) - kPrefixLength - 1;
  int length = vsnprintf(line + kPrefixLength, room, format, arguments);
  if (length < 0) length = 0;
  if (length > room - 1) length = room - 1;
  line[kPrefixLength + length] = '\n';
  if (MayWrite()) {
    const WriteSignalsOff off;
    // A failed or partial write has nowhere to be reported.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, kPrefixLength + length + 1);
  }
  errno = saved_errno;
}

}  // namespace

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel GetLogLevel() { return g_level.load(std::memory_order_relaxed); }

void GuardStderr(bool at_program_start) {
  g_guarded = true;
  if (fstat(STDERR_FILENO, &g_known_stderr) != 0) return;
  const bool data_file = S_ISREG(g_known_stderr.st_mode) && (fcntl(STDERR_FILENO, F_GETFL) & O_ACCMODE) == O_RDWR;
  g_known = at_program_start || !data_file;
}

void LogOnce::Print(const char* format, ...) {
  if (GetLogLevel() == LogLevel::kQuiet || said_.exchange(true, std::memory_order_relaxed)) return;
  va_list arguments;
  va_start(arguments, format);
  WriteLine(format, arguments);
  va_end(arguments);
}

void LogDebug(const char* format, ...) {
  if (GetLogLevel() != LogLevel::kDebug) return;
  va_list arguments;
  va_start(arguments, format);
  WriteLine(format, arguments);
  va_end(arguments);
}

}  // namespace migprof
