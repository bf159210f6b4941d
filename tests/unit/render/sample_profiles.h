// SPDX-License-Identifier: Apache-2.0
// Profiles made by hand or by dice, for the tests of renderers and for looking at pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// A training step and an inference server on two hosts: three MIG slices and a whole GPU; every kind of frame,
// a graph, a long template name, processes, and losses on one slice.
analyze::Profile SampleProfile();

// Three 2g.35gb slices of an H200, busy for 85 %, 48 % and 93.6 % of 20 s, each with everything that is known beside
// stacks. 71 % of each one's idle time passed while load_batch prepared a copy.
analyze::Profile H200Profile();

// Eight GPUs of two hosts, cut in different ways into 26 slices, one of them badly used.
analyze::Profile FleetProfile();

// One slice whose host, board, process and frames have names that no program should trust: markup, script,
// quotes, control bytes, broken UTF-8, text direction, nothing at all, 10,000 characters.
analyze::Profile HostileProfile();

// One stack of functions whose places in the source are known: Inner, inlined into Outer, and Inner again, not inlined.
analyze::Profile SourcesProfile();

enum class CallGraph {
  kSparse,  // each function calls a few others, as in programs
  kRandom,  // each call is to any of 6,000 functions: the worst case for compact encoding
};

// One slice with this many different stacks, about `depth` frames deep. 200,000 stacks of depth 40 make about
// 547,000 nodes. The same on every machine.
analyze::Profile LargeProfile(size_t stacks, size_t depth, CallGraph calls);

}  // namespace migprof::render
