// SPDX-License-Identifier: Apache-2.0
// A second injection library. The driver loads one; that one is migprof, and migprof loads the other as the driver
// would have.
#pragma once

namespace migprof::injection {

// Makes this library, `self`, the driver's choice in this process' environment, and `other`, which was it, the one to
// be chained. Only while the program starts: other threads must not be reading the environment.
void TakePlaceOf(const char* other, const char* self);

// Loads the library that MIGPROF_CHAIN names, if any, and has it initialize itself. Returns false when it asked to be
// unloaded and tried again at the next cuInit, and has been unloaded; else true, also after a failure, which is told in
// one line. Inside the driver's call of InitializeInjection, outside of any lock.
bool InitializeChained();

}  // namespace migprof::injection
