// SPDX-License-Identifier: Apache-2.0
// Hazards of programs that end in unusual ways; tests/programs/ending.cc has the usual ones.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

Gpu* g_gpu = nullptr;

int SignalNumber(const char* name) {
  if (std::strcmp(name, "TERM") == 0) return SIGTERM;
  if (std::strcmp(name, "INT") == 0) return SIGINT;
  if (std::strcmp(name, "HUP") == 0) return SIGHUP;
  return SIGUSR1;
}

// Until what was launched is done, and has been written.
void LaunchAndWait() {
  NewGpu().Launch(50);
  CHECK_CUDA(cuCtxSynchronize());
  usleep(200'000);
}

// Dies of the signal, which it sends itself.
int Signalled(const char* name) {
  LaunchAndWait();
  kill(getpid(), SignalNumber(name));
  pause();
  return 1;
}

void Leave(int) { std::exit(21); }
void LeaveAtOnce(int) { _exit(22); }

// The handler ends the program in an orderly way, while the first thread sleeps.
int Handled(const char* name) {
  signal(SignalNumber(name), &Leave);
  NewGpu().Launch(50);
  kill(getpid(), SignalNumber(name));
  pause();
  return 1;
}

int HandledAtOnce(const char* name) {
  signal(SignalNumber(name), &LeaveAtOnce);
  LaunchAndWait();
  kill(getpid(), SignalNumber(name));
  pause();
  return 1;
}

// A signal in the middle of any call; its handler calls exit, which is not allowed there but usual.
int ExitInHandlerUnderLoad(const char*) {
  signal(SIGALRM, &Leave);
  Gpu& gpu = NewGpu();
  const itimerval soon = {{0, 0}, {0, 30'000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  for (;;) gpu.Launch(1);
}

// The program's signals interrupt its own threads only, and as often as without a profiler.
volatile sig_atomic_t g_interrupted = 0;
volatile sig_atomic_t g_elsewhere = 0;
pid_t g_main_thread;

void Count(int) {
  const int saved = errno;
  if (gettid() != g_main_thread) g_elsewhere = 1;
  g_interrupted = g_interrupted + 1;
  errno = saved;
}

int Interrupted(const char*) {
  g_main_thread = gettid();
  struct sigaction action {};
  action.sa_handler = &Count;
  sigaction(SIGALRM, &action, nullptr);
  Gpu& gpu = NewGpu();
  const itimerval often = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &often, nullptr);
  for (int i = 0; i < 200 || g_interrupted < 100; ++i) gpu.Launch(10);
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("interrupted, %s\n", g_elsewhere != 0 ? "other threads too" : "this thread only");
  return 0;
}

// Handlers registered before and after CUDA was initialised both launch.
int LaunchAtExit(const char*) {
  std::atexit([] { g_gpu->Launch(7); });
  g_gpu = &NewGpu();
  std::atexit([] {
    g_gpu->Launch(11);
    CHECK_CUDA(cuCtxSynchronize());
  });
  g_gpu->Launch(50);
  return 13;
}

int QuickExit(const char*) {
  NewGpu().Launch(50);
  std::quick_exit(14);
}

// exit() from one thread while four others launch.
int ExitInStorm(const char*) {
  Gpu& gpu = NewGpu();
  for (int i = 0; i < 4; ++i) {
    std::thread([&gpu] {
      gpu.Enter();
      for (;;) gpu.Launch(1);
    }).detach();
  }
  usleep(15'000);
  std::thread([] { std::exit(15); }).join();
  return 1;
}

// A thread is stopped in the middle of a launch when the program ends, and goes on when the profiler has written all
// and the program is not quite over: the handler registered before CUDA was initialised is the last. The test says how
// the thread is stopped.
int ExitWhileALaunchIsStuck(const char*) {
  std::atexit([] { usleep(600'000); });
  Gpu& gpu = NewGpu();
  std::thread([&gpu] {
    gpu.Enter();
    gpu.Launch(100);
    for (;;) pause();
  }).detach();
  usleep(150'000);
  return 16;
}

// What a crash handler does: it says something, restores the default, and dies of the signal after all.
int CrashHandler(const char*) {
  signal(SIGSEGV, [](int) {
    static const char text[] = "crashed\n";
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) _exit(1);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  });
  LaunchAndWait();
  raise(SIGSEGV);
  return 1;
}

constexpr Hazard kHazards[] = {
    {"signalled", &Signalled},           {"handled", &Handled},
    {"handled_at_once", &HandledAtOnce}, {"exit_in_handler_under_load", &ExitInHandlerUnderLoad},
    {"interrupted", &Interrupted},       {"launch_at_exit", &LaunchAtExit},
    {"quick_exit", &QuickExit},          {"exit_in_storm", &ExitInStorm},
    {"crash_handler", &CrashHandler},    {"exit_while_a_launch_is_stuck", &ExitWhileALaunchIsStuck},
};

}  // namespace

std::span<const Hazard> Endings() { return kHazards; }

}  // namespace hazards
