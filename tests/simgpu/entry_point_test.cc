// SPDX-License-Identifier: Apache-2.0
// Which functions there are, what the others answer, and how they are looked up.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

TEST(EntryPoint, WhatIsNotSimulatedSaysSoOnce) {
  const ChildResult result = RunInChild({}, [] {
    const GpuProgram gpu;
    CUtexObject texture = 0;
    EXPECT_EQ(cuTexObjectDestroy(texture), CUDA_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(cuTexObjectDestroy(texture), CUDA_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(cudaDestroyTextureObject(texture), cudaErrorNotSupported);
    EXPECT_EQ(cudaDestroyTextureObject(texture), cudaErrorNotSupported);
    EXPECT_EQ(cudaGetLastError(), cudaErrorNotSupported);
  });
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.errors,
            "simgpu: cuTexObjectDestroy is not simulated; it returns CUDA_ERROR_NOT_SUPPORTED\n"
            "simgpu: cudaDestroyTextureObject is not simulated; it returns cudaErrorNotSupported\n");
}

TEST(EntryPoint, EveryVersionCanBeLookedUp) {
  InChild([] {
    struct Lookup {
      const char* name;
      int version;
      const char* exported;
    };
    for (const Lookup& lookup :
         {Lookup{"cuMemAlloc", 2000, "cuMemAlloc"}, Lookup{"cuMemAlloc", 13000, "cuMemAlloc_v2"},
          Lookup{"cuCtxCreate", 11040, "cuCtxCreate_v3"}, Lookup{"cuCtxCreate", 12050, "cuCtxCreate_v4"},
          Lookup{"cuDeviceGetUuid", 9020, "cuDeviceGetUuid"}, Lookup{"cuDeviceGetUuid", 12000, "cuDeviceGetUuid_v2"},
          Lookup{"cuGetProcAddress", 12000, "cuGetProcAddress_v2"}}) {
      void* function = nullptr;
      CUdriverProcAddressQueryResult status;
      EXPECT_CUDA(cuGetProcAddress_v2(lookup.name, &function, lookup.version, CU_GET_PROC_ADDRESS_DEFAULT, &status));
      EXPECT_EQ(function, dlsym(RTLD_DEFAULT, lookup.exported)) << lookup.exported;
      EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SUCCESS);
    }
    void* function = nullptr;
    CUdriverProcAddressQueryResult status;
    EXPECT_EQ(cuGetProcAddress_v2("cuFrobnicate", &function, 13000, 0, &status), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
    EXPECT_EQ(cuGetProcAddress_v2("cuGraphCreate", &function, 9000, 0, &status), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
    EXPECT_EQ(cuGetProcAddress_v2("", &function, 13000, 0, &status), CUDA_ERROR_NOT_FOUND);
  });
}

TEST(EntryPoint, PrivateTablesAreNotThere) {
  InChild([] {
    const void* table = &table;
    const CUuuid id = {};
    EXPECT_EQ(cuGetExportTable(&table, &id), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(table, nullptr);
  });
}

TEST(EntryPoint, ErrorsHaveNames) {
  InChild([] {
    const char* text = nullptr;
    EXPECT_CUDA(cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &text));
    EXPECT_STREQ(text, "CUDA_ERROR_OUT_OF_MEMORY");
    EXPECT_CUDA(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text));
    EXPECT_STREQ(text, "out of memory");
    EXPECT_EQ(cuGetErrorName(static_cast<CUresult>(1001), &text), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(text, nullptr);
    EXPECT_STREQ(cudaGetErrorName(cudaErrorInvalidValue), "cudaErrorInvalidValue");
    EXPECT_STREQ(cudaGetErrorString(cudaSuccess), "no error");
  });
}

}  // namespace
}  // namespace simgpu::test
