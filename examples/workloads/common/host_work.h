// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace workload {

// Lets the host compute for `ns`: really, on a real GPU; on the simulated one its clock is moved on instead, so that
// runs are quick and reproducible.
void HostWork(uint64_t ns);

}  // namespace workload
