// SPDX-License-Identifier: Apache-2.0
// The functions of libc that allocate or lock, counted where they are called in a window. libmigprof.so holds a
// libunwind and a C++ library of its own, but calls libc by name, so that it finds these.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cstddef>
#include <initializer_list>

#include "tests/programs/hot_path/windows.h"

#define INTERPOSED extern "C" __attribute__((visibility("default")))

// What the C library calls its own by, so that nothing has to be looked up before the first allocation.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void __libc_free(void*);
void* __libc_memalign(size_t, size_t);
}

using hot_path::Note;

INTERPOSED void* malloc(size_t size) { return Note("malloc"), __libc_malloc(size); }
INTERPOSED void* calloc(size_t count, size_t size) { return Note("calloc"), __libc_calloc(count, size); }
INTERPOSED void* realloc(void* old, size_t size) { return Note("realloc"), __libc_realloc(old, size); }
INTERPOSED void free(void* memory) { return Note("free"), __libc_free(memory); }
INTERPOSED void* memalign(size_t to, size_t size) { return Note("memalign"), __libc_memalign(to, size); }
INTERPOSED void* aligned_alloc(size_t to, size_t size) { return Note("aligned_alloc"), __libc_memalign(to, size); }
INTERPOSED int posix_memalign(void** memory, size_t to, size_t size) {
  Note("posix_memalign");
  *memory = __libc_memalign(to, size);
  return *memory != nullptr ? 0 : 12;  // ENOMEM
}

namespace {

// The next library's function. By version, as dlsym is one of those that are counted; C libraries before 2.34 have them
// at their first, which for dlinfo is 2.3.3.
void* Next(const char* name, const char* version) {
  for (const char* const known : {version, "GLIBC_2.2.5", "GLIBC_2.3.3"}) {
    if (void* const found = dlvsym(RTLD_NEXT, name, known)) return found;
  }
  return nullptr;
}

}  // namespace

#define PASSED_ON(version, result, name, parameters, arguments)                            \
  INTERPOSED result name parameters {                                                      \
    static const auto next = reinterpret_cast<result(*) parameters>(Next(#name, version)); \
    Note(#name);                                                                           \
    return next arguments;                                                                 \
  }
#define OLD "GLIBC_2.2.5"

PASSED_ON(OLD, int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
PASSED_ON(OLD, int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))
PASSED_ON("GLIBC_2.34", int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))
PASSED_ON("GLIBC_2.34", int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const timespec* until), (mutex, until))
PASSED_ON("GLIBC_2.34", int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
PASSED_ON("GLIBC_2.34", int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
PASSED_ON("GLIBC_2.34", int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock))
PASSED_ON("GLIBC_2.34", int, pthread_once, (pthread_once_t * once, void (*run)()), (once, run))
PASSED_ON("GLIBC_2.3.2", int, pthread_cond_broadcast, (pthread_cond_t * condition), (condition))
PASSED_ON("GLIBC_2.3.2", int, pthread_cond_signal, (pthread_cond_t * condition), (condition))
PASSED_ON("GLIBC_2.3.2", int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t* mutex),
          (condition, mutex))
PASSED_ON("GLIBC_2.3.2", int, pthread_cond_timedwait,
          (pthread_cond_t * condition, pthread_mutex_t* mutex, const timespec* until), (condition, mutex, until))
PASSED_ON("GLIBC_2.34", int, pthread_create,
          (pthread_t * thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument),
          (thread, attributes, run, argument))
// These take a lock of the loader's. Libraries are looked for as this one would, which is the same in the tests.
PASSED_ON(OLD, int, dl_iterate_phdr, (int (*visit)(dl_phdr_info*, size_t, void*), void* user), (visit, user))
PASSED_ON("GLIBC_2.34", int, dladdr, (const void* address, Dl_info* info), (address, info))
PASSED_ON("GLIBC_2.34", void*, dlopen, (const char* file, int mode), (file, mode))
PASSED_ON("GLIBC_2.34", int, dlclose, (void* library), (library))
PASSED_ON("GLIBC_2.34", int, dlinfo, (void* library, int request, void* info), (library, request, info))
// Locks of the C library's own: of the lists of what is to run at the end and at a fork, of the environment, of the
// time zone, of translations, of streams.
PASSED_ON(OLD, int, __cxa_atexit, (void (*run)(void*), void* argument, void* library), (run, argument, library))
PASSED_ON("GLIBC_2.3.2", int, __register_atfork, (void (*before)(), void (*parent)(), void (*child)(), void* library),
          (before, parent, child, library))
PASSED_ON(OLD, int, setenv, (const char* name, const char* value, int replace), (name, value, replace))
PASSED_ON(OLD, tm*, gmtime_r, (const time_t* time, tm* broken_down), (time, broken_down))
PASSED_ON(OLD, char*, gettext, (const char* text), (text))
PASSED_ON(OLD, char*, strerror, (int error), (error))
PASSED_ON(OLD, int, fputs, (const char* text, FILE* file), (text, file))
PASSED_ON(OLD, int, fputc, (int character, FILE* file), (character, file))
PASSED_ON(OLD, size_t, fwrite, (const void* data, size_t size, size_t count, FILE* file), (data, size, count, file))
PASSED_ON(OLD, char*, getenv, (const char* name), (name))
PASSED_ON(OLD, int, vsnprintf, (char* text, size_t size, const char* format, va_list list), (text, size, format, list))
// System calls, which are seen anyway where the kernel can show them.
PASSED_ON(OLD, void*, mmap, (void* at, size_t size, int protection, int flags, int file, off_t offset),
          (at, size, protection, flags, file, offset))
PASSED_ON(OLD, int, munmap, (void* memory, size_t size), (memory, size))
