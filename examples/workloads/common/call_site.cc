// SPDX-License-Identifier: Apache-2.0
#include "examples/workloads/common/call_site.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace workload {
namespace {

struct Log {
  std::mutex mutex;
  FILE* file = nullptr;
};

// Never destroyed: threads may log until the process ends.
Log* OpenLog() {
  static Log* const log = [] {
    auto* opened = new Log;
    if (const char* path = std::getenv("WORKLOAD_CALLS")) {
      opened->file = std::fopen(path, "ae");
      std::atexit(FlushCallLog);
    }
    return opened;
  }();
  return log;
}

}  // namespace

void LogCall(const char* work, const char* function, const char* file, int line, uint64_t low, uint64_t high) {
  Log* const log = OpenLog();
  if (log->file == nullptr) return;
  thread_local uint64_t sequence = 0;
  thread_local const long thread = syscall(SYS_gettid);
  Dl_info module{};
  if (dladdr(reinterpret_cast<void*>(low), &module) == 0) return;
  const auto base = reinterpret_cast<uint64_t>(module.dli_fbase);
  const std::lock_guard lock(log->mutex);
  std::fprintf(
      log->file,
      "{\"pid\":%d,\"tid\":%ld,\"sequence\":%llu,\"work\":\"%s\",\"function\":\"%s\",\"file\":\"%s\",\"line\":%d,"
      "\"module\":\"%s\",\"low\":%llu,\"high\":%llu}\n",
      getpid(), thread, static_cast<unsigned long long>(sequence++), work, function, file, line, module.dli_fname,
      static_cast<unsigned long long>(low - base), static_cast<unsigned long long>(high - base));
}

void FlushCallLog() {
  Log* const log = OpenLog();
  if (log->file == nullptr) return;
  const std::lock_guard lock(log->mutex);
  std::fflush(log->file);
}

}  // namespace workload
