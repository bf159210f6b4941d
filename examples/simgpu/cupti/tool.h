// SPDX-License-Identifier: Apache-2.0
// What the driver and the runtime report to: the middle of this library.
#pragma once

#include "simgpu_private.h"

namespace simgpu::cupti {

// For the life of the process.
Tool& TheTool();

// Records of the devices, contexts and streams there are now.
void DumpDevices();
void DumpContexts();
void DumpStreams();

// Stops everything, as cuptiFinalize does.
void Finalize();

}  // namespace simgpu::cupti
