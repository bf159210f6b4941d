// SPDX-License-Identifier: Apache-2.0
#include "cupti/driver_link.h"

#include <dlfcn.h>

#include "cupti/tool.h"

namespace simgpu::cupti {
namespace {

Driver* Find() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) return nullptr;
  const auto find = reinterpret_cast<Driver* (*)(uint32_t)>(dlsym(library, "simgpu_driver"));
  return find != nullptr ? find(kInterfaceVersion) : nullptr;
}

}  // namespace

Driver* LinkedDriver() {
  static Driver* const driver = Find();
  return driver;
}

void Attach() { LinkedDriver()->Attach(&TheTool()); }

void Detach() { LinkedDriver()->Attach(nullptr); }

}  // namespace simgpu::cupti
