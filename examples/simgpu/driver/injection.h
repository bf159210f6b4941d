// SPDX-License-Identifier: Apache-2.0
// How the driver brings a profiler into the process.
#pragma once

namespace simgpu::driver {

// Loads the library CUDA_INJECTION64_PATH names and calls its `int InitializeInjection(void)`, on the calling thread. A
// library that returned anything but 0 stays and is not called again; one that returned 0 is unloaded, and the next
// call tries anew. A library or a function that does not exist is passed over in silence. Called by cuInit, before it
// looks for devices, under its lock.
void InjectProfiler();

}  // namespace simgpu::driver
