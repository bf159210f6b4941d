// SPDX-License-Identifier: Apache-2.0
// Launches some kernels and ends in the way it is told.
//
// usage: ending HOW      HOW: return, exit, _exit, quick_exit, abort, throw, kill, segfault, thread (exit from another
// thread),
//                             cancelled (in cuInit, with a cancellation pending), destructor (a static object
//                             launches 50 more while it is destroyed), nosync (return without waiting for the GPU),
//                             destroyed (context destroyed before the end), working (exit while another thread
//                             launches)
#include <cuda.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace {

void Launch(const workload::DeviceCode& code, CUdeviceptr data, int count) {
  workload::KernelArguments arguments(data, 16);
  for (int i = 0; i < count; ++i) {
    CHECK_CUDA(cuLaunchKernel(code["work"], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
  }
}

// Made before cuInit, so destroyed after everything that cuInit registered for the end.
struct LaunchesWhenDestroyed {
  ~LaunchesWhenDestroyed() {
    if (code != nullptr) Launch(*code, data, 50);
  }
  const workload::DeviceCode* code = nullptr;
  CUdeviceptr data = 0;
} g_last;

void* InitializeCancelled(void*) {
  pthread_cancel(pthread_self());
  cuInit(0);
  pthread_testcancel();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "return";
  if (how == "cancelled") {
    pthread_t thread;
    void* result = nullptr;
    pthread_create(&thread, nullptr, &InitializeCancelled, nullptr);
    pthread_join(thread, &result);
    std::printf("cancelled: %d\n", result == PTHREAD_CANCELED);
    return 12;
  }
  CUdevice device;
  CUcontext context;
  CUdeviceptr data;
  CHECK_CUDA(cuInit(0));
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuMemAlloc(&data, 4096));
  static const auto* const code = new workload::DeviceCode({"work"});
  Launch(*code, data, 100);
  if (how != "nosync") CHECK_CUDA(cuCtxSynchronize());
  std::printf("ending by %s\n", how.c_str());
  std::fflush(stdout);
  if (how == "destructor") {
    g_last.code = code;
    g_last.data = data;
    return 11;
  }
  if (how == "exit") std::exit(7);
  if (how == "_exit") _exit(8);
  if (how == "quick_exit") std::quick_exit(9);
  if (how == "abort") std::abort();
  if (how == "throw") throw std::runtime_error("nobody catches this");
  if (how == "kill") raise(SIGKILL);
  if (how == "segfault") raise(SIGSEGV);
  if (how == "thread") {
    std::thread([] { std::exit(10); }).join();
  }
  if (how == "destroyed") CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  if (how == "working") {
    static std::atomic<int> launched{0};
    std::thread([context, data] {
      CHECK_CUDA(cuCtxSetCurrent(context));
      for (;;) {
        Launch(*code, data, 1);
        launched.fetch_add(1);
      }
    }).detach();
    while (launched.load() < 1000) std::this_thread::yield();
    std::exit(11);
  }
  return 0;
}
