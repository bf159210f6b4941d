// SPDX-License-Identifier: Apache-2.0
// Where MIGPROF_YIELD is on: libmigprof-yield.so, which lies beside this library, before libcupti.
#pragma once

#include "libmigprof/record/yield_door.h"

namespace migprof::injection {

// Loads it, if it was asked for, and returns its door; null where it was not, or where it cannot be loaded, which is
// told in one line. Libraries that are loaded later, and are linked to libcupti, find its functions first.
const record::YieldDoor* LoadYieldLibrary() noexcept;

}  // namespace migprof::injection
