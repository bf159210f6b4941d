// SPDX-License-Identifier: Apache-2.0
// Functions whose frames no compiler makes when it is wanted, for the tests of stacks.
#pragma once

#include <cstdint>

// Calls its argument; no unwind information. One keeps a frame pointer, the other does not.
extern "C" void migprof_test_call_with_frame_pointer(void (*)(void*), void*);
extern "C" void migprof_test_call_without_frame_pointer(void (*)(void*), void*);

// Each takes a function and a value for the frame pointer, and calls the function with it.
extern "C" {
void migprof_test_unknown_code(void (*)(), uint64_t frame_pointer);
void migprof_test_sp_by_bp(void (*)(), uint64_t frame_pointer);
void migprof_test_bp_by_bp(void (*)(), uint64_t frame_pointer);
}
