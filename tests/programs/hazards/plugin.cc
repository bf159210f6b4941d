// SPDX-License-Identifier: Apache-2.0
// A library that launches, and launches once more while it is unloaded.
#include <cuda.h>

namespace {

CUfunction g_kernel;
CUdeviceptr g_data;

void Launch() {
  unsigned rounds = 16;
  void* arguments[] = {&g_data, &rounds};
  cuLaunchKernel(g_kernel, 64, 1, 1, 128, 1, 1, 0, nullptr, arguments, nullptr);
}

__attribute__((destructor)) void OnUnload() {
  if (g_kernel != nullptr) Launch();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void plugin_launch(CUfunction kernel, CUdeviceptr data, int count) {
  g_kernel = kernel;
  g_data = data;
  for (int i = 0; i < count; ++i) Launch();
}
