// SPDX-License-Identifier: Apache-2.0
// The recording of this process, from the driver's injection call to the end.
#pragma once

#include "libmigprof/base/control_file.h"
#include "libmigprof/record/yield_door.h"

namespace migprof::record {

// kOff -> kStarting -> kOn -> kStopping -> kDisabled, or kStarting -> kDisabled when recording is not possible. Never
// back: CUPTI's callbacks can be registered once per process.
enum class SessionState { kOff, kStarting, kOn, kStopping, kDisabled };

// Starts recording, if nothing speaks against it; says why on stderr, in one line, if something does. Later calls do
// nothing. On the thread that called cuInit. May throw std::bad_alloc; call it through the boundary guard. `door` tells
// when somebody else wants CUPTI; null: nobody does.
void StartSession(const YieldDoor* door = nullptr);

// Stops, writes what is left, and returns after MIGPROF_EXIT_TIMEOUT_MS at the latest. Any thread but the drain thread.
void StopSession();

// Starts or stops recording, or writes what is known, as include/migprof/migprof.h has it. Returns whether it was done:
// not where nothing can be recorded, or within a second. Any thread of the process but the drain thread.
bool AskSession(ControlVerb verb);

// The very last: after the program's own exit handlers and destructors. Amends the files if GPU work was launched since
// StopSession, which is then not in them.
void EndSession();

// Gives up for good, without touching anything but one flag: in a forked child, or after something threw.
void DisableSession() noexcept;

SessionState GetSessionState() noexcept;

}  // namespace migprof::record
