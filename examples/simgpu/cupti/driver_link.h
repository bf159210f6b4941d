// SPDX-License-Identifier: Apache-2.0
// The way from libcupti to the driver.
#pragma once

#include "simgpu_private.h"

namespace simgpu::cupti {

// The simulated driver of this process, loaded if need be. Null where libcuda.so.1 is missing or is somebody else's.
Driver* LinkedDriver();

// Makes the driver report to this library; null before the first call. Undone by Detach.
void Attach();
void Detach();

}  // namespace simgpu::cupti
