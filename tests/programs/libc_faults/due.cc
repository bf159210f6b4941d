// SPDX-License-Identifier: Apache-2.0
#include "tests/programs/libc_faults/due.h"

#include <fcntl.h>
#include <link.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace libc_faults {
namespace {

uint64_t g_low = 0, g_high = 0;  // of libmigprof.so
bool g_looked = false;
Function* g_functions = nullptr;
const pid_t g_process = getpid();

int FindMigprof(dl_phdr_info* module, size_t, void*) {
  if (std::strstr(module->dlpi_name, "libmigprof.so") == nullptr) return 0;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD) g_high = module->dlpi_addr + segment.p_vaddr + segment.p_memsz;
  }
  g_low = module->dlpi_addr;
  return 1;
}

bool IsFromMigprof(const void* return_address) {
  if (!__atomic_load_n(&g_looked, __ATOMIC_ACQUIRE)) {
    dl_iterate_phdr(&FindMigprof, nullptr);  // all that is preloaded is mapped by now
    __atomic_store_n(&g_looked, true, __ATOMIC_RELEASE);
  }
  const auto address = reinterpret_cast<uint64_t>(return_address);
  return address >= g_low && address < g_high;
}

void List(Function* function) {
  if (__atomic_exchange_n(&function->listed, true, __ATOMIC_ACQ_REL)) return;
  Function* head = __atomic_load_n(&g_functions, __ATOMIC_RELAXED);
  do {
    function->next = head;
  } while (!__atomic_compare_exchange_n(&g_functions, &head, function, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

// Neither fails here, nor is counted.
bool IsThere(const char* file) { return syscall(SYS_faccessat, AT_FDCWD, file, F_OK) == 0; }

// How `function` fails at its `call`-th call, by LIBC_FAULTS.
How Planned(const char* function, uint64_t call) {
  const size_t length = std::strlen(function);
  for (const char* entry = std::getenv("LIBC_FAULTS"); entry != nullptr && *entry != '\0';) {
    const char* const end = std::strchr(entry, ',');
    if (std::strncmp(entry, function, length) == 0 && entry[length] == ':') {
      char* rest = nullptr;
      const uint64_t first = std::strtoull(entry + length + 1, &rest, 10);
      uint64_t last = first;
      if (*rest == '-') last = std::strtoull(rest + 1, &rest, 10);
      if (*rest == '+') last = UINT64_MAX, ++rest;
      if (*rest != '=') std::abort();
      ++rest;
      if (call >= first && call <= last) {
        if (std::strncmp(rest, "short", 5) == 0) return {.kind = How::kShort};
        if (std::strncmp(rest, "step", 4) == 0)
          return {.kind = How::kStep, .seconds = std::strtoll(rest + 4, nullptr, 10)};
        if (std::strncmp(rest, "until", 5) == 0) return {.kind = How::kUntil, .file = rest + 5};  // the last entry
        const How how{.kind = How::kError, .error = static_cast<int>(std::strtol(rest, &rest, 10))};
        const bool is_over = std::strncmp(rest, "until", 5) == 0 && IsThere(rest + 5);  // the last entry
        return is_over ? How{} : how;
      }
    }
    entry = end != nullptr ? end + 1 : nullptr;
  }
  return {};
}

void SleepAMoment() {
  constexpr timespec kMillisecond = {0, 1'000'000};
  nanosleep(&kMillisecond, nullptr);
}

__attribute__((destructor)) void WriteReport() {
  const char* const path = std::getenv("LIBC_FAULTS_REPORT");
  FILE* const file = path != nullptr && getpid() == g_process ? std::fopen(path, "we") : nullptr;
  if (file == nullptr) return;
  for (const Function* function = g_functions; function != nullptr; function = function->next) {
    std::fprintf(file, "%s %lu %lu\n", function->name, function->calls, function->failed);
  }
  std::fclose(file);
}

}  // namespace

How Due(Function* function, const void* return_address) {
  if (!IsFromMigprof(return_address)) return {};
  List(function);
  const How how = Planned(function->name, __atomic_add_fetch(&function->calls, 1, __ATOMIC_RELAXED));
  if (how.kind == How::kNot) return how;
  __atomic_add_fetch(&function->failed, 1, __ATOMIC_RELAXED);
  if (how.kind != How::kUntil) return how;
  while (!IsThere(how.file)) SleepAMoment();
  return {};
}

}  // namespace libc_faults
