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

/* Starts recording where it was stopped, by migprof_stop, `migprof stop PID` or MIGPROF_START=off; the last one to ask
 * wins. When it returns, the calls that follow are recorded. Returns 1 when recording is on, 0 without a recorder,
 * where nothing can be recorded, or when it took more than a second. Before cuInit: recording will begin started. Any
 * thread, not from a signal handler nor a callback of CUPTI; takes up to some milliseconds. */
static inline int migprof_start(void) {
  int (*start)(void) = NULL;
  *(void**)(&start) = migprof_recorder_symbol("migprof_start");
  return start != NULL ? start() : 0;
}

/* Stops recording until migprof_start: calls that follow are not recorded, and from a second later on CUPTI is told to
 * record nothing, so that they cost as good as nothing. The time is marked in the trace as not recorded. Returns as
 * migprof_start, with 1 when recording is off. Before cuInit: recording will begin stopped. */
static inline int migprof_stop(void) {
  int (*stop)(void) = NULL;
  *(void**)(&stop) = migprof_recorder_symbol("migprof_stop");
  return stop != NULL ? stop() : 0;
}

/* Writes to the trace files what was recorded so far; work that the GPU has not finished follows later. Returns 1 when
 * that was done, otherwise as migprof_start. */
static inline int migprof_flush(void) {
  int (*flush)(void) = NULL;
  *(void**)(&flush) = migprof_recorder_symbol("migprof_flush");
  return flush != NULL ? flush() : 0;
}

#ifdef __cplusplus
}
#endif

#endif /* MIGPROF_MIGPROF_H_ */
