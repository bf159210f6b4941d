// SPDX-License-Identifier: Apache-2.0
// A profile that can be shown to others: its numbers without its names.
#pragma once

#include "libmigprof/analyze/profile.h"

namespace migprof::analyze {

// Replaces the names of functions, modules, files, kernels, ranges, processes and hosts, the Python names, boot ids and
// UUIDs by pseudonyms: the same name becomes the same pseudonym everywhere in the profile. PCI addresses and command
// lines are dropped. What stays: all numbers, among them process ids, line numbers and times; the names of CUDA's API,
// of copies and of causes of idle time; migprof's own notes; profiles of slices and models of GPUs.
//
// The order of the slices becomes that of their pseudonyms.
void Anonymize(Profile* profile);

}  // namespace migprof::analyze
