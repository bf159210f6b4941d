// SPDX-License-Identifier: Apache-2.0
// Hazards of threads: many, short, cancelled, and launching while they end.
#include <pthread.h>
#include <unistd.h>

#include <barrier>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

Gpu* g_gpu = nullptr;

// A thousand that live for one launch each.
int ThousandThreads(const char*) {
  g_gpu = &NewGpu();
  for (int i = 0; i < 50; ++i) {
    std::vector<std::thread> threads;
    for (int j = 0; j < 20; ++j) {
      threads.emplace_back([] {
        g_gpu->Enter();
        g_gpu->Launch(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

// More at once than there are slots for.
int ThreadsAtOnce(const char*) {
  constexpr int kThreads = 1100;
  g_gpu = &NewGpu();
  static std::barrier all(kThreads);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  std::vector<pthread_t> threads(kThreads);
  for (pthread_t& thread : threads) {
    const auto body = [](void*) -> void* {
      g_gpu->Enter();
      g_gpu->Launch(2);
      all.arrive_and_wait();
      g_gpu->Launch(1);
      return nullptr;
    };
    if (pthread_create(&thread, &attributes, body, nullptr) != 0) return 1;
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

// A cancellation waits while the thread makes its first calls.
int Cancelled(const char*) {
  g_gpu = &NewGpu();
  g_gpu->Launch(1);
  int cancelled = 0;
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    const auto body = [](void*) -> void* {
      pthread_cancel(pthread_self());
      g_gpu->Enter();
      g_gpu->Launch(1);
      pthread_testcancel();
      return nullptr;
    };
    pthread_create(&thread, nullptr, body, nullptr);
    void* result = nullptr;
    pthread_join(thread, &result);
    cancelled += result == PTHREAD_CANCELED;
  }
  std::printf("%d cancelled\n", cancelled);
  return 0;
}

struct LaunchesWhenDestroyed {
  ~LaunchesWhenDestroyed() { g_gpu->Launch(2); }
  int touched = 0;
};
thread_local LaunchesWhenDestroyed t_last;

// Launches from destructors of thread-local objects, of threads and of the program.
int ThreadLocalDestructors(const char*) {
  g_gpu = &NewGpu();
  t_last.touched = 1;
  for (int i = 0; i < 20; ++i) {
    std::thread([] {
      g_gpu->Enter();
      t_last.touched = 1;
      g_gpu->Launch(1);
    }).join();
  }
  return 0;
}

pthread_key_t g_key;

// A key's destructor that launches and asks to be called again, in every round there is.
int KeyDestructors(const char*) {
  g_gpu = &NewGpu();
  pthread_key_create(&g_key, [](void* value) {
    g_gpu->Launch(1);
    pthread_setspecific(g_key, value);
  });
  for (int i = 0; i < 50; ++i) {
    std::thread([] {
      g_gpu->Enter();
      g_gpu->Launch(1);
      pthread_setspecific(g_key, g_gpu);
    }).join();
  }
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}

// Threads that leave by pthread_exit, with what is on their stacks unwound.
int ThreadExits(const char*) {
  g_gpu = &NewGpu();
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    const auto body = [](void*) -> void* {
      struct AtEnd {
        ~AtEnd() { g_gpu->Launch(1); }
      } at_end;
      g_gpu->Enter();
      pthread_exit(nullptr);
    };
    pthread_create(&thread, nullptr, body, nullptr);
    pthread_join(thread, nullptr);
  }
  return 0;
}

// Works until somebody ends it: three threads that launch and wait, so that the GPU is busy half of the time.
int Busy(const char*) {
  g_gpu = &NewGpu();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([] {
      g_gpu->Enter();
      CUstream stream;
      CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
      for (;;) {
        g_gpu->Launch(20, stream);
        CHECK_CUDA(cuStreamSynchronize(stream));
        usleep(3000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

// Works until somebody ends it, as programs do that keep the GPU busy: there is always work that is not done yet.
int Pipelined(const char*) {
  constexpr int kAhead = 8;
  Gpu& gpu = NewGpu();
  CUstream stream;
  CUevent done[kAhead];
  CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  for (CUevent& event : done) CHECK_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
  for (int i = 0;; i = (i + 1) % kAhead) {
    CHECK_CUDA(cuEventSynchronize(done[i]));
    gpu.Launch(1, stream);
    CHECK_CUDA(cuEventRecord(done[i], stream));
  }
}

constexpr Hazard kHazards[] = {
    {"pipelined", &Pipelined},
    {"busy", &Busy},
    {"thousand_threads", &ThousandThreads},
    {"threads_at_once", &ThreadsAtOnce},
    {"cancelled", &Cancelled},
    {"thread_local_destructors", &ThreadLocalDestructors},
    {"key_destructors", &KeyDestructors},
    {"thread_exits", &ThreadExits},
};

}  // namespace

std::span<const Hazard> Threads() { return kHazards; }

}  // namespace hazards
