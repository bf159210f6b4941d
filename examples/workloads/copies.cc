// SPDX-License-Identifier: Apache-2.0
// Nothing but memory: copies in every direction, pageable and pinned, synchronous and not, memsets, allocations and
// pools.
//
// usage: copies [--device N] [--rounds N]
#include <cuda.h>

#include <cstdio>
#include <vector>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/call_site.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/host_work.h"

namespace {

constexpr size_t kBytes = 1 << 20;

__attribute__((noinline)) void CopyPageable(CUdeviceptr device) {
  std::vector<char> host(kBytes);
  LOGGED_CALL("memcpy HtoD", CHECK_CUDA(cuMemcpyHtoD(device, host.data(), kBytes)));
  LOGGED_CALL("memcpy DtoH", CHECK_CUDA(cuMemcpyDtoH(host.data(), device, kBytes)));
}

__attribute__((noinline)) void CopyPinned(CUdeviceptr device, CUstream stream) {
  void* host;
  CHECK_CUDA(cuMemAllocHost(&host, kBytes));
  LOGGED_CALL("memcpy HtoD", CHECK_CUDA(cuMemcpyHtoDAsync(device, host, kBytes, stream)));
  LOGGED_CALL("memcpy DtoH", CHECK_CUDA(cuMemcpyDtoHAsync(host, device, kBytes / 2, stream)));
  CHECK_CUDA(cuStreamSynchronize(stream));
  CHECK_CUDA(cuMemFreeHost(host));
}

__attribute__((noinline)) void CopyOnDevice(CUdeviceptr from, CUdeviceptr to, CUstream stream) {
  LOGGED_CALL("memcpy DtoD", CHECK_CUDA(cuMemcpyDtoDAsync(to, from, kBytes, stream)));
  LOGGED_CALL("memset", CHECK_CUDA(cuMemsetD32Async(to, 7, kBytes / 4, stream)));
  CHECK_CUDA(cuStreamSynchronize(stream));
}

__attribute__((noinline)) void UsePool(CUstream stream) {
  CUdeviceptr block;
  CHECK_CUDA(cuMemAllocAsync(&block, kBytes, stream));
  LOGGED_CALL("memset", CHECK_CUDA(cuMemsetD8Async(block, 1, kBytes, stream)));
  CHECK_CUDA(cuMemFreeAsync(block, stream));
}

}  // namespace

int main(int argc, char** argv) {
  const int device_ordinal = workload::NumberOption(argc, argv, "--device", 0);
  const int rounds = workload::NumberOption(argc, argv, "--rounds", 20);

  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, device_ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CUstream stream;
  CUdeviceptr first;
  CUdeviceptr second;
  CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  CHECK_CUDA(cuMemAlloc(&first, kBytes));
  CHECK_CUDA(cuMemAlloc(&second, kBytes));
  for (int round = 0; round < rounds; ++round) {
    CopyPageable(first);
    CopyPinned(first, stream);
    CopyOnDevice(first, second, stream);
    UsePool(stream);
    workload::HostWork(50'000);
  }
  CHECK_CUDA(cuCtxSynchronize());
  CHECK_CUDA(cuMemFree(second));
  CHECK_CUDA(cuMemFree(first));
  CHECK_CUDA(cuStreamDestroy(stream));
  std::printf("%d rounds of copies\n", rounds);
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
