// SPDX-License-Identifier: Apache-2.0
// Loading code: PTX, and what nvcc made of kernels.cu.
#include <cuda.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "image/fat_binary.h"
#include "image/module_image.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

// A file nvcc made for these tests. Skips the test, loudly, where there is no nvcc.
#ifdef SIMGPU_TEST_IMAGES
std::string ImageFile(const std::string& name) { return std::string(SIMGPU_TEST_IMAGES) + "/" + name; }
#define REQUIRE_NVCC()
#else
std::string ImageFile(const std::string&) { return ""; }
#define REQUIRE_NVCC() GTEST_SKIP() << "no nvcc: nothing that it compiles is tested"
#endif

std::vector<uint8_t> ReadBytes(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

int Attribute(CUfunction function, CUfunction_attribute attribute) {
  int value = -1;
  EXPECT_CUDA(cuFuncGetAttribute(&value, attribute, function));
  return value;
}

TEST(Ptx, KernelsAreFoundByName) {
  InChild([] {
    const GpuProgram gpu;
    CUfunction function = nullptr;
    EXPECT_EQ(cuModuleGetFunction(&function, gpu.module, "delta"), CUDA_ERROR_NOT_FOUND);
    EXPECT_EQ(cuModuleGetFunction(&function, gpu.module, "not_a_kernel"), CUDA_ERROR_NOT_FOUND) << "only in a comment";
    unsigned count = 0;
    EXPECT_CUDA(cuModuleGetFunctionCount(&count, gpu.module));
    EXPECT_EQ(count, 3u);
    const char* name = nullptr;
    EXPECT_CUDA(cuFuncGetName(&name, gpu.beta));
    EXPECT_STREQ(name, "beta");
  });
}

TEST(Ptx, DeclarationsAreRead) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_EQ(Attribute(gpu.beta, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 128);
    EXPECT_EQ(Attribute(gpu.beta, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 1024);
    EXPECT_EQ(Attribute(gpu.alpha, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
    size_t offset = 0, bytes = 0;
    EXPECT_CUDA(cuFuncGetParamInfo(gpu.alpha, 1, &offset, &bytes));
    EXPECT_EQ(offset, 8u);
    EXPECT_EQ(bytes, 4u);
    EXPECT_EQ(cuFuncGetParamInfo(gpu.alpha, 2, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
    CUdeviceptr table = 0;
    EXPECT_CUDA(cuModuleGetGlobal(&table, &bytes, gpu.module, "table"));
    EXPECT_EQ(bytes, 256u);
    EXPECT_CUDA(cuMemsetD8(table, 1, 256));
    EXPECT_EQ(cuModuleGetGlobal(&table, &bytes, gpu.module, "chair"), CUDA_ERROR_NOT_FOUND);
  });
}

TEST(Image, WhatIsNoneIsRefused) {
  InChild([] {
    const GpuProgram gpu;
    CUmodule module = nullptr;
    EXPECT_EQ(cuModuleLoadData(&module, "x"), CUDA_ERROR_INVALID_IMAGE);
    EXPECT_EQ(cuModuleLoadData(&module, "\x01\x02\x03\x04\x05\x06\x07\x08"), CUDA_ERROR_INVALID_IMAGE);
    EXPECT_EQ(cuModuleLoadData(&module, ".version 8.0\n.target frog\n"), CUDA_ERROR_INVALID_PTX);
    EXPECT_EQ(cuModuleLoadData(&module, ".version 8.0\n.target sm_100\n"), CUDA_ERROR_NO_BINARY_FOR_GPU);
    EXPECT_EQ(cuModuleLoad(&module, "/nowhere.cubin"), CUDA_ERROR_FILE_NOT_FOUND);
    EXPECT_EQ(cuModuleLoadData(&module, nullptr), CUDA_ERROR_INVALID_VALUE);
  });
}

TEST(Image, UnloadedModuleIsRecognised) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_CUDA(cuModuleUnload(gpu.module));
    EXPECT_EQ(cuModuleUnload(gpu.module), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(gpu.Launch(gpu.alpha, gpu.stream), CUDA_ERROR_INVALID_HANDLE);
  });
}

TEST(Cubin, TellsWhatKernelsUse) {
  REQUIRE_NVCC();
  InChild([] {
    const GpuProgram gpu;
    CUmodule module = nullptr;
    ASSERT_CUDA(cuModuleLoad(&module, ImageFile("kernels.sm_90.cubin").c_str()));
    CUfunction axpy = nullptr, bounded = nullptr, clustered = nullptr;
    ASSERT_CUDA(cuModuleGetFunction(&axpy, module, "_Z4axpyIfEvT_PKS0_PS0_"));
    ASSERT_CUDA(cuModuleGetFunction(&bounded, module, "_Z7boundedPi"));
    ASSERT_CUDA(cuModuleGetFunction(&clustered, module, "_Z9clusteredPi"));
    EXPECT_EQ(Attribute(axpy, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 1024) << "without what the system reserves";
    EXPECT_EQ(Attribute(bounded, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 0);
    EXPECT_EQ(Attribute(bounded, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 128);
    EXPECT_EQ(Attribute(clustered, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH), 2);
    EXPECT_EQ(Attribute(axpy, CU_FUNC_ATTRIBUTE_BINARY_VERSION), 90);
    const int registers = Attribute(axpy, CU_FUNC_ATTRIBUTE_NUM_REGS);
    EXPECT_GE(registers, 8);
    EXPECT_LE(registers, 64);
    size_t offset = 0, bytes = 0;
    EXPECT_CUDA(cuFuncGetParamInfo(axpy, 2, &offset, &bytes));
    EXPECT_EQ(offset, 16u);
    EXPECT_EQ(bytes, 8u);
    CUdeviceptr counter = 0;
    int value = 0;
    EXPECT_CUDA(cuModuleGetGlobal(&counter, &bytes, module, "counter"));
    EXPECT_CUDA(cuMemcpyDtoH(&value, counter, sizeof(value)));
    EXPECT_EQ(value, 7) << "as initialised in the source";
    EXPECT_CUDA(cuModuleGetGlobal(&counter, &bytes, module, "coefficients"));
    EXPECT_EQ(bytes, 64u);
  });
}

TEST(Cubin, OfAnotherArchitectureIsRefused) {
  REQUIRE_NVCC();
  InChild({Topology("a100-seven-1g")}, [] {
    const GpuProgram gpu;
    CUmodule module = nullptr;
    EXPECT_EQ(cuModuleLoad(&module, ImageFile("kernels.sm_90.cubin").c_str()), CUDA_ERROR_NO_BINARY_FOR_GPU);
    EXPECT_CUDA(cuModuleLoad(&module, ImageFile("kernels.sm_80.cubin").c_str()));
    CUfunction axpy = nullptr;
    ASSERT_CUDA(cuModuleGetFunction(&axpy, module, "_Z4axpyIfEvT_PKS0_PS0_"));
    EXPECT_EQ(Attribute(axpy, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 1024);
  });
}

TEST(FatBinary, BestMemberOfEveryCompressionIsTaken) {
  REQUIRE_NVCC();
  for (const char* const mode : {"none", "speed", "balance", "size"}) {
    const std::string file = ImageFile(std::string("kernels.") + mode + ".fatbin");
    // Has cubins for sm_80 and sm_90, and PTX for later ones.
    for (const auto& [capability, architecture, from_ptx] :
         {std::tuple{80u, 80u, false}, {90u, 90u, false}, {86u, 80u, false}, {100u, 90u, true}}) {
      const std::vector<uint8_t> bytes = ReadBytes(file);
      image::ModuleImage module;
      EXPECT_EQ(image::ReadModuleImage(bytes.data(), capability, &module), image::ImageError::kNone)
          << file << capability;
      EXPECT_EQ(module.architecture, architecture) << file;
      EXPECT_EQ(module.from_ptx, from_ptx) << file;
      EXPECT_GE(module.kernels.size(), 2u) << file;
    }
    const std::vector<uint8_t> bytes = ReadBytes(file);
    image::ModuleImage module;
    EXPECT_EQ(image::ReadModuleImage(bytes.data(), 75, &module), image::ImageError::kNothingForGpu);
  }
}

TEST(FatBinary, DamagedMemberIsRefused) {
  REQUIRE_NVCC();
  for (const char* const mode : {"speed", "size"}) {
    std::vector<uint8_t> bytes = ReadBytes(ImageFile(std::string("kernels.") + mode + ".fatbin"));
    // Everything behind the first headers.
    for (size_t i = 150; i < bytes.size(); i += 7) bytes[i] ^= 0x55;
    image::ModuleImage module;
    EXPECT_NE(image::ReadModuleImage(bytes.data(), 100, &module), image::ImageError::kNone) << mode;
  }
}

TEST(Lz4, DecodesLiteralsAndOverlappingMatches) {
  // "abc", then six bytes from three back, then "z".
  const std::vector<uint8_t> block = {0x32, 'a', 'b', 'c', 3, 0, 0x10, 'z'};
  const auto plain = image::DecompressLz4(block, 10);
  ASSERT_TRUE(plain);
  EXPECT_EQ(std::string(plain->begin(), plain->end()), "abcabcabcz");
  EXPECT_FALSE(image::DecompressLz4(block, 9));
  EXPECT_FALSE(image::DecompressLz4(std::vector<uint8_t>{0x32, 'a', 'b', 'c', 9, 0, 0x10, 'z'}, 10))
      << "from before the start";
  EXPECT_FALSE(image::DecompressLz4(std::vector<uint8_t>{0xf0}, 10)) << "the length is missing";
}

TEST(Library, KernelsBelongToNoContext) {
  InChild([] {
    const GpuProgram gpu;
    CUlibrary library = nullptr;
    CUkernel kernel = nullptr;
    CUfunction function = nullptr, again = nullptr;
    EXPECT_CUDA(cuLibraryLoadData(&library, kKernelsPtx, nullptr, nullptr, 0, nullptr, nullptr, 0));
    EXPECT_CUDA(cuLibraryGetKernel(&kernel, library, "alpha"));
    EXPECT_EQ(cuLibraryGetKernel(&kernel, library, "delta"), CUDA_ERROR_NOT_FOUND);
    EXPECT_CUDA(cuKernelGetFunction(&function, kernel));
    EXPECT_CUDA(cuKernelGetFunction(&again, kernel));
    EXPECT_EQ(function, again);
    EXPECT_CUDA(gpu.Launch(function, gpu.stream));
    EXPECT_CUDA(gpu.Launch(reinterpret_cast<CUfunction>(kernel), gpu.stream)) << "the driver takes one for the other";
    CUdeviceptr table = 0;
    size_t bytes = 0;
    EXPECT_CUDA(cuLibraryGetGlobal(&table, &bytes, library, "table"));
    EXPECT_EQ(bytes, 256u);
    // In a second context it is another function.
    CUcontext other;
    EXPECT_CUDA(cuCtxCreate(&other, nullptr, 0, 1));
    EXPECT_CUDA(cuKernelGetFunction(&again, kernel));
    EXPECT_NE(function, again);
    EXPECT_CUDA(cuCtxDestroy(other));
    EXPECT_CUDA(cuLibraryUnload(library));
    EXPECT_EQ(cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(gpu.Launch(function, gpu.stream), CUDA_ERROR_INVALID_HANDLE);
  });
}

}  // namespace
}  // namespace simgpu::test
