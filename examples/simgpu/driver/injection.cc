// SPDX-License-Identifier: Apache-2.0
#include "driver/injection.h"

#include <dlfcn.h>

#include <cstdlib>

namespace simgpu::driver {

void InjectProfiler() {
  static bool injected = false;
  if (injected) return;
  // Plain getenv, as in the real driver: the injection also runs in a setuid program.
  const char* path = std::getenv("CUDA_INJECTION64_PATH");
  if (path == nullptr || *path == '\0') return;
  void* const library = dlopen(path, RTLD_NOW);
  if (library == nullptr) return;
  const auto initialize = reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"));
  if (initialize != nullptr && initialize() != 0) {
    injected = true;
  } else {
    dlclose(library);
  }
}

}  // namespace simgpu::driver
