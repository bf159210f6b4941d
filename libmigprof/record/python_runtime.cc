// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_runtime.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "libmigprof/base/raw_log.h"

namespace migprof::record {
namespace {

// The release as "3.13.0rc2" states it, in the form of Py_Version: 0x030d00c0. 0 when the text is none.
uint64_t ParseVersion(const char* text) {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned micro = 0;
  char level = '\0';
  if (std::sscanf(text, "%3u.%3u.%3u%c", &major, &minor, &micro, &level) < 3) return 0;
  const uint64_t level_bits = level == 'a' ? 0xa : level == 'b' ? 0xb : level == 'r' ? 0xc : 0xf;
  return uint64_t{major} << 24 | minor << 16 | micro << 8 | level_bits << 4;
}

// The addresses that were read from the library must stay good.
void KeepLoaded(void* address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return;
  dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace

struct PythonRuntime::Symbols {
  const void* runtime = nullptr;           // 3.7 and later
  const unsigned long* version = nullptr;  // 3.11 and later
  const char* (*get_version)() = nullptr;
  void* (*this_thread)() = nullptr;
  int (*is_finalizing)() = nullptr;
  const void* code_type = nullptr;
  bool is_debug_build = false;

  bool complete() const { return get_version != nullptr && this_thread != nullptr && code_type != nullptr; }
  uint64_t hex_version() const { return version != nullptr ? *version : ParseVersion(get_version()); }
};

PythonRuntime::Symbols PythonRuntime::Look(void* library) {
  Symbols symbols;
  symbols.get_version = reinterpret_cast<const char* (*)()>(dlsym(library, "Py_GetVersion"));
  if (symbols.get_version == nullptr) return symbols;
  symbols.runtime = dlsym(library, "_PyRuntime");
  symbols.version = static_cast<const unsigned long*>(dlsym(library, "Py_Version"));
  symbols.this_thread = reinterpret_cast<void* (*)()>(dlsym(library, "PyGILState_GetThisThreadState"));
  symbols.is_finalizing = reinterpret_cast<int (*)()>(dlsym(library, "Py_IsFinalizing"));
  if (symbols.is_finalizing == nullptr) {
    symbols.is_finalizing = reinterpret_cast<int (*)()>(dlsym(library, "_Py_IsFinalizing"));
  }
  symbols.code_type = dlsym(library, "PyCode_Type");
  symbols.is_debug_build = dlsym(library, "_Py_NegativeRefcount") != nullptr;
  return symbols;
}

void PythonRuntime::Find(const ModuleMap& modules) {
  if (settled_ || (modules_seen_ == modules.last_id() && modules_seen_ != 0)) return;
  modules_seen_ = modules.last_id();
  if (const Symbols symbols = Look(RTLD_DEFAULT); symbols.complete()) return Use(symbols);
  // A program may have loaded its libpython for itself alone.
  for (const Module& module : modules.all()) {
    const std::string& path = module.path;
    if (path.compare(path.rfind('/') + 1, 10, "libpython3") != 0) continue;
    void* const library = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) continue;
    const Symbols symbols = Look(library);
    if (symbols.complete()) Use(symbols);
    dlclose(library);
    if (settled_) return;
  }
}

void PythonRuntime::Use(const Symbols& symbols) {
  settled_ = true;
  const uint64_t hex_version = symbols.hex_version();
  const auto version = static_cast<uint32_t>(hex_version >> 16);
  const bool is_final = (hex_version & 0xff) >= 0xc0;  // release candidates do not change layouts any more
  auto* const reader = new PythonReader;               // kept for good: a thread may be reading at any time
  reader->code_type = reinterpret_cast<uint64_t>(symbols.code_type);
  reader->this_thread = symbols.this_thread;
  reader->is_finalizing = symbols.is_finalizing;
  bool known = false;
  if (const PythonLayout* layout = FindPythonLayout(version); layout != nullptr) {
    reader->layout = *layout;
    known = !symbols.is_debug_build && is_final;
  } else {
    known = symbols.runtime != nullptr && is_final && ReadPythonLayout(symbols.runtime, hex_version, &reader->layout);
  }
  if (!known) {
    delete reader;
    static LogOnce log;
    const char* const text = symbols.get_version();
    log.Print("no Python frames: this migprof does not know the inside of %sPython %.*s",
              symbols.is_debug_build ? "a debug build of " : "", static_cast<int>(std::strcspn(text, " ")), text);
    return;
  }
  KeepLoaded(reinterpret_cast<void*>(symbols.this_thread));
  reader_.store(reader, std::memory_order_release);
}

void PythonRuntime::Distrust() noexcept {
  reader_.store(nullptr, std::memory_order_relaxed);
  distrusted_.store(true, std::memory_order_release);
}

void PythonRuntime::ReportDistrust() {
  if (!distrusted_.load(std::memory_order_acquire)) return;
  static LogOnce log;
  log.Print("no more Python frames: the interpreter's memory is not as its version says");
}

}  // namespace migprof::record
