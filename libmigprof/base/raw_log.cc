// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/raw_log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace migprof {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kNormal};

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
  // A failed or partial write has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, kPrefixLength + length + 1);
  errno = saved_errno;
}

}  // namespace

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel GetLogLevel() { return g_level.load(std::memory_order_relaxed); }

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
