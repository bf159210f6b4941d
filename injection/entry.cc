// SPDX-License-Identifier: Apache-2.0
// The two ways in. LD_PRELOAD: the constructor makes the driver find this library when, and if, the process initialises
// CUDA. CUDA_INJECTION64_PATH: the driver loads the library itself. Either way the driver calls InitializeInjection
// inside the first cuInit, and that is where recording starts.
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "injection/boundary.h"

#define MIGPROF_EXPORT extern "C" __attribute__((visibility("default")))

// Called by libcuda on the thread that calls cuInit. Always 1: after 0 the driver unloads the library, and loads it
// again at the next cuInit.
MIGPROF_EXPORT int InitializeInjection(void) {
  migprof::injection::Guarded([] { migprof::record::StartSession(); });
  return 1;
}

// The version of the library in this process, e.g. "0.1.0". Found with dlsym by include/migprof/migprof.h.
MIGPROF_EXPORT const char* migprof_version(void) { return MIGPROF_VERSION; }

namespace {

// All a process without CUDA ever runs of this library: no thread, no file, no descriptor, no output.
__attribute__((constructor)) void OnLoad() {
  if (getauxval(AT_SECURE) != 0) return;
  // Somebody else's injection library stays: the driver takes one only.
  if (getenv("CUDA_INJECTION64_PATH") != nullptr) return;
  Dl_info self;
  char path[PATH_MAX];
  if (dladdr(reinterpret_cast<void*>(&InitializeInjection), &self) == 0 || realpath(self.dli_fname, path) == nullptr) {
    return;
  }
  setenv("CUDA_INJECTION64_PATH", path, 0);
}

__attribute__((destructor)) void OnUnload() {
  migprof::injection::Guarded([] { migprof::record::EndSession(); });
}

}  // namespace
