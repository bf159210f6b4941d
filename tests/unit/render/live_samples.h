// SPDX-License-Identifier: Apache-2.0
// Slices at a moment, made by hand.
#pragma once

#include "libmigprof/mig/live_sample.h"

namespace migprof::render {

// One of everything that can be shown: a slice with counters, one above 100 %, a stale one, two that share a GPU
// instance, one whose processes are refused, a GPU without MIG, an empty one, a lost one; a pod; names that no program
// should trust.
mig::LiveSample SampleLive();

}  // namespace migprof::render
