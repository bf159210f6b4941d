// SPDX-License-Identifier: Apache-2.0
#include "injection/yield/real_cupti.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

namespace migprof::yield {
namespace {

struct Found {
  char path[4096];
};

// The same choice as in libmigprof/record/cupti_api.cc: there should be one.
int NoteCupti(dl_phdr_info* info, size_t, void* data) {
  if (info->dlpi_name == nullptr) return 0;
  const char* const slash = strrchr(info->dlpi_name, '/');
  const char* const file = slash != nullptr ? slash + 1 : info->dlpi_name;
  auto* const found = static_cast<Found*>(data);
  if (strncmp(file, "libcupti.so", 11) == 0 && strlen(info->dlpi_name) < sizeof(found->path)) {
    strcpy(found->path, info->dlpi_name);
  }
  return 0;
}

}  // namespace

void* FindReal(const char* name) {
  Found found = {};
  dl_iterate_phdr(NoteCupti, &found);
  if (found.path[0] == '\0') return nullptr;
  void* const library = dlopen(found.path, RTLD_NOW | RTLD_NOLOAD);
  // The handle is kept, and with it the library: its functions are being called.
  return library != nullptr ? dlsym(library, name) : nullptr;
}

}  // namespace migprof::yield
