// SPDX-License-Identifier: Apache-2.0
// What has to be said of a GPU and its slices besides the numbers, in sentences.
#pragma once

#include <string>
#include <vector>

#include "libmigprof/mig/topology.h"

namespace migprof::render {

// "NVIDIA H200 · MIG on · 3 slices".
std::string GpuHeading(const mig::Gpu& gpu);

// What is pending, free, empty, out of view or unreadable. One sentence or two each.
std::vector<std::string> GpuNotes(const mig::Gpu& gpu);

// How the processes of a slice or GPU share it: "time-slicing: …". Empty when there is nothing to share.
std::string UseNote(const mig::Use& use);

// How the compute instances in view share their GPU instance; empty when there is one and it fills it.
std::string GpuInstanceNote(const mig::Gpu& gpu, const mig::GpuInstance& instance);

}  // namespace migprof::render
