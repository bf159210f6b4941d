// SPDX-License-Identifier: Apache-2.0
// Where an instance lies among its like.
#pragma once

#include <cstdint>

namespace migprof::mig {

// Of a GPU instance in memory slices of the GPU, of a compute instance in compute slices of its GPU instance.
struct Placement {
  uint32_t start = 0;
  uint32_t size = 0;
  friend bool operator==(const Placement&, const Placement&) = default;
};

}  // namespace migprof::mig
