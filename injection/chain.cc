// SPDX-License-Identifier: Apache-2.0
#include "injection/chain.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "libmigprof/base/options.h"
#include "libmigprof/base/raw_log.h"

extern "C" int InitializeInjection(void);

namespace migprof::injection {
namespace {

// Of the one library that was chained; touched by cuInit only, which the driver lets in one at a time.
bool g_done = false;

}  // namespace

void TakePlaceOf(const char* other, const char* self) {
  setenv("MIGPROF_CHAIN", other, 1);
  setenv("CUDA_INJECTION64_PATH", self, 1);
}

bool InitializeChained() {
  // A setuid program must not be made to load what its caller likes.
  if (g_done || getauxval(AT_SECURE) != 0) return true;
  const Options options = ReadOptions(environ, nullptr);
  SetLogLevel(options.log);
  const char* const path = options.chain.data();
  if (*path == '\0') return true;
  g_done = true;
  static LogOnce log;
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    log.Print("the other injection library, %s, cannot be loaded: %s", path,
              reason != nullptr ? reason : "no reason given");
    return true;
  }
  const auto initialize = reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"));
  if (initialize == nullptr) {
    log.Print("the other injection library, %s, has no InitializeInjection", path);
    dlclose(library);
    return true;
  }
  // This library by another name: a bare one, or a link. It does not inject itself.
  if (initialize == &InitializeInjection) return true;
  if (initialize() != 0) return true;
  dlclose(library);
  g_done = false;
  return false;
}

}  // namespace migprof::injection
