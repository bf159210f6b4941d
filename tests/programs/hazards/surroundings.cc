// SPDX-License-Identifier: Apache-2.0
// Hazards of what a process can change about itself: descriptors, user, root, masks, limits, locale, environment.
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

// What is in the file behind `descriptor` from its beginning on.
std::string Content(int descriptor) {
  std::string text(4096, '\0');
  const ssize_t length = pread(descriptor, text.data(), text.size(), 0);
  text.resize(length > 0 ? length : 0);
  return text;
}

// Standard input and error are closed. The simulated GPU opens one file, which gets the number of the first; the second
// must stay closed, so that what is written to it goes nowhere, least of all into a trace.
int ClosedStderr(const char*) {
  close(STDIN_FILENO);
  close(STDERR_FILENO);
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  std::printf("writing: %zd\n", write(STDERR_FILENO, "to nobody\n", 10));
  gpu.Launch(20);
  return 0;
}

// All three are closed, and the program's own file is what gets the number of standard error.
int DataAsStderr(const char* path) {
  close_range(0, 2, 0);
  open("/dev/null", O_RDWR);
  open("/dev/null", O_RDWR);
  if (open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) != STDERR_FILENO) return 1;
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  if (write(STDERR_FILENO, "data", 4) != 4) return 2;
  return Content(STDERR_FILENO) == "data" ? 0 : 3;
}

// Code of which no unwind information tells: a profiler that follows a stack has to look where it leads.
#if defined(__x86_64__)
asm(R"(
  .text
  .type call_undescribed, @function
call_undescribed:
  push %rbp
  mov %rsp, %rbp
  call *%rdi
  pop %rbp
  ret
  .size call_undescribed, . - call_undescribed
)");
extern "C" void call_undescribed(void (*body)());
#elif defined(__aarch64__)
asm(R"(
  .text
  .type call_undescribed, @function
call_undescribed:
  stp x29, x30, [sp, #-16]!
  mov x29, sp
  blr x0
  nop
  ldp x29, x30, [sp], #16
  ret
  .size call_undescribed, . - call_undescribed
)");
extern "C" void call_undescribed(void (*body)());
#else
void call_undescribed(void (*body)()) { body(); }
#endif

// Launches from such code, on a stack that is not the thread's own, and another one each time.
void LaunchOnFiber(Gpu* gpu) {
  static Gpu* launching;
  static ucontext_t here, fiber;
  constexpr size_t kStackBytes = 64 * 1024;
  launching = gpu;
  getcontext(&fiber);
  fiber.uc_stack = {new char[kStackBytes], 0, kStackBytes};
  fiber.uc_link = &here;
  makecontext(
      &fiber, [] { call_undescribed([] { launching->Launch(20); }); }, 0);
  swapcontext(&here, &fiber);
}

// Closes everything that others opened, after CUDA was used, and opens files of its own, which must stay its own.
int ClosesEverything(const char* path) {
  Gpu& gpu = NewGpu();
  LaunchOnFiber(&gpu);
  usleep(150'000);
  close_range(3, ~0u, 0);
  int files[20];
  for (int& file : files) {
    file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink(path);
  }
  LaunchOnFiber(&gpu);
  usleep(150'000);
  for (const int file : files) {
    if (!Content(file).empty()) return 3;
  }
  std::printf("files are empty\n");
  return 0;
}

int NoDescriptorsLeft(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(1);
  const rlimit few = {3, 3};
  setrlimit(RLIMIT_NOFILE, &few);
  gpu.Launch(20);
  usleep(100'000);
  std::printf("launched\n");
  return 0;
}

int SmallFiles(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  CHECK_CUDA(cuCtxSynchronize());
  usleep(200'000);
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_FSIZE, &none);
  gpu.Launch(20);
  usleep(200'000);
  std::printf("launched\n");
  return 0;
}

int Umask(const char* mask) {
  const mode_t before = static_cast<mode_t>(std::strtol(mask, nullptr, 8));
  umask(before);
  NewGpu().Launch(20);
  usleep(100'000);
  std::printf("mask %s\n", umask(before) == before ? "kept" : "changed");
  return 0;
}

int Chroot(const char* folder) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  if (chroot(folder) != 0 || chdir("/") != 0) return 1;
  gpu.Launch(20);
  return 0;
}

int ChangedUser(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  usleep(100'000);
  if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0) return 1;
  gpu.Launch(20);
  return 0;
}

int Locale(const char*) {
  setlocale(LC_ALL, "C.UTF-8");
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  setlocale(LC_ALL, "C");
  gpu.Launch(20);
  std::printf("%s\n", setlocale(LC_ALL, nullptr));
  return 0;
}

int ClearedBefore(const char*) {
  clearenv();
  NewGpu().Launch(20);
  std::printf("%s\n", std::getenv("CUDA_INJECTION64_PATH") == nullptr ? "no environment" : "an environment");
  return 0;
}

int ClearedAfter(const char*) {
  Gpu& gpu = NewGpu();
  gpu.Launch(20);
  clearenv();
  environ = nullptr;
  gpu.Launch(20);
  return 0;
}

constexpr Hazard kHazards[] = {
    {"closed_stderr", &ClosedStderr},
    {"data_as_stderr", &DataAsStderr},
    {"closes_everything", &ClosesEverything},
    {"no_descriptors_left", &NoDescriptorsLeft},
    {"small_files", &SmallFiles},
    {"umask", &Umask},
    {"chroot", &Chroot},
    {"changed_user", &ChangedUser},
    {"locale", &Locale},
    {"cleared_before", &ClearedBefore},
    {"cleared_after", &ClearedAfter},
};

}  // namespace

std::span<const Hazard> Surroundings() { return kHazards; }

}  // namespace hazards
