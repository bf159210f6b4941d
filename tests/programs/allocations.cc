// SPDX-License-Identifier: Apache-2.0
// Device memory of every kind, taken and given back in a tangle, with kernels of several shapes between. What is kept
// at the end stays.
//
// usage: allocations [--seed N] [--steps N]
#include <cuda.h>

#include <cstddef>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "examples/workloads/common/host_work.h"

namespace {

enum class Kind { kPlain, kAsync, kPool, kManaged, kHost };
constexpr int kKinds = 5;

struct Block {
  CUdeviceptr address = 0;
  Kind kind = Kind::kPlain;
};

__attribute__((noinline)) void TakePlain(CUdeviceptr* address, size_t bytes) { CHECK_CUDA(cuMemAlloc(address, bytes)); }
__attribute__((noinline)) void TakeManaged(CUdeviceptr* address, size_t bytes) {
  CHECK_CUDA(cuMemAllocManaged(address, bytes, CU_MEM_ATTACH_GLOBAL));
}
__attribute__((noinline)) void TakeAsync(CUdeviceptr* address, size_t bytes, CUstream stream) {
  CHECK_CUDA(cuMemAllocAsync(address, bytes, stream));
}
__attribute__((noinline)) void TakeFromPool(CUdeviceptr* address, size_t bytes, CUmemoryPool pool, CUstream stream) {
  CHECK_CUDA(cuMemAllocFromPoolAsync(address, bytes, pool, stream));
}

Block Take(Kind kind, size_t bytes, CUmemoryPool pool, CUstream stream) {
  Block block{0, kind};
  switch (kind) {
    case Kind::kPlain:
      TakePlain(&block.address, bytes);
      break;
    case Kind::kManaged:
      TakeManaged(&block.address, bytes);
      break;
    case Kind::kAsync:
      TakeAsync(&block.address, bytes, stream);
      break;
    case Kind::kPool:
      TakeFromPool(&block.address, bytes, pool, stream);
      break;
    case Kind::kHost: {
      void* host = nullptr;
      CHECK_CUDA(cuMemAllocHost(&host, bytes));
      block.address = reinterpret_cast<CUdeviceptr>(host);
      break;
    }
  }
  return block;
}

void GiveBack(const Block& block, CUstream stream) {
  if (block.kind == Kind::kHost) {
    CHECK_CUDA(cuMemFreeHost(reinterpret_cast<void*>(block.address)));
  } else if (block.kind == Kind::kAsync || block.kind == Kind::kPool) {
    CHECK_CUDA(cuMemFreeAsync(block.address, stream));
  } else {
    CHECK_CUDA(cuMemFree(block.address));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(static_cast<unsigned>(workload::NumberOption(argc, argv, "--seed", 1)));
  const int steps = workload::NumberOption(argc, argv, "--steps", 200);
  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CUstream stream;
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  CUmemPoolProps properties = {};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemoryPool pool;
  CHECK_CUDA(cuMemPoolCreate(&pool, &properties));
  const std::vector<std::string> names = {"_Z4axpyifPKfPf", "_Z10hmma_blockPKfPf", "reduce"};
  const workload::DeviceCode code(names);
  CUdeviceptr data;
  CHECK_CUDA(cuMemAlloc(&data, 4096));
  {
    workload::KernelArguments arguments(data, 1);
    std::vector<Block> blocks;
    for (int step = 0; step < steps; ++step) {
      if (blocks.size() < 4 || random() % 2 == 0) {
        blocks.push_back(Take(static_cast<Kind>(random() % kKinds), 256 * (1 + random() % 4000), pool, stream));
      } else {
        const size_t which = random() % blocks.size();
        GiveBack(blocks[which], stream);
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(which));
      }
      if (random() % 3 == 0) CHECK_CUDA(cuMemsetD8Async(data, 1, 4096, stream));
      CHECK_CUDA(cuLaunchKernel(code[names[random() % names.size()]], 1 + random() % 300, 1 + random() % 2, 1,
                                32u << random() % 5, 1, 1, 1024 * (random() % 20), stream, arguments.pointers(),
                                nullptr));
      workload::HostWork(10'000 + random() % 50'000);
      if (step == steps / 2) CHECK_CUDA(cuMemPoolTrimTo(pool, 0));
    }
  }
  CHECK_CUDA(cuStreamSynchronize(stream));
  std::printf("%d steps\n", steps);
  return 0;
}
