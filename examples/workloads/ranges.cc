// SPDX-License-Identifier: Apache-2.0
// A program that says what it is doing, with NVTX and with migprof's own header. Each piece of work is a memset whose
// size, in bytes, tells it apart.
//
// usage: ranges [--device N]
#include <cuda.h>
#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <thread>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/check.h"
#include "include/migprof/migprof.h"

namespace {

nvtxEventAttributes_t Attributes() {
  nvtxEventAttributes_t attributes = {};
  attributes.version = NVTX_VERSION;
  attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  return attributes;
}

nvtxEventAttributes_t Named(const char* name) {
  nvtxEventAttributes_t attributes = Attributes();
  attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
  attributes.message.ascii = name;
  return attributes;
}

nvtxEventAttributes_t Named(nvtxStringHandle_t name) {
  nvtxEventAttributes_t attributes = Attributes();
  attributes.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
  attributes.message.registered = name;
  return attributes;
}

__attribute__((noinline)) void Work(CUdeviceptr data, size_t bytes) { CHECK_CUDA(cuMemsetD8(data, 0, bytes)); }

void PushAndPop(CUdeviceptr data) {
  nvtxRangePushA("outer");
  Work(data, 1);
  nvtxRangePushW(L"inner \u00e9\u20ac");
  Work(data, 2);
  nvtxRangePop();
  migprof_push("own");
  Work(data, 3);
  nvtxRangePop();  // of "outer": the two do not know each other
  Work(data, 4);
  migprof_pop();
  Work(data, 5);
}

void Domains(CUdeviceptr data) {
  const nvtxDomainHandle_t domain = nvtxDomainCreateA("NCCL");
  const nvtxStringHandle_t name = nvtxDomainRegisterStringA(domain, "registered");
  const nvtxEventAttributes_t registered = Named(name);
  const nvtxEventAttributes_t plain = Named("plain");
  nvtxDomainRangePushEx(domain, &registered);
  nvtxRangePushEx(&plain);
  Work(data, 6);
  nvtxDomainRangePop(domain);
  Work(data, 7);
  nvtxRangePop();
  nvtxDomainDestroy(domain);
}

void StartAndEnd(CUdeviceptr data, CUcontext context) {
  const nvtxRangeId_t epoch = nvtxRangeStartA("epoch");
  nvtxRangePushA("step");
  Work(data, 8);
  std::thread([&] {
    CHECK_CUDA(cuCtxSetCurrent(context));
    Work(data, 9);  // the range is open, but of the other thread
    nvtxRangeEnd(epoch);
  }).join();
  Work(data, 10);
  nvtxRangePop();
  Work(data, 11);
}

void TooDeep(CUdeviceptr data) {
  for (int i = 0; i < 70; ++i) nvtxRangePushA("deep");
  Work(data, 12);
  for (int i = 0; i < 70; ++i) nvtxRangePop();
  Work(data, 13);
}

}  // namespace

int main(int argc, char** argv) {
  nvtxRangePushA("whole program");  // before anything of CUDA
  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CUdeviceptr data;
  CHECK_CUDA(cuDeviceGet(&device, workload::NumberOption(argc, argv, "--device", 0)));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuMemAlloc(&data, 4096));
  PushAndPop(data);
  nvtxRangePop();
  Domains(data);
  StartAndEnd(data, context);
  TooDeep(data);
  CHECK_CUDA(cuCtxSynchronize());
  CHECK_CUDA(cuMemFree(data));
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  std::printf("said what it did\n");
  return 0;
}
