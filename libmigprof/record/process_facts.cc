// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/process_facts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "libmigprof/base/clock.h"

namespace migprof::record {
namespace {

std::string ReadLine(const char* path) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  char text[256];
  const ssize_t length = read(descriptor, text, sizeof(text));
  close(descriptor);
  std::string line(text, length > 0 ? length : 0);
  return line.substr(0, line.find('\n'));
}

// The name of the running process as people know it. The kernel keeps 15 bytes of it; the rest is taken from the
// executable where that begins with them. A name the program gave itself (prctl) stands.
std::string ReadProcessName() {
  constexpr size_t kKernelLimit = 15;
  std::string name = ReadLine("/proc/self/comm");
  if (name.size() < kKernelLimit) return name;
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) return name;
  const std::string executable(path, length);
  const std::string file = executable.substr(executable.rfind('/') + 1);
  return file.compare(0, name.size(), name) == 0 ? file : name;
}

// The arguments, each but the last followed by a space.
std::string ReadCommandLine() {
  const int descriptor = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  char text[4096];
  size_t length = 0;
  for (ssize_t got = 1; got > 0 && length<sizeof(text); length += got> 0 ? got : 0) {
    got = read(descriptor, text + length, sizeof(text) - length);
  }
  close(descriptor);
  std::string line(text, length);
  while (!line.empty() && line.back() == '\0') line.pop_back();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace

ProcessInfo ReadProcessInfo(bool with_arguments) {
  ProcessInfo info;
  char host[256] = {};
  if (gethostname(host, sizeof(host) - 1) == 0) info.host = host;
  if (info.host.empty()) info.host = "localhost";
  info.boot_id = ReadLine("/proc/sys/kernel/random/boot_id");
  info.pid = static_cast<uint32_t>(getpid());
  info.name = ReadProcessName();
  info.start_ns = RealtimeNs();
  if (with_arguments) info.command_line = ReadCommandLine();
  return info;
}

std::string CompactUtc(uint64_t realtime_ns) {
  const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  std::snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(realtime_ns / 1'000'000 % 1000));
  return text;
}

}  // namespace migprof::record
