// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cupti.h>

#include <array>
#include <cstddef>

#include "libmigprof/record/cupti_api.h"

namespace migprof::record {

// How long the activity records of the running libcupti are, by kind; 0 where it does not know the kind. Asked of the
// library itself, because its version number does not say: a buffer in which every eight bytes look like the start of a
// record of one kind is walked one step. Needs no driver and no subscription.
class RecordSizes {
 public:
  static constexpr size_t kKinds = 64;

  void Probe(const CuptiApi& api);
  size_t of(CUpti_ActivityKind kind) const {
    return static_cast<size_t>(kind) < kKinds ? sizes_[static_cast<size_t>(kind)] : 0;
  }

 private:
  std::array<size_t, kKinds> sizes_{};
};

}  // namespace migprof::record
