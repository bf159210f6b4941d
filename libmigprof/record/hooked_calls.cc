// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

std::string PublicName(const char* callback_name) {
  std::string name = callback_name;
  for (const char* suffix : {"_ptsz", "_ptds", "_v2"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - std::string(suffix).size());
  }
  return name;
}

}  // namespace migprof::record
