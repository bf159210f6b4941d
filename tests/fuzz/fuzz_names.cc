// SPDX-License-Identifier: Apache-2.0
// Every parser of short texts that come from a driver, the kernel or a trace.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libmigprof/analyze/demangle.h"
#include "libmigprof/mig/profile_name.h"
#include "libmigprof/mig/uuid.h"
#include "libmigprof/mig/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  migprof::mig::ParseProfileName(text);
  const migprof::mig::DeviceName name = migprof::mig::SplitDeviceName(text);
  if (name.board.size() > text.size()) std::abort();
  migprof::mig::ParseLegacyMigUuid(text);
  migprof::mig::ParseCgroups(text);
  if (const auto uuid = migprof::mig::ParseUuid(text)) {
    if (migprof::mig::ParseUuid(migprof::mig::FormatUuid(*uuid)) != uuid) std::abort();
  }
  const std::string demangled = migprof::analyze::Demangle(text);
  migprof::analyze::ShortName(demangled);
  migprof::analyze::ShortName(text);
  return 0;
}
