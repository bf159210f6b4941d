// SPDX-License-Identifier: Apache-2.0
// Hazards of processes that make others, or become others.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/programs/hazards/hazards.h"

extern char** environ;

namespace hazards {
namespace {

int Wait(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// 40 children, ended in four ways, while a thread launches.
int ForkStorm(const char*) {
  Gpu& gpu = NewGpu();
  std::atomic<bool> done{false};
  std::thread launching([&] {
    gpu.Enter();
    while (!done.load()) {
      gpu.Launch(10);
      usleep(500);
    }
  });
  int sum = 0;
  for (int i = 0; i < 40; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      if (i % 4 == 0) std::exit(1);
      if (i % 4 == 1) _exit(2);
      if (i % 4 == 2) std::quick_exit(3);
      execl("/bin/sh", "sh", "-c", "exit 4", nullptr);
    }
    sum += Wait(child);
  }
  done = true;
  launching.join();
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("sum of statuses %d\n", sum);
  return 0;
}

// Children and grandchildren that all use CUDA, and a parent that does so after them.
int ForkTree(const char*) {
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child != 0) continue;
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      NewGpu().Launch(5);
      std::exit(0);
    }
    Wait(grandchild);
    NewGpu().Launch(10);
    std::exit(0);
  }
  while (wait(nullptr) > 0) {
  }
  NewGpu().Launch(20);
  return 0;
}

// A child that fork handlers know nothing of.
int RawFork(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) std::exit(6);
  const int status = Wait(child);
  gpu.Launch(20);
  std::printf("child ended with %d\n", status);
  return 0;
}

int Spawn(const char*) {
  Gpu& gpu = NewGpu();
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    gpu.Launch(5);
    pid_t child;
    char* const arguments[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>("exit 3"), nullptr};
    if (posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ) == 0) sum += Wait(child);
    const pid_t shared = vfork();
    if (shared == 0) {
      execv("/bin/sh", arguments);
      _exit(100);
    }
    sum += Wait(shared);
    const pid_t failing = vfork();
    if (failing == 0) _exit(9);
    sum += Wait(failing);
  }
  std::printf("sum of statuses %d, system %d\n", sum, WEXITSTATUS(std::system("exit 5")));
  return 0;
}

// Becomes itself again, so many times; launches each time, and waits long enough to be written.
int ExecChain(const char* left) {
  const int more = std::atoi(left);
  NewGpu().Launch(30);
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("%d to go\n", more);
  std::fflush(stdout);
  if (more == 0) return 0;
  usleep(200'000);
  execl("/proc/self/exe", "hazards", "exec_chain", std::to_string(more - 1).c_str(), nullptr);
  return 1;
}

// Another thread than the first becomes a program without CUDA.
int ExecFromThread(const char*) {
  NewGpu().Launch(30);
  CHECK_CUDA(cuCtxSynchronize());
  usleep(200'000);
  std::thread([] { execl("/bin/sh", "sh", "-c", "echo $0; exit 12", "shell", nullptr); }).join();
  return 1;
}

// As a daemon does it, before CUDA is used, and reporting through a pipe to the process that waits.
int Daemonize(const char*) {
  int report[2];
  if (pipe(report) != 0) return 1;
  if (fork() != 0) {
    close(report[1]);
    std::string text(32, '\0');
    text.resize(read(report[0], text.data(), text.size()));
    char more;
    while (read(report[0], &more, 1) > 0) {
    }
    std::printf("daemon says %s\n", text.c_str());  // and has ended
    return 0;
  }
  setsid();
  if (fork() != 0) _exit(0);
  if (chdir("/") != 0) _exit(1);
  umask(0);
  const int kept = fcntl(report[1], F_DUPFD, 100);
  close_range(0, 99, 0);
  open("/dev/null", O_RDWR);
  dup2(0, 1);
  dup2(0, 2);
  Gpu& gpu = NewGpu();
  gpu.Launch(40);
  CHECK_CUDA(cuCtxSynchronize());
  if (write(kept, "done", 4) != 4) _exit(1);
  std::exit(0);
}

constexpr Hazard kHazards[] = {
    {"fork_storm", &ForkStorm}, {"fork_tree", &ForkTree},   {"raw_fork", &RawFork},
    {"spawn", &Spawn},          {"exec_chain", &ExecChain}, {"exec_from_thread", &ExecFromThread},
    {"daemonize", &Daemonize},
};

}  // namespace

std::span<const Hazard> Processes() { return kHazards; }

}  // namespace hazards
