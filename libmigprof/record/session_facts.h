// SPDX-License-Identifier: Apache-2.0
// What a recording writes down about itself.
#pragma once

#include <cstdint>
#include <string>

#include "libmigprof/base/options.h"
#include "libmigprof/mig/driver_api.h"
#include "libmigprof/record/cupti_api.h"
#include "libmigprof/record/key_values.h"
#include "libmigprof/record/process_facts.h"

namespace migprof::record {

// `path` from the root; as it is when the working directory is not known.
std::string AbsolutePath(const char* path);

// The facts of kProcess chunks. `cupti_start_ns`: the time of the start on CUPTI's clock.
Facts ProcessFacts(const Options& options, const ProcessInfo& process, const CuptiApi& cupti,
                   const mig::DriverApi& driver, int driver_version, uint64_t cupti_start_ns);

}  // namespace migprof::record
