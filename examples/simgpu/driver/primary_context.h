// SPDX-License-Identifier: Apache-2.0
// The context each device has for all users of the runtime.
#pragma once

#include "driver/context.h"

namespace simgpu::driver {

// Creates it if need be; every call needs a ReleasePrimaryContext.
Context* RetainPrimaryContext(Device* device);
// False when it was not retained. The last release destroys it.
bool ReleasePrimaryContext(Device* device);
// Destroys it whoever still holds it.
void ResetPrimaryContext(Device* device);

}  // namespace simgpu::driver
