// SPDX-License-Identifier: Apache-2.0
// Hazards of doors to the kernel that few programs use: filters, tracers, timers, small stacks, and children made by
// hand.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

// From now on the calls of this process in `refused` fail with EPERM, on every thread.
void Refuse(const std::vector<uint32_t>& refused) {
  std::vector<sock_filter> filter;
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const uint32_t call : refused) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
    std::printf("no filter: %d\n", errno);
  }
}

// What a recorder could do without: other processes' memory, clocks, control and new folders are refused while it runs.
int FilteredCalls(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  Refuse({SYS_process_vm_readv, SYS_mincore, SYS_sigaltstack, SYS_mkdirat, SYS_prlimit64, SYS_sched_getaffinity,
          SYS_faccessat, SYS_readlinkat, SYS_memfd_create, SYS_ptrace, SYS_io_uring_setup, SYS_madvise});
  gpu.Launch(100);
  return 0;
}

// No file can be opened any more, as in a sandbox that a program enters when it has all it needs.
int FilteredFiles(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(200'000);
  Refuse({
    SYS_openat,
#if defined(SYS_open)
        SYS_open, SYS_creat, SYS_access,
#endif
        SYS_socket, SYS_execve, SYS_clone3
  });
  gpu.Launch(100);
  errno = 0;
  std::printf("%d\n", std::fopen("/etc/passwd", "r") == nullptr ? errno : 0);
  return 0;
}

std::atomic<int> g_alarms{0};

// A timer whose signal comes every 100 µs, restarts nothing, and finds threads wherever they are.
int SignalStorm(const char*) {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_alarms.fetch_add(1, std::memory_order_relaxed); };
  sigaction(SIGALRM, &action, nullptr);
  const itimerval often{{0, 100}, {0, 100}};
  setitimer(ITIMER_REAL, &often, nullptr);
  Gpu& gpu = NewGpu();
  gpu.Launch(3000);
  while (g_alarms.load() < 500) gpu.Launch(10);
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

// Threads with the smallest stack there may be.
int SmallStacks(const char*) {
  Gpu& gpu = NewGpu();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0) return 1;
  for (int i = 0; i < 20; ++i) {
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
      const auto body = [](void* argument) -> void* {
        static_cast<Gpu*>(argument)->Enter();
        static_cast<Gpu*>(argument)->Launch(5);
        return nullptr;
      };
      if (pthread_create(&thread, &attributes, body, &gpu) != 0) return 2;
    }
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  }
  return 0;
}

// Address space that is in use now, in bytes.
rlim_t AddressSpace() {
  long pages = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld", &pages) != 1) std::abort();
  std::fclose(file);
  return static_cast<rlim_t>(pages) * 4096;
}

// Threads that launch for the first time when there is hardly any address space left.
int LittleMemory(const char*) {
  static Gpu& gpu = NewGpu();
  static pthread_barrier_t barrier;
  constexpr int kThreads = 8;
  gpu.Launch(20);
  pthread_barrier_init(&barrier, nullptr, kThreads + 1);
  pthread_t threads[kThreads];
  for (pthread_t& thread : threads) {
    const auto body = [](void*) -> void* {
      gpu.Enter();
      pthread_barrier_wait(&barrier);
      gpu.Launch(5);
      return nullptr;
    };
    if (pthread_create(&thread, nullptr, body, nullptr) != 0) return 1;
  }
  usleep(100'000);
  constexpr rlim_t kLeft = 16 << 20;
  const rlimit little{AddressSpace() + kLeft, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &little);
  pthread_barrier_wait(&barrier);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  const rlimit enough{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &enough);
  gpu.Launch(20);
  return 0;
}

// The process becomes one whose memory and files in /proc are root's.
int Undumpable(const char*) {
  prctl(PR_SET_DUMPABLE, 0);
  Gpu& gpu = NewGpu();
  gpu.Launch(50);
  std::printf("%d\n", prctl(PR_GET_DUMPABLE));
  return 0;
}

// Runs itself again with addresses that are the same each time.
int FixedAddresses(const char* again) {
  if (*again == '\0') {
    personality(static_cast<unsigned long>(personality(0xffffffff)) | ADDR_NO_RANDOMIZE);
    execl("/proc/self/exe", "hazards", "fixed_addresses", "again", nullptr);
    return 1;
  }
  NewGpu().Launch(50);
  std::printf("%d\n", (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);
  return 0;
}

// Stops `process` and lets it go again, many times, as debuggers and samplers do. The exit status of a tracer.
int StopAgainAndAgain(pid_t process) {
  for (int i = 0; i < 200; ++i) {
    if (ptrace(PTRACE_ATTACH, process, nullptr, nullptr) != 0) return 1;
    int status = 0;
    if (waitpid(process, &status, __WALL) != process || !WIFSTOPPED(status)) return 2;
    for (int step = 0; step < 20; ++step) {
      if (ptrace(PTRACE_SINGLESTEP, process, nullptr, nullptr) != 0) return 3;
      if (waitpid(process, &status, __WALL) != process || !WIFSTOPPED(status)) return 4;
    }
    if (ptrace(PTRACE_DETACH, process, nullptr, nullptr) != 0) return 5;
  }
  return 0;
}

// A child attaches to this process while it launches.
int Traced(const char*) {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t process = getpid();
  const pid_t tracer = fork();
  if (tracer == 0) {
    usleep(50'000);
    _exit(StopAgainAndAgain(process));
  }
  Gpu& gpu = NewGpu();
  int status = 0;
  while (waitpid(tracer, &status, WNOHANG) == 0) gpu.Launch(10);
  std::printf("traced: %d\n", WEXITSTATUS(status));
  return 0;
}

// A child made by clone3, without libc's knowledge, that shares nothing and is waited for by its descriptor.
int MadeByHand(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  int descriptor = -1;
  clone_args arguments = {};
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(&descriptor);
  arguments.exit_signal = SIGCHLD;
  const long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (child == 0) std::exit(6);
  siginfo_t info = {};
  if (child < 0 || waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(descriptor), &info, WEXITED) != 0) return 1;
  close(descriptor);
  gpu.Launch(20);
  std::printf("%d\n", info.si_status);
  return 0;
}

// All descriptors above the standard ones are closed at once.
int ClosesRange(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  close_range(3, ~0u, 0);
  gpu.Launch(20);
  return 0;
}

constexpr Hazard kHazards[] = {{"filtered_calls", FilteredCalls},   {"filtered_files", FilteredFiles},
                               {"signal_storm", SignalStorm},       {"small_stacks", SmallStacks},
                               {"undumpable", Undumpable},          {"little_memory", LittleMemory},
                               {"fixed_addresses", FixedAddresses}, {"traced", Traced},
                               {"made_by_hand", MadeByHand},        {"closes_range", ClosesRange}};

}  // namespace

std::span<const Hazard> Kernel() { return kHazards; }

}  // namespace hazards
