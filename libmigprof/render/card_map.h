// SPDX-License-Identifier: Apache-2.0
// How the slices of a profile lie on their cards: host, GPU, GPU instance, slice, with sizes. Knows nothing of
// pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

struct MapSlice {
  size_t slice = 0;    // index into the profile's
  uint32_t units = 1;  // compute slices of the GPU
};

struct MapInstance {
  std::optional<uint32_t> gpu_instance_id;
  std::optional<mig::Placement> placement;  // in memory slices
  uint32_t units = 1;                       // of compute
  std::vector<MapSlice> slices;             // compute instances that have a trace, by id
  uint32_t free_units = 0;                  // of the instance, without one
};

struct MapGpu {
  std::string name;  // board; may be empty
  std::string uuid;  // may be empty
  bool is_mig = false;
  uint32_t units = 7;
  // By where they lie; where that is not in all traces, by GPU instance id.
  std::vector<MapInstance> instances;
  // Memory slices of the GPU, when the placement of every instance is known and no two lie upon each other.
  std::optional<uint32_t> memory_slices;
  uint32_t free_units = 0;  // without a trace: not allocated, or nothing was recorded there
  bool overlap = false;     // more than fits at one time: the card was cut anew while it was recorded
};

struct MapHost {
  std::string name;
  std::vector<MapGpu> gpus;
};

// Hosts and GPUs in the order of the profile.
std::vector<MapHost> LayOutCards(const analyze::Profile& profile);

}  // namespace migprof::render
