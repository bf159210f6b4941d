// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// Plausible metrics for a slice of SampleProfile(), in few bins.
void FillSampleMetrics(analyze::SliceProfile* slice);

}  // namespace migprof::render
