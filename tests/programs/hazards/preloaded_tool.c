/* SPDX-License-Identifier: Apache-2.0
   A library to be preloaded beside migprof's, as crash reporters and auditors are: it takes the deadly signals, looks
   at the stack, says so on standard error and gives them back; it forks guards of its own into every fork; it exports
   functions of the names that migprof is built from, which nobody may call; and it is an auditor of the loader when it
   is named in LD_AUDIT. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

static void Say(const char* text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(99);
}

static void OnCrash(int signal_number) {
  Say("preloaded tool: caught\n");
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static void AtFork(void) {}

__attribute__((constructor)) static void OnLoad(void) {
  if (getenv("PRELOADED_TOOL") == NULL) return;
  static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE};
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = OnCrash;
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); ++i) sigaction(signals[i], &action, NULL);
  pthread_atfork(AtFork, AtFork, AtFork);
}

VISIBLE unsigned int la_version(unsigned int version) { return version; }
VISIBLE unsigned int la_objopen(struct link_map* map, Lmid_t space, uintptr_t* cookie) {
  (void)map, (void)space, (void)cookie;
  return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

#define TRAP(name)                                 \
  VISIBLE void name(void);                         \
  VISIBLE void name(void) {                        \
    Say("preloaded tool: " #name " was called\n"); \
    abort();                                       \
  }

TRAP(ZSTD_compress2)
TRAP(ZSTD_createCCtx)
TRAP(ZSTD_freeCCtx)
TRAP(ZSTD_compressBound)
TRAP(ZSTD_isError)
TRAP(XXH3_64bits)
TRAP(unw_backtrace)
TRAP(unw_step)
TRAP(_ULx86_64_init_local)
TRAP(_ULx86_64_step)
TRAP(_Ux86_64_getcontext)
TRAP(_ULaarch64_step)
TRAP(InitializeSession)
TRAP(StartSession)
