// SPDX-License-Identifier: Apache-2.0
// Counts what happens on a thread while it is inside migprof. To be preloaded into a program before libmigprof.so.
//
// A window opens where CUPTI calls migprof, by way of the callbacks that migprof hands to CUPTI, and closes when
// migprof returns. Programs open windows themselves around what calls migprof directly. Whatever the thread does in a
// window, migprof does, in its own code or in what it calls: so nothing has to be told apart from the program, the
// driver or CUPTI, which allocate and lock as they please.
#pragma once

#include <cstdint>

namespace hot_path {

enum Kind : int {
  kCall,             // a driver call is told of, or what it does to graph nodes
  kContext,          // a context was made
  kBufferRequested,  // CUPTI wants a buffer
  kBufferCompleted,  // CUPTI returns one
  kRange,            // NVTX or migprof_push
  kKinds
};

// Windows of the same thread do not nest. `ends_call`: the driver call returns to the program after this one.
void Open(Kind kind);
void Close(bool ends_call);

// Counts `what`, a literal, if the calling thread is inside a window. `stack`: where to look for the caller in migprof,
// from there outwards. `number`: of the system call.
void Note(const char* what, const void* stack = __builtin_frame_address(0), long number = -1);

// Makes the system calls of the calling thread known to Note while `*selector` is 1. False where the kernel cannot.
bool WatchSystemCalls(char* selector);

}  // namespace hot_path
