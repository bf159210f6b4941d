// SPDX-License-Identifier: Apache-2.0
// The metrics of a slice as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// The member "metrics" of a slice in summary.json. summary.schema.json describes it.
nlohmann::ordered_json MetricsJson(const analyze::SliceProfile& slice);

}  // namespace migprof::render
