// SPDX-License-Identifier: Apache-2.0
#include "cudart/driver_calls.h"

#include <dlfcn.h>

#include <cstdlib>

#include "base/complain.h"

namespace simgpu::runtime {
namespace {

// As with the real runtime, the driver is not linked but loaded.
void* Library() {
  static void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  return library;
}

Driver* Find() {
  if (Library() == nullptr) return nullptr;
  const auto find = reinterpret_cast<Driver* (*)(uint32_t)>(dlsym(Library(), "simgpu_driver"));
  return find != nullptr ? find(kInterfaceVersion) : nullptr;
}

}  // namespace

Driver* LinkedDriver() {
  static Driver* const driver = Find();
  return driver;
}

void* DriverSymbol(const char* name) {
  void* const symbol = dlsym(Library(), name);
  if (symbol == nullptr) {
    Complain("libcuda.so.1 has no %s: it is not of the same build as libcudart.so.13", name);
    std::abort();
  }
  return symbol;
}

}  // namespace simgpu::runtime
