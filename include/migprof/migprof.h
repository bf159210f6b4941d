/* SPDX-License-Identifier: Apache-2.0 */
/* The C API of migprof, for programs that want to know of the recorder in their process. Header only: nothing is
 * linked, and every function is a no-op when the program does not run under migprof. Needs dlopen (-ldl before
 * glibc 2.34). */
#ifndef MIGPROF_MIGPROF_H_
#define MIGPROF_MIGPROF_H_

#include <dlfcn.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the recorder in this process, e.g. "0.1.0", or NULL when there is none. Static text. Any thread; the
 * first calls may take microseconds, and no call should be made from a signal handler. */
static inline const char* migprof_recorder_version(void) {
  typedef const char* (*version_function)(void);
  version_function version = NULL;
  void* const recorder = dlopen("libmigprof.so", RTLD_LAZY | RTLD_NOLOAD);
  if (recorder == NULL) return NULL;
  /* ISO C forbids the conversion of an object pointer to a function pointer; POSIX demands that it works. */
  *(void**)(&version) = dlsym(recorder, "migprof_version");
  dlclose(recorder);
  return version != NULL ? version() : NULL;
}

#ifdef __cplusplus
}
#endif

#endif /* MIGPROF_MIGPROF_H_ */
