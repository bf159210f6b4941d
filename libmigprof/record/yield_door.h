// SPDX-License-Identifier: Apache-2.0
// Between libmigprof.so and libmigprof-yield.so, which stands before libcupti and sees that somebody else wants it
// (docs/decisions/0010). Both are of one build.
#pragma once

#include <cupti.h>

#include <cstddef>
#include <cstdint>

namespace migprof::record {

// What the recorder offers. It lives as long as the process. Any thread but the recorder's own.
struct YieldRecorder {
  // Gives CUPTI up; returns whether it is free. Blocks until what is known is written, for a second at most.
  bool (*give_way)();
  // Whether a buffer that CUPTI has done with is the recorder's; if so, that is the one to take it.
  bool (*owns)(const uint8_t* buffer);
  CUpti_BuffersCallbackCompleteFunc complete;
  // Copies the records in a buffer of the recorder's that are of calls made after it gave way. Returns their bytes, as
  // far as there is room; with `to` null, as if there were.
  size_t (*copy_newer)(const uint8_t* records, size_t bytes, uint8_t* to, size_t room);
};

// What the other library offers.
struct YieldDoor {
  // Whether no other client uses CUPTI, as far as calls have come by.
  bool (*is_free)();
  // The recorder has CUPTI from now on.
  void (*attach)(const YieldRecorder* recorder);
  // The recorder's own thread: has it take CUPTI again, if nobody else uses it any more. Nobody can begin to meanwhile.
  // Returns whether that was possible and `take` returned true.
  bool (*take_back)(bool (*take)(void* context), void* context);
  // A buffer came to the recorder that is the other client's.
  CUpti_BuffersCallbackCompleteFunc foreign;
};

// The one function that libmigprof-yield.so exports beside those of CUPTI.
using GetYieldDoor = const YieldDoor* (*)();
inline constexpr char kGetYieldDoor[] = "migprof_yield_door";

}  // namespace migprof::record
