// SPDX-License-Identifier: Apache-2.0
#include "injection/yield_library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "libmigprof/base/options.h"
#include "libmigprof/base/raw_log.h"

extern "C" int InitializeInjection(void);

namespace migprof::injection {
namespace {

constexpr char kName[] = "libmigprof-yield.so";

// The real path of the library beside this one; false when that cannot be told.
bool FindBeside(char (&path)[PATH_MAX]) {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&InitializeInjection), &self) == 0) return false;
  if (realpath(self.dli_fname, path) == nullptr) return false;
  char* const slash = strrchr(path, '/');
  if (slash == nullptr || slash + 1 + sizeof(kName) > path + sizeof(path)) return false;
  strcpy(slash + 1, kName);
  return true;
}

int IsCupti(dl_phdr_info* info, size_t, void*) {
  const char* const slash = info->dlpi_name != nullptr ? strrchr(info->dlpi_name, '/') : nullptr;
  return slash != nullptr && strncmp(slash + 1, "libcupti.so", 11) == 0 ? 1 : 0;
}

}  // namespace

const record::YieldDoor* LoadYieldLibrary() noexcept {
  if (getauxval(AT_SECURE) != 0) return nullptr;
  const Options options = ReadOptions(environ, nullptr);
  if (!options.yield || options.disabled) return nullptr;
  static LogOnce log;
  char path[PATH_MAX];
  const bool found = FindBeside(path);
  const bool is_late =
      found && dlopen(path, RTLD_NOW | RTLD_NOLOAD) == nullptr && dl_iterate_phdr(IsCupti, nullptr) != 0;
  void* const library = found ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : nullptr;
  const auto get =
      library != nullptr ? reinterpret_cast<record::GetYieldDoor>(dlsym(library, record::kGetYieldDoor)) : nullptr;
  if (get == nullptr) {
    const char* const reason = found ? dlerror() : nullptr;
    log.Print("MIGPROF_YIELD has no effect: %s cannot be loaded: %s", kName, reason != nullptr ? reason : "not found");
    return nullptr;
  }
  // Who is linked to a libcupti that was there before has found its functions, and calls them past the door.
  if (is_late) log.Print("MIGPROF_YIELD needs %s in LD_PRELOAD: libcupti was loaded before it", path);
  return get();
}

}  // namespace migprof::injection
