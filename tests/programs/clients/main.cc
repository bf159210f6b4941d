// SPDX-License-Identifier: Apache-2.0
// A program in which another CUPTI client comes and goes. Obeys its arguments one after the other, and prints what each
// function of the client returned:
//   launch N, long (a kernel that may take minutes), sync, stream-sync, wait MS, capture (a graph of three
//   kernels), replay N, background T (threads that launch until the end), init (cuInit again), migprof-start,
//   migprof-stop, migprof-flush, and the functions of client.h: subscribe, unsubscribe, start, stop, stop-softly,
//   zeroed, disable-kernels, finalize, teardown, callbacks-on, callbacks-off.
// At its end it prints what the client got.
//
// usage: cupti_clients CLIENT.SO COMMAND…
#include <cuda.h>
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "include/migprof/migprof.h"

namespace {

const char* g_path;

// Loaded when it is first used, as PyTorch is by `import torch`.
template <typename Result = int, typename... Arguments>
Result Client(const char* function, Arguments... arguments) {
  static void* const library = dlopen(g_path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(2);
  }
  return reinterpret_cast<Result (*)(Arguments...)>(dlsym(library, function))(arguments...);
}

struct Gpu {
  Gpu() {
    CUdevice device;
    CHECK_CUDA(cuInit(0));
    CHECK_CUDA(cuDeviceGet(&device, 0));
    CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
    CHECK_CUDA(cuCtxSetCurrent(context));
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    code = new workload::DeviceCode({"work", "long_work"});
  }
  void Launch(const char* kernel) const {
    workload::KernelArguments arguments(0, 16);
    CHECK_CUDA(cuLaunchKernel((*code)[kernel], 8, 1, 1, 64, 1, 1, 0, stream, arguments.pointers(), nullptr));
  }
  // A graph of three kernels, captured here.
  void Capture() {
    CUgraph graph;
    CHECK_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    for (int i = 0; i < 3; ++i) Launch("work");
    CHECK_CUDA(cuStreamEndCapture(stream, &graph));
    CHECK_CUDA(cuGraphInstantiateWithFlags(&executable, graph, 0));
  }
  // Launches and synchronizes until the program ends.
  void LaunchForever() const {
    CHECK_CUDA(cuCtxSetCurrent(context));
    while (!over) {
      for (int i = 0; i < 5; ++i) Launch("work");
      CHECK_CUDA(cuStreamSynchronize(stream));
    }
  }
  std::atomic<bool> over{false};
  CUgraphExec executable;
  CUcontext context;
  CUstream stream;
  workload::DeviceCode* code;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  g_path = argv[1];
  static Gpu& gpu = *new Gpu;  // outlives everything
  std::vector<std::thread> background;
  const auto say = [](const std::string& what, int result) { std::printf("%s %d\n", what.c_str(), result); };
  bool used = false;
  for (int i = 2; i < argc; ++i) {
    const std::string command = argv[i];
    const auto number = [&] { return ++i < argc ? std::atoi(argv[i]) : 0; };
    if (command == "launch") {
      for (int left = number(); left > 0; --left) gpu.Launch("work");
    } else if (command == "long") {
      gpu.Launch("long_work");
    } else if (command == "sync") {
      CHECK_CUDA(cuCtxSynchronize());
    } else if (command == "stream-sync") {
      CHECK_CUDA(cuStreamSynchronize(gpu.stream));
    } else if (command == "wait") {
      usleep(static_cast<useconds_t>(number()) * 1000);
    } else if (command == "capture") {
      gpu.Capture();
    } else if (command == "replay") {
      for (int left = number(); left > 0; --left) CHECK_CUDA(cuGraphLaunch(gpu.executable, gpu.stream));
    } else if (command == "background") {
      for (int left = number(); left > 0; --left) background.emplace_back([] { gpu.LaunchForever(); });
    } else if (command == "init") {
      CHECK_CUDA(cuInit(0));
    } else if (command == "migprof-start") {
      say(command, migprof_start());
    } else if (command == "migprof-flush") {
      say(command, migprof_flush());
    } else if (command == "migprof-stop") {
      say(command, migprof_stop());
    } else {
      used = true;
      say(command, command == "subscribe"         ? Client("client_subscribe")
                   : command == "unsubscribe"     ? Client("client_unsubscribe")
                   : command == "start"           ? Client("client_start")
                   : command == "stop"            ? Client("client_stop")
                   : command == "stop-softly"     ? Client("client_stop_softly")
                   : command == "zeroed"          ? Client("client_zeroed")
                   : command == "disable-kernels" ? Client("client_disable_kernels")
                   : command == "finalize"        ? Client("client_finalize")
                   : command == "teardown"        ? Client("client_teardown")
                   : command == "callbacks-on"    ? Client("client_enable_launches", 1)
                   : command == "callbacks-off"   ? Client("client_enable_launches", 0)
                                                  : -1);
    }
  }
  gpu.over = true;
  for (std::thread& thread : background) thread.join();
  CHECK_CUDA(cuCtxSynchronize());
  if (used) {
    std::printf("kernels %ld strangers %ld launches %ld\n", Client<long>("client_kernels"),
                Client<long>("client_strangers"), Client<long>("client_launches"));
  }
  return 0;
}
