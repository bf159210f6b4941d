// SPDX-License-Identifier: Apache-2.0
#include "base/complain.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace simgpu {

void Complain(const char* format, ...) {
  const int saved_errno = errno;
  char line[512] = "simgpu: ";
  constexpr int kPrefixLength = 8;
  const int room = sizeof(line) - kPrefixLength - 1;
  va_list arguments;
  va_start(arguments, format);
  const int wanted = vsnprintf(line + kPrefixLength, room, format, arguments);
  va_end(arguments);
  const int length = kPrefixLength + std::clamp(wanted, 0, room - 1);
  line[length] = '\n';
  // A failed write has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, length + 1);
  errno = saved_errno;
}

}  // namespace simgpu
