// SPDX-License-Identifier: Apache-2.0
// Looking up entry points by name and version, as the runtime and PyTorch do instead of linking to them.
#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

#include "bodies.h"

namespace simgpu::driver::api {
namespace {

// One exported function: its name without a version, the CUDA version it appeared with, and which default stream it
// means.
struct Symbol {
  const char* name;
  int version;
  bool per_thread_default_stream;
  void (*function)();
};

#include "proc_addresses.inc"

bool Offers(const Symbol& symbol, const char* name, int version, bool per_thread) {
  return symbol.per_thread_default_stream == per_thread && symbol.version <= version &&
         std::strcmp(symbol.name, name) == 0;
}

// The newest version of `name` that `version` knows.
const Symbol* Find(const char* name, int version, bool per_thread) {
  const Symbol* best = nullptr;
  for (const Symbol& symbol : kSymbols) {
    if (Offers(symbol, name, version, per_thread) && (best == nullptr || symbol.version > best->version))
      best = &symbol;
  }
  return best;
}

bool Exists(const char* name) {
  return std::any_of(std::begin(kSymbols), std::end(kSymbols),
                     [&](const Symbol& s) { return std::strcmp(s.name, name) == 0; });
}

}  // namespace

CUresult GetProcAddress_v2(const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags,
                           CUdriverProcAddressQueryResult* symbolStatus) {
  if (symbol == nullptr || pfn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0;
  const Symbol* found = per_thread ? Find(symbol, cudaVersion, true) : nullptr;
  if (found == nullptr) found = Find(symbol, cudaVersion, false);
  *pfn = found != nullptr ? reinterpret_cast<void*>(found->function) : nullptr;
  if (symbolStatus != nullptr) {
    *symbolStatus = found != nullptr ? CU_GET_PROC_ADDRESS_SUCCESS
                    : Exists(symbol) ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                                     : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  }
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult GetProcAddress(const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags) {
  return GetProcAddress_v2(symbol, pfn, cudaVersion, flags, nullptr);
}

}  // namespace simgpu::driver::api
