// SPDX-License-Identifier: Apache-2.0
// The two ways in. LD_PRELOAD: the constructor makes the driver find this library when, and if, the process initialises
// CUDA. CUDA_INJECTION64_PATH: the driver loads the library itself. Either way the driver calls InitializeInjection
// inside the first cuInit, and that is where recording starts.
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "injection/boundary.h"
#include "injection/chain.h"
#include "injection/yield_library.h"
#include "libmigprof/base/options.h"
#include "libmigprof/record/nvtx_ranges.h"
#include "libmigprof/record/range_stack.h"

#define MIGPROF_EXPORT extern "C" __attribute__((visibility("default")))

// Called by libcuda on the thread that calls cuInit. After 0 the driver unloads the library, which -z nodelete makes
// mean nothing, and calls it again at the next cuInit: so only when a chained library asked for just that. That one
// comes first: it was chosen by hand, and has CUPTI if both want it.
MIGPROF_EXPORT int InitializeInjection(void) {
  const bool settled = migprof::injection::InitializeChained();
  migprof::injection::Guarded([] { migprof::record::StartSession(migprof::injection::LoadYieldLibrary()); });
  return settled ? 1 : 0;
}

// Called by the NVTX in each binary that uses it, at its first NVTX call. After a 0 that binary's NVTX does nothing.
MIGPROF_EXPORT int InitializeInjectionNvtx2(migprof::record::nvtx::GetExportTable get_export_table) {
  if (getauxval(AT_SECURE) != 0 || migprof::ReadOptions(environ, nullptr).disabled) return 0;
  return migprof::record::AttachNvtx(get_export_table) ? 1 : 0;
}

// Ranges of include/migprof/migprof.h. They have a domain of their own, so that they and NVTX's do not end each other.
namespace {
constexpr migprof::record::RangeText kOwnDomain = {0, {}};
}  // namespace

MIGPROF_EXPORT void migprof_push(const char* name) {
  if (name == nullptr) return;
  if (migprof::record::RangeStack* const ranges = migprof::record::RangeStack::Mine()) {
    ranges->Push(&kOwnDomain, {name, strnlen(name, migprof::record::RangeStack::kMostText)});
  }
}

MIGPROF_EXPORT void migprof_pop(void) {
  if (migprof::record::RangeStack* const ranges = migprof::record::RangeStack::MineIfAny()) ranges->Pop(&kOwnDomain);
}

namespace {
int Ask(migprof::ControlVerb verb) {
  bool done = false;
  migprof::injection::Guarded([&] { done = migprof::record::AskSession(verb); });
  return done ? 1 : 0;
}
}  // namespace

MIGPROF_EXPORT int migprof_start(void) { return Ask(migprof::ControlVerb::kStart); }
MIGPROF_EXPORT int migprof_stop(void) { return Ask(migprof::ControlVerb::kStop); }
MIGPROF_EXPORT int migprof_flush(void) { return Ask(migprof::ControlVerb::kFlush); }

// The version of the library in this process, e.g. "0.1.0". Found with dlsym by include/migprof/migprof.h.
MIGPROF_EXPORT const char* migprof_version(void) { return MIGPROF_VERSION; }

namespace {

// All a process without CUDA ever runs of this library, but for OnUnload, which then finds nothing to do: no thread, no
// file, no descriptor, no output.
__attribute__((constructor)) void OnLoad() {
  if (getauxval(AT_SECURE) != 0) return;
  const char* const chosen = getenv("CUDA_INJECTION64_PATH");
  migprof::GuardStderr(/*at_program_start=*/chosen == nullptr || getenv("LD_PRELOAD") != nullptr);
  // Loaded by the driver, in the middle of the program: its environment is left alone, other threads may be reading it.
  if (chosen != nullptr && getenv("LD_PRELOAD") == nullptr) return;
  Dl_info self;
  char path[PATH_MAX];
  static migprof::LogOnce log;
  if (dladdr(reinterpret_cast<void*>(&InitializeInjection), &self) == 0 || realpath(self.dli_fname, path) == nullptr) {
    return log.Print("not recording: nobody knows where this library lies: %s", strerror(errno));
  }
  // Before the libraries that are linked to libcupti, as far as they are loaded later.
  static_cast<void>(migprof::injection::LoadYieldLibrary());
  char chosen_path[PATH_MAX];
  if (chosen == nullptr || *chosen == '\0') {
    if (setenv("CUDA_INJECTION64_PATH", path, 1) != 0) {
      return log.Print("not recording: the environment cannot be changed: %s", strerror(errno));
    }
  } else if (realpath(chosen, chosen_path) == nullptr || strcmp(chosen_path, path) != 0) {
    // Somebody else's injection library: the driver takes one only. Not where this one is to do nothing, nor where
    // LD_PRELOAD is about others and this one was loaded in the middle of the program.
    const char* const slash = strrchr(self.dli_fname, '/');
    const char* const name = slash != nullptr ? slash + 1 : self.dli_fname;
    if (strstr(getenv("LD_PRELOAD"), name) == nullptr) return;
    if (migprof::ReadOptions(environ, nullptr).disabled) return;
    migprof::injection::TakePlaceOf(chosen, path);
  }
  // There each binary's NVTX fills one table of functions: it is whose it is.
  if (setenv("NVTX_INJECTION64_PATH", path, 0) != 0) {
    log.Print("ranges are not recorded: the environment cannot be changed: %s", strerror(errno));
  }
}

__attribute__((destructor)) void OnUnload() {
  migprof::injection::Guarded([] { migprof::record::EndSession(); });
}

}  // namespace
