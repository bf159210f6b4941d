// SPDX-License-Identifier: Apache-2.0
// Calls CUDA from threads in all the ways that make the recorder do different things, also some that show it code for
// the first time long after the thread's first event. Run with libhot_path_counter.so, which counts what that costs.
//
// usage: hot_path [ordinary | jit | replaced | signal_stack | graphs_first | buffers | many_threads]
#include <cuda.h>
#include <dlfcn.h>
#include <nvtx3/nvToolsExt.h>
#include <sys/mman.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "include/migprof/migprof.h"

extern "C" {
__attribute__((weak)) void hot_path_open_range();
__attribute__((weak)) void hot_path_close();
}

namespace {

CUcontext g_context;
const workload::DeviceCode* g_code;

// Everything inside is done by migprof.
class RangeWindow {
 public:
  RangeWindow() {
    if (hot_path_open_range != nullptr) hot_path_open_range();
  }
  ~RangeWindow() {
    if (hot_path_close != nullptr) hot_path_close();
  }
};

class Worker {
 public:
  Worker() {
    CHECK_CUDA(cuCtxSetCurrent(g_context));
    CHECK_CUDA(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&data_, 1 << 16));
  }
  ~Worker() {
    CHECK_CUDA(cuStreamSynchronize(stream_));
    CHECK_CUDA(cuMemFree(data_));
    CHECK_CUDA(cuStreamDestroy(stream_));
  }

  void Launch() {
    workload::KernelArguments arguments(data_, 16);
    CHECK_CUDA(cuLaunchKernel((*g_code)["work"], 64, 1, 1, 128, 1, 1, 0, stream_, arguments.pointers(), nullptr));
  }
  static void LaunchOf(void* self) { static_cast<Worker*>(self)->Launch(); }

  void ChangingDepths() {
    for (int round = 0; round < 3; ++round) {
      for (const int depth : {0, 1, 2, 5, 5, 40, 3, 300, 300, 299, 600, 1}) Descend(depth);
    }
    try {
      DescendAndThrow(20);
    } catch (int) {
      Launch();
    }
  }

  void Copies() {
    char host[256] = {};
    for (int i = 0; i < 5; ++i) {
      CHECK_CUDA(cuMemcpyHtoDAsync(data_, host, sizeof(host), stream_));
      CHECK_CUDA(cuMemcpyDtoD(data_ + 1024, data_, sizeof(host)));
      CHECK_CUDA(cuMemcpyDtoH(host, data_, sizeof(host)));
      CHECK_CUDA(cuMemsetD8Async(data_, 1, 4096, stream_));
      CUdeviceptr more;
      CHECK_CUDA(cuMemAlloc(&more, 4096 << i));
      CHECK_CUDA(cuMemFree(more));
    }
    // Fails: the outcome is recorded too.
    if (cuMemcpyHtoD(data_, nullptr, 256) == CUDA_SUCCESS) std::abort();
    if (cuLaunchKernel((*g_code)["work"], 0, 1, 1, 1, 1, 1, 0, stream_, nullptr, nullptr) == CUDA_SUCCESS) std::abort();
  }

  void Ranges() {
    for (int round = 0; round < 3; ++round) {
      nvtxDomainHandle_t domain;
      nvtxEventAttributes_t attributes = {};
      attributes.version = NVTX_VERSION;
      attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
      attributes.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
      nvtxRangeId_t started;
      {
        const RangeWindow window;
        nvtxRangePushA("outer");
        nvtxRangePushW(L"inner \u00e9");
        started = nvtxRangeStartA("started");
        migprof_push("own");
      }
      {
        const RangeWindow window;
        domain = nvtxDomainCreateA("domain");
        attributes.message.registered = nvtxDomainRegisterStringA(domain, "registered");
        nvtxDomainRangePushEx(domain, &attributes);
      }
      Launch();
      for (int i = 0; i < 100; ++i) {  // names that were never seen; more of them than may be open
        const RangeWindow window;
        char name[32];
        nvtxRangePushA(
            (std::strcpy(name, "name xx"), name[5] = char('a' + i % 26), name[6] = char('a' + i / 26), name));
      }
      Launch();
      const RangeWindow window;
      for (int i = 0; i < 100; ++i) nvtxRangePop();
      nvtxDomainRangePop(domain);
      nvtxRangeEnd(started);
      migprof_pop();
      nvtxRangePop();
      nvtxRangePop();
      nvtxRangePop();  // none is left
    }
  }

  void Graphs() {
    for (int round = 0; round < 3; ++round) {
      CUgraph graph, clone;
      CUgraphExec executable;
      CHECK_CUDA(cuStreamBeginCapture(stream_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
      for (int i = 0; i < 10; ++i) Descend(i);
      CHECK_CUDA(cuMemsetD8Async(data_, 1, 4096, stream_));
      CHECK_CUDA(cuStreamEndCapture(stream_, &graph));
      CHECK_CUDA(cuGraphClone(&clone, graph));
      CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
      for (int i = 0; i < 5; ++i) CHECK_CUDA(cuGraphLaunch(executable, stream_));
      CUgraphExecUpdateResultInfo info;
      CHECK_CUDA(cuGraphExecUpdate(executable, clone, &info));
      CHECK_CUDA(cuGraphLaunch(executable, stream_));
      CHECK_CUDA(cuGraphExecDestroy(executable));
      CHECK_CUDA(cuGraphDestroy(clone));
      CHECK_CUDA(cuGraphDestroy(graph));
    }
  }

  // Through libraries that were not there when the thread began. They stay.
  void NewLibraries() {
    for (const char* file : {HOT_PATH_SMALL_FRAMES, HOT_PATH_LARGE_FRAMES}) Through(file);
  }

  // Through libraries that take each other's place faster than anybody can notice.
  void ReplacedLibraries() {
    for (int round = 0; round < 10; ++round) {
      for (const char* file : {HOT_PATH_SMALL_FRAMES, HOT_PATH_LARGE_FRAMES}) dlclose(Through(file));
    }
  }

  // Through code that has no unwind information.
  void MadeCode() {
    // void made(void (*callee)(void*), void* argument) { callee(argument); }, with a frame pointer.
    constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8,
                                       0x48, 0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3};
    void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(page, kCode, sizeof(kCode));
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) std::abort();
    const auto made = reinterpret_cast<void (*)(void (*)(void*), void*)>(page);
    for (int i = 0; i < 10; ++i) made(&LaunchOf, this);
  }

 private:
  void* Through(const char* file) {
    void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) std::abort();
    using Call = void (*)(void (*)(void*), void*);
    const auto call = reinterpret_cast<Call>(dlsym(library, "migprof_test_call"));
    for (int i = 0; i < 3; ++i) call(&LaunchOf, this);
    return library;
  }
  __attribute__((noinline)) void Descend(int left) {
    if (left == 0) return Launch();
    Descend(left - 1);
    asm volatile("" ::: "memory");  // no tail call
  }
  __attribute__((noinline)) void DescendAndThrow(int left) {
    if (left == 0) {
      Launch();
      throw 1;
    }
    DescendAndThrow(left - 1);
    asm volatile("" ::: "memory");
  }

  CUstream stream_;
  CUdeviceptr data_;
};

void Ordinary() {
  Worker worker;
  for (int round = 0; round < 2; ++round) {
    worker.ChangingDepths();
    worker.Copies();
    worker.Ranges();
    worker.Graphs();
    worker.NewLibraries();
  }
}

void Jit() {
  Worker worker;
  worker.Launch();
  worker.MadeCode();
}

void Replaced() {
  Worker worker;
  worker.Launch();
  worker.ReplacedLibraries();
}

Worker* g_in_signal;

// A handler on a stack of its own launches.
void SignalStack() {
  Worker worker;
  worker.Launch();
  g_in_signal = &worker;
  static char memory[256 * 1024];
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = sizeof(memory);
  struct sigaction action = {};
  action.sa_handler = [](int) { g_in_signal->Launch(); };
  action.sa_flags = SA_ONSTACK;
  if (sigaltstack(&stack, nullptr) != 0 || sigaction(SIGUSR1, &action, nullptr) != 0) std::abort();
  for (int i = 0; i < 10; ++i) raise(SIGUSR1);
}

// The thread's first event is about the nodes of a graph, the second is a launch.
void GraphsFirst() {
  CHECK_CUDA(cuCtxSetCurrent(g_context));
  CUgraph graph;
  CHECK_CUDA(cuGraphCreate(&graph, 0));
  CHECK_CUDA(cuGraphDestroy(graph));
  Worker worker;
  worker.Launch();
  worker.Graphs();
}

// More records than CUPTI's buffers hold before they are given back.
void Buffers() {
  Worker worker;
  for (int i = 0; i < 20000; ++i) worker.Launch();
}

// CUPTI has a buffer for each thread, and gives all of them back when it is asked to flush.
void Sleeper() {
  Worker worker;
  for (int i = 0; i < 8; ++i) {
    worker.Launch();
    std::this_thread::sleep_for(std::chrono::milliseconds(75));
  }
}

void OnThreads(int count, void (*work)()) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

void OnTwoThreadsAndThisOne(void (*work)()) {
  OnThreads(2, work);
  work();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "ordinary";
  nvtxInitialize(nullptr);  // NVTX looks for its tool here, and not in a window
  migprof_push("looks for the recorder, once");
  migprof_pop();
  CUdevice device;
  CHECK_CUDA(cuInit(0));
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&g_context, device));
  CHECK_CUDA(cuCtxSetCurrent(g_context));
  g_code = new workload::DeviceCode({"work"});
  if (what == "jit") {
    Jit();
  } else if (what == "many_threads") {
    OnThreads(40, &Sleeper);
  } else if (what == "replaced") {
    Replaced();
  } else if (what == "signal_stack") {
    SignalStack();
  } else if (what == "graphs_first") {
    OnTwoThreadsAndThisOne(&GraphsFirst);
  } else if (what == "buffers") {
    OnTwoThreadsAndThisOne(&Buffers);
  } else {
    OnTwoThreadsAndThisOne(&Ordinary);
  }
  CHECK_CUDA(cuCtxSynchronize());
  std::puts("done");
  return 0;
}
