/* SPDX-License-Identifier: Apache-2.0 */
/* The C API of migprof, for programs that want to name what they are doing, or to know of the recorder in their
 * process. Header only: nothing is linked, and every function is a no-op when the program does not run under migprof.
 * Needs dlopen (-ldl before glibc 2.34). */
#ifndef MIGPROF_MIGPROF_H_
#define MIGPROF_MIGPROF_H_

#include <dlfcn.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A function of the recorder in this process; NULL when there is none. */
static inline void* migprof_recorder_symbol(const char* name) {
  void* symbol;
  void* const recorder = dlopen("libmigprof.so", RTLD_LAZY | RTLD_NOLOAD);
  if (recorder == NULL) return NULL;
  symbol = dlsym(recorder, name);
  dlclose(recorder); /* it is never unloaded */
  return symbol;
}

/* The version of the recorder in this process, e.g. "0.1.0", or NULL when there is none. Static text. Any thread; the
 * first calls may take microseconds, and no call should be made from a signal handler. */
static inline const char* migprof_recorder_version(void) {
  typedef const char* (*version_function)(void);
  version_function version = NULL;
  /* ISO C forbids the conversion of an object pointer to a function pointer; POSIX demands that it works. */
  *(void**)(&version) = migprof_recorder_symbol("migprof_version");
  return version != NULL ? version() : NULL;
}

/* Opens a range called `name` (UTF-8, copied, cut after 200 bytes) on this thread: until migprof_pop, every CUDA call
 * of the thread is shown inside of it. Ranges nest, up to 64 deep. Any thread, not from a signal handler. Takes some
 * tens of nanoseconds; before the recorder is in the process, which with LD_PRELOAD it is from the start, about one
 * microsecond. */
static inline void migprof_push(const char* name) {
  static void (*push)(const char*) = NULL;
  void (*found)(const char*) = __atomic_load_n(&push, __ATOMIC_RELAXED);
  if (found == NULL) {
    *(void**)(&found) = migprof_recorder_symbol("migprof_push");
    if (found == NULL) return;
    __atomic_store_n(&push, found, __ATOMIC_RELAXED);
  }
  found(name);
}

/* Ends the innermost range that this thread opened with migprof_push; nothing when there is none. */
static inline void migprof_pop(void) {
  static void (*pop)(void) = NULL;
  void (*found)(void) = __atomic_load_n(&pop, __ATOMIC_RELAXED);
  if (found == NULL) {
    *(void**)(&found) = migprof_recorder_symbol("migprof_pop");
    if (found == NULL) return;
    __atomic_store_n(&pop, found, __ATOMIC_RELAXED);
  }
  found();
}

#ifdef __cplusplus
}
#endif

#endif /* MIGPROF_MIGPROF_H_ */
