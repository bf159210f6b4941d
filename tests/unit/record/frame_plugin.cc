// SPDX-License-Identifier: Apache-2.0
// Compiled twice, with frames of two sizes and otherwise the same code.
extern "C" __attribute__((visibility("default"))) void migprof_test_call(void (*function)(void*), void* argument) {
  char local[MIGPROF_TEST_FRAME_BYTES];
  asm volatile("" : : "r"(local) : "memory");
  function(argument);
  asm volatile("" : : "r"(local) : "memory");
}
