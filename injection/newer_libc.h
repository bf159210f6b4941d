// SPDX-License-Identifier: Apache-2.0
#ifndef MIGPROF_INJECTION_NEWER_LIBC_H_
#define MIGPROF_INJECTION_NEWER_LIBC_H_

#include <dlfcn.h>

#ifndef __GLIBC_PREREQ
#define __GLIBC_PREREQ(major, minor) 0
#endif

#if __GLIBC_PREREQ(2, 35)
namespace migprof::injection {

// What _dl_find_object does, for a libc without it: finds the loaded object that holds `address`, its borders and its
// table of unwind information, null if it has none. The link map is not filled in. 0, or -1 if there is no such object.
// Takes the loader's lock.
int FindObjectByHeaders(void* address, dl_find_object* result) noexcept;

}  // namespace migprof::injection
#endif

#endif  // MIGPROF_INJECTION_NEWER_LIBC_H_
