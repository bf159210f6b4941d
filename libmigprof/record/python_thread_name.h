// SPDX-License-Identifier: Apache-2.0
// The name that `threading` gave to the calling thread, which CPython tells nobody before 3.14.
#pragma once

#include <cstddef>

#include "libmigprof/record/python_stack.h"

namespace migprof::record {

// Longer ones end here, in characters.
inline constexpr size_t kLongestThreadName = 64;
// That many characters in UTF-8.
inline constexpr size_t kMostThreadNameBytes = 4 * kLongestThreadName;

// Writes the name of the calling thread into `name`, which has room for kMostThreadNameBytes, and returns its length; 0
// when the thread was not started by `threading`, has no such name, or it cannot be read. No GIL, no API: the thread's
// outermost frame, that of Thread._bootstrap, holds its Thread object, but what that points to belongs to whoever holds
// the GIL, and may be changed and freed meanwhile. So it is read by way of the kernel, which says so where nothing is,
// and it counts only if all of it, from the object to the characters, was the same several times on end. noexcept, no
// lock, no allocation; a handful of system calls (process_vm_readv), so only for a thread's first event. Keeps errno.
size_t ReadPythonThreadName(const PythonReader& reader, PythonNameScratch* scratch, char* name) noexcept;

}  // namespace migprof::record
