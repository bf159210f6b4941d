// SPDX-License-Identifier: Apache-2.0
// Hazards of unusual stacks.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

Gpu* g_gpu = nullptr;

// Recurses until `end` is no further away, and launches there.
__attribute__((noinline)) int Recurse(const char* end) {
  volatile char frame[64] = {};
  const auto* const here = const_cast<const char*>(frame);
  int depth = 1;
  if (here > end) {
    depth += Recurse(end);
  } else {
    g_gpu->Launch(3);
  }
  return depth + frame[0];
}

// As full as a stack on which CUDA is called may be, on a thread and then on the first one.
int DeepRecursion(const char*) {
  g_gpu = &NewGpu();
  constexpr size_t kLeft = 16 * 1024;
  const auto body = [](void*) -> void* {
    g_gpu->Enter();
    pthread_attr_t attributes;
    void* low = nullptr;
    size_t size = 0;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    std::printf("recursed %s\n", Recurse(static_cast<const char*>(low) + kLeft) > 1000 ? "deeply" : "not much");
    return nullptr;
  };
  pthread_t thread;
  pthread_create(&thread, nullptr, body, nullptr);
  pthread_join(thread, nullptr);
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  Recurse(reinterpret_cast<const char*>(here - (4 << 20)));
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

int AlternateStack(const char*) {
  g_gpu = &NewGpu();
  std::vector<char> memory(64 * 1024);
  const stack_t alternate = {memory.data(), 0, memory.size()};
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_handler = [](int) { g_gpu->Launch(1); };
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  for (int i = 0; i < 50; ++i) raise(SIGUSR1);
  stack_t now{};
  sigaltstack(nullptr, &now);
  std::printf("the alternate stack is %s\n", now.ss_sp == memory.data() ? "the same" : "another");
  return 0;
}

ucontext_t g_main;
ucontext_t g_fibers[4];

void Fiber(unsigned number) {
  for (int i = 0; i < 25; ++i) {
    g_gpu->Launch(1);
    swapcontext(&g_fibers[number], &g_fibers[(number + 1) % 4]);
  }
}

// Four that take turns.
int Fibers(const char*) {
  g_gpu = &NewGpu();
  std::vector<std::vector<char>> stacks(4, std::vector<char>(64 * 1024));
  for (unsigned i = 0; i < 4; ++i) {
    getcontext(&g_fibers[i]);
    g_fibers[i].uc_stack = {stacks[i].data(), 0, stacks[i].size()};
    g_fibers[i].uc_link = &g_main;
    makecontext(&g_fibers[i], reinterpret_cast<void (*)()>(&Fiber), 1, i);
  }
  swapcontext(&g_main, &g_fibers[0]);
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

// A handler that jumps back to where the program was before, from between its calls.
sigjmp_buf g_back;

int JumpOutOfHandler(const char*) {
  g_gpu = &NewGpu();
  signal(SIGUSR1, [](int) {
    g_gpu->Launch(1);
    siglongjmp(g_back, 1);
  });
  volatile int jumps = 0;
  sigsetjmp(g_back, 1);
  if (jumps < 30) {
    jumps = jumps + 1;
    g_gpu->Launch(1);
    raise(SIGUSR1);
  }
  std::printf("%d jumps\n", jumps);
  return 0;
}

constexpr Hazard kHazards[] = {
    {"deep_recursion", &DeepRecursion},
    {"alternate_stack", &AlternateStack},
    {"fibers", &Fibers},
    {"jump_out_of_handler", &JumpOutOfHandler},
};

}  // namespace

std::span<const Hazard> Stacks() { return kHazards; }

}  // namespace hazards
