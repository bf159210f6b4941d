// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

CUcontext Current() {
  CUcontext context = nullptr;
  EXPECT_CUDA(cuCtxGetCurrent(&context));
  return context;
}

TEST(Context, StackOfAThread) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    EXPECT_EQ(Current(), nullptr);
    CUcontext first, second, popped = nullptr;
    EXPECT_CUDA(cuCtxCreate(&first, nullptr, 0, 0));
    EXPECT_CUDA(cuCtxCreate(&second, nullptr, 0, 1));
    EXPECT_EQ(Current(), second);
    EXPECT_CUDA(cuCtxPopCurrent(&popped));
    EXPECT_EQ(popped, second);
    EXPECT_EQ(Current(), first);
    EXPECT_CUDA(cuCtxPushCurrent(second));
    EXPECT_CUDA(cuCtxSetCurrent(first));
    EXPECT_EQ(Current(), first);
    EXPECT_CUDA(cuCtxSetCurrent(nullptr));
    EXPECT_EQ(Current(), first) << "setting none pops";
    std::thread([] { EXPECT_EQ(Current(), nullptr) << "each thread has its own"; }).join();
    CUdevice device = -1;
    EXPECT_CUDA(cuCtxGetDevice(&device));
    EXPECT_EQ(device, 0);
  });
}

TEST(Context, WithoutOneCallsSaySo) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    CUstream stream;
    CUdeviceptr memory = 0;
    CUmodule module;
    CUevent event;
    EXPECT_EQ(cuStreamCreate(&stream, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuMemAlloc(&memory, 1), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuModuleLoadData(&module, kKernelsPtx), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuEventCreate(&event, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuCtxPopCurrent(nullptr), CUDA_ERROR_INVALID_CONTEXT);
  });
}

TEST(Context, DestroyedOneIsFoundDestroyed) {
  InChild([] {
    const GpuProgram gpu;
    std::thread other([&] {
      EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
      EXPECT_CUDA(cuCtxDestroy(gpu.context));
      EXPECT_EQ(Current(), nullptr);
    });
    other.join();
    EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(gpu.Launch(gpu.alpha, gpu.stream), CUDA_ERROR_INVALID_HANDLE) << "its stream went with it";
    EXPECT_EQ(cuCtxDestroy(gpu.context), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(cuCtxSetCurrent(gpu.context), CUDA_ERROR_INVALID_CONTEXT);
  });
}

TEST(Context, DestroyingGivesItsMemoryBack) {
  InChild([] {
    size_t before = 0, after = 0, total = 0;
    const GpuProgram keeper;
    EXPECT_CUDA(cuMemGetInfo(&before, &total));
    const GpuProgram gpu;
    gpu.Allocate(1 << 20);
    EXPECT_CUDA(cuCtxDestroy(gpu.context));
    EXPECT_EQ(Current(), keeper.context);
    EXPECT_CUDA(cuMemGetInfo(&after, &total));
    EXPECT_EQ(before, after);
  });
}

TEST(PrimaryContext, LivesAsLongAsItIsRetained) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    unsigned flags = 9;
    int active = 1;
    EXPECT_CUDA(cuDevicePrimaryCtxGetState(0, &flags, &active));
    EXPECT_EQ(active, 0);
    CUcontext first, second;
    EXPECT_CUDA(cuDevicePrimaryCtxRetain(&first, 0));
    EXPECT_CUDA(cuDevicePrimaryCtxRetain(&second, 0));
    EXPECT_EQ(first, second);
    EXPECT_EQ(Current(), nullptr);
    EXPECT_CUDA(cuCtxSetCurrent(first));
    EXPECT_EQ(cuCtxDestroy(first), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_CUDA(cuDevicePrimaryCtxRelease(0));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUDA(cuDevicePrimaryCtxRelease(0));
    EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    EXPECT_EQ(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);
  });
}

TEST(Context, VersionsOfCreateAndTheirVersions) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    void* create = nullptr;
    EXPECT_CUDA(cuGetProcAddress_v2("cuCtxCreate", &create, 3020, CU_GET_PROC_ADDRESS_DEFAULT, nullptr));
    CUcontext context;
    EXPECT_CUDA(reinterpret_cast<CUresult (*)(CUcontext*, unsigned, CUdevice)>(create)(&context, 0, 0));
    unsigned version = 0;
    EXPECT_CUDA(cuCtxGetApiVersion(context, &version));
    EXPECT_EQ(version, 3020u);
    EXPECT_EQ(cuCtxCreate(&context, nullptr, 0xf0000, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuCtxCreate(&context, nullptr, 0, 99), CUDA_ERROR_INVALID_DEVICE);
  });
}

TEST(Context, LimitsAndFlagsAreKept) {
  InChild([] {
    const GpuProgram gpu;
    size_t value = 0;
    EXPECT_CUDA(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
    EXPECT_EQ(value, 1024u);
    EXPECT_CUDA(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096));
    EXPECT_CUDA(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
    EXPECT_EQ(value, 4096u);
    EXPECT_EQ(cuCtxSetLimit(CU_LIMIT_MAX, 1), CUDA_ERROR_UNSUPPORTED_LIMIT);
    unsigned flags = 9;
    EXPECT_CUDA(cuCtxSetFlags(CU_CTX_SCHED_YIELD));
    EXPECT_CUDA(cuCtxGetFlags(&flags));
    EXPECT_EQ(flags, unsigned{CU_CTX_SCHED_YIELD});
  });
}

}  // namespace
}  // namespace simgpu::test
