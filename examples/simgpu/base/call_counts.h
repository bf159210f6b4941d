// SPDX-License-Identifier: Apache-2.0
// How often each function was called, by the name of the calling thread: appended to the file named by
// SIMGPU_CALL_COUNTS when the process ends, one line of JSON for each pair. So tests know how many positions there are
// at which a call can fail. Each library counts for itself.
#pragma once

namespace simgpu {

bool CountsCalls();

// Any thread. Both texts are copied.
void CountCall(const char* function, const char* thread);

}  // namespace simgpu
