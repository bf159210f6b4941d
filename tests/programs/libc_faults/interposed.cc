// SPDX-License-Identifier: Apache-2.0
// What libmigprof.so takes from the C library and what can fail there.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <ctime>
#include <initializer_list>

#include "tests/programs/libc_faults/due.h"

#define INTERPOSED extern "C" __attribute__((visibility("default")))

// What the C library calls its own by, so that nothing has to be looked up before the first allocation.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

using libc_faults::Due;
using libc_faults::Function;
using libc_faults::How;

namespace {

// By version, as dlsym is one of those that fail; C libraries before 2.34 have them at their first.
void* Next(const char* name) {
  for (const char* const version : {"GLIBC_2.34", "GLIBC_2.32", "GLIBC_2.17", "GLIBC_2.15", "GLIBC_2.12", "GLIBC_2.10",
                                    "GLIBC_2.3.3", "GLIBC_2.3.2", "GLIBC_2.3", "GLIBC_2.2.5"}) {
    if (void* const found = dlvsym(RTLD_NEXT, name, version)) return found;
  }
  return nullptr;
}

// As which each kind of function tells of failure.
int MinusOne(int error) { return errno = error, -1; }
int ItsError(int error) { return error; }
int Nothing(int) { return 0; }
template <typename T>
T* Null(int error) {
  return errno = error, nullptr;
}
void* MapFailed(int error) { return errno = error, MAP_FAILED; }

}  // namespace

#define FAILING(result, name, parameters, arguments, failure)                     \
  INTERPOSED result name parameters {                                             \
    static const auto next = reinterpret_cast<result(*) parameters>(Next(#name)); \
    static Function function = {#name};                                           \
    const How how = Due(&function, __builtin_return_address(0));                  \
    return how.kind == How::kNot ? next arguments : (result)(failure(how.error)); \
  }
// The same of those that may do half of what they were asked for.
#define FAILING_OR_SHORT(result, name, parameters, arguments, half_of)            \
  INTERPOSED result name parameters {                                             \
    static const auto next = reinterpret_cast<result(*) parameters>(Next(#name)); \
    static Function function = {#name};                                           \
    const How how = Due(&function, __builtin_return_address(0));                  \
    if (how.kind == How::kError) return MinusOne(how.error);                      \
    if (how.kind == How::kShort) half_of = (half_of + 1) / 2;                     \
    return next arguments;                                                        \
  }

INTERPOSED void* malloc(size_t size) {
  static Function function = {"malloc"};
  const How how = Due(&function, __builtin_return_address(0));
  return how.kind == How::kNot ? __libc_malloc(size) : Null<void>(how.error);
}
INTERPOSED void* calloc(size_t count, size_t size) {
  static Function function = {"calloc"};
  const How how = Due(&function, __builtin_return_address(0));
  return how.kind == How::kNot ? __libc_calloc(count, size) : Null<void>(how.error);
}
INTERPOSED void* realloc(void* old, size_t size) {
  static Function function = {"realloc"};
  const How how = Due(&function, __builtin_return_address(0));
  return how.kind == How::kNot ? __libc_realloc(old, size) : Null<void>(how.error);
}
INTERPOSED int open(const char* path, int flags, ...) {
  static const auto next = reinterpret_cast<int (*)(const char*, int, ...)>(Next("open"));
  static Function function = {"open"};
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  const How how = Due(&function, __builtin_return_address(0));
  return how.kind == How::kNot ? next(path, flags, mode) : MinusOne(how.error);
}
INTERPOSED int fcntl(int file, int command, ...) {
  static const auto next = reinterpret_cast<int (*)(int, int, ...)>(Next("fcntl"));
  static Function function = {"fcntl"};
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  const How how = Due(&function, __builtin_return_address(0));
  return how.kind == How::kNot ? next(file, command, argument) : MinusOne(how.error);
}
// With newer C libraries also stat, lstat and fstat: see injection/newer_libc.cc.
INTERPOSED long syscall(long number, ...) {
  static const auto next = reinterpret_cast<long (*)(long, ...)>(Next("syscall"));
  static Function function = {"syscall"};
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  const How how = Due(&function, __builtin_return_address(0));
  if (how.kind != How::kNot) return MinusOne(how.error);
  return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

INTERPOSED int clock_gettime(clockid_t clock, timespec* now) {
  static const auto next = reinterpret_cast<int (*)(clockid_t, timespec*)>(Next("clock_gettime"));
  static Function function = {"clock_gettime"};
  const How how = Due(&function, __builtin_return_address(0));
  if (how.kind == How::kError) return MinusOne(how.error);
  const int result = next(clock, now);
  if (how.kind == How::kStep && clock == CLOCK_REALTIME) now->tv_sec += how.seconds;
  return result;
}

// Messages are always written, so that tests can see what is said of the rest.
INTERPOSED ssize_t write(int file, const void* data, size_t size) {
  static const auto next = reinterpret_cast<ssize_t (*)(int, const void*, size_t)>(Next("write"));
  static Function function = {"write"};
  const How how = file != STDERR_FILENO ? Due(&function, __builtin_return_address(0)) : How{};
  if (how.kind == How::kError) return MinusOne(how.error);
  return next(file, data, how.kind == How::kShort ? (size + 1) / 2 : size);
}
FAILING_OR_SHORT(ssize_t, read, (int file, void* data, size_t size), (file, data, size), size)
FAILING_OR_SHORT(ssize_t, pread, (int file, void* data, size_t size, off_t at), (file, data, size, at), size)
FAILING(int, close, (int file), (file), MinusOne)
FAILING(int, access, (const char* path, int mode), (path, mode), MinusOne)
FAILING(int, mkdir, (const char* path, mode_t mode), (path, mode), MinusOne)
FAILING(int, chmod, (const char* path, mode_t mode), (path, mode), MinusOne)
FAILING(int, fchmod, (int file, mode_t mode), (file, mode), MinusOne)
FAILING(int, rename, (const char* from, const char* to), (from, to), MinusOne)
FAILING(int, unlink, (const char* path), (path), MinusOne)
FAILING(int, ftruncate, (int file, off_t bytes), (file, bytes), MinusOne)
FAILING(off_t, lseek, (int file, off_t at, int from), (file, at, from), MinusOne)
FAILING(ssize_t, readlink, (const char* path, char* text, size_t size), (path, text, size), MinusOne)
FAILING(char*, realpath, (const char* path, char* resolved), (path, resolved), Null<char>)
FAILING(char*, getcwd, (char* path, size_t size), (path, size), Null<char>)
FAILING(int, gethostname, (char* name, size_t size), (name, size), MinusOne)
FAILING(int, setenv, (const char* name, const char* value, int replace), (name, value, replace), MinusOne)
FAILING(tm*, gmtime_r, (const time_t* time, tm* broken_down), (time, broken_down), Null<tm>)
FAILING(long, sysconf, (int name), (name), MinusOne)

// Counted by size besides: which call it is that maps something large depends on what is mapped before.
INTERPOSED void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) {
  static const auto next = reinterpret_cast<void* (*)(void*, size_t, int, int, int, off_t)>(Next("mmap"));
  static Function function = {"mmap"}, large = {"mmap_large"};
  constexpr size_t kLarge = 8 << 20;
  How how = Due(&function, __builtin_return_address(0));
  if (how.kind == How::kNot && size >= kLarge) how = Due(&large, __builtin_return_address(0));
  return how.kind == How::kNot ? next(at, size, protection, flags, file, offset) : MapFailed(how.error);
}
FAILING(int, munmap, (void* memory, size_t size), (memory, size), MinusOne)
FAILING(int, mincore, (void* memory, size_t size, unsigned char* resident), (memory, size, resident), MinusOne)
FAILING(int, msync, (void* memory, size_t size, int flags), (memory, size, flags), MinusOne)
FAILING(ssize_t, process_vm_readv,
        (pid_t process, const iovec* local, unsigned long locals, const iovec* remote, unsigned long remotes,
         unsigned long flags),
        (process, local, locals, remote, remotes, flags), MinusOne)
FAILING(int, sigaltstack, (const stack_t* stack, stack_t* old), (stack, old), MinusOne)

FAILING(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument),
        (thread, attributes, run, argument), ItsError)
FAILING(int, pthread_key_create, (pthread_key_t * key, void (*destroy)(void*)), (key, destroy), ItsError)
FAILING(int, pthread_setspecific, (pthread_key_t key, const void* value), (key, value), ItsError)
FAILING(int, pthread_getattr_np, (pthread_t thread, pthread_attr_t* attributes), (thread, attributes), ItsError)
FAILING(int, pthread_attr_init, (pthread_attr_t * attributes), (attributes), ItsError)
FAILING(int, pthread_attr_setstacksize, (pthread_attr_t * attributes, size_t size), (attributes, size), ItsError)
FAILING(int, pthread_condattr_setclock, (pthread_condattr_t * attributes, clockid_t clock), (attributes, clock),
        ItsError)
FAILING(int, pthread_setname_np, (pthread_t thread, const char* name), (thread, name), ItsError)
FAILING(int, pthread_cond_init, (pthread_cond_t * condition, const pthread_condattr_t* attributes),
        (condition, attributes), ItsError)
FAILING(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t* attributes), (mutex, attributes),
        ItsError)
FAILING(int, __register_atfork, (void (*before)(), void (*parent)(), void (*child)(), void* library),
        (before, parent, child, library), ItsError)
FAILING(int, __cxa_atexit, (void (*run)(void*), void* argument, void* library), (run, argument, library), ItsError)
FAILING(int, __cxa_at_quick_exit, (void (*run)(void*), void* library), (run, library), ItsError)

// dlopen searches for the caller's libraries, which here are the same for all.
FAILING(void*, dlopen, (const char* file, int mode), (file, mode), Null<void>)
FAILING(void*, dlsym, (void* library, const char* name), (library, name), Null<void>)
FAILING(int, dlinfo, (void* library, int request, void* info), (library, request, info), MinusOne)
FAILING(int, dladdr, (const void* address, Dl_info* info), (address, info), Nothing)
