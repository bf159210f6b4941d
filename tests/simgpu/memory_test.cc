// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

constexpr size_t kGibibyte = size_t{1} << 30;

std::vector<uint8_t> Counting(size_t bytes) {
  std::vector<uint8_t> values(bytes);
  std::iota(values.begin(), values.end(), uint8_t{1});
  return values;
}

std::vector<uint8_t> Download(CUdeviceptr from, size_t bytes) {
  std::vector<uint8_t> values(bytes);
  EXPECT_CUDA(cuMemcpyDtoH(values.data(), from, bytes));
  return values;
}

TEST(Memory, CanBeFilledToTheLastSlice_NotBeyond) {
  InChild([] {
    const GpuProgram gpu(1);
    size_t free_bytes = 0, total = 0;
    EXPECT_CUDA(cuMemGetInfo(&free_bytes, &total));
    EXPECT_EQ(total, size_t{20096} << 20);
    std::vector<CUdeviceptr> blocks;
    CUdeviceptr block = 0;
    while (cuMemAlloc(&block, kGibibyte) == CUDA_SUCCESS) blocks.push_back(block);
    EXPECT_EQ(blocks.size(), total / kGibibyte);
    EXPECT_EQ(cuMemAlloc(&block, kGibibyte), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_CUDA(cuMemGetInfo(&free_bytes, &total));
    EXPECT_LT(free_bytes, kGibibyte);
    EXPECT_CUDA(cuMemFree(blocks[3]));
    EXPECT_CUDA(cuMemAlloc(&block, kGibibyte));
    EXPECT_EQ(block, blocks[3]) << "the only gap that is large enough";
  });
}

TEST(Memory, FreedNeighboursBecomeOneGap) {
  InChild([] {
    const GpuProgram gpu(2);
    size_t free_bytes = 0, total = 0;
    EXPECT_CUDA(cuMemGetInfo(&free_bytes, &total));
    const size_t third = free_bytes / 3 / 512 * 512;
    const CUdeviceptr a = gpu.Allocate(third), b = gpu.Allocate(third), c = gpu.Allocate(third);
    CUdeviceptr large = 0;
    EXPECT_CUDA(cuMemFree(a));
    EXPECT_CUDA(cuMemFree(c));
    EXPECT_EQ(cuMemAlloc(&large, 2 * third), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_CUDA(cuMemFree(b));
    EXPECT_CUDA(cuMemAlloc(&large, 3 * third));
  });
}

TEST(Memory, MisuseHasItsOwnErrors) {
  InChild([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(1000);
    CUdeviceptr address = 0;
    char host[8] = {};
    EXPECT_EQ(memory % 512, 0u);
    EXPECT_EQ(cuMemAlloc(&address, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemAlloc(nullptr, 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemFree(memory + 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemcpyHtoD(memory + 996, host, 8), CUDA_ERROR_INVALID_VALUE) << "past the end";
    EXPECT_EQ(cuMemcpyHtoD(reinterpret_cast<CUdeviceptr>(host), host, 8), CUDA_ERROR_INVALID_VALUE)
        << "not device memory";
    EXPECT_EQ(cuMemsetD32(memory + 2, 0, 1), CUDA_ERROR_INVALID_VALUE) << "not aligned";
    EXPECT_CUDA(cuMemFree(memory));
    EXPECT_EQ(cuMemFree(memory), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemsetD8(memory, 0, 1), CUDA_ERROR_INVALID_VALUE) << "freed";
    EXPECT_CUDA(cuMemFree(0));
  });
}

TEST(Copy, BytesReallyMove) {
  InChild([] {
    const GpuProgram gpu;
    const std::vector<uint8_t> values = Counting(1000);
    const CUdeviceptr a = gpu.Allocate(1000), b = gpu.Allocate(1000);
    EXPECT_CUDA(cuMemcpyHtoD(a, values.data(), 1000));
    EXPECT_CUDA(cuMemcpyDtoD(b + 1, a, 999));
    EXPECT_CUDA(cuMemsetD8(b, 42, 1));
    std::vector<uint8_t> expected = {42};
    expected.insert(expected.end(), values.begin(), values.end() - 1);
    EXPECT_EQ(Download(b, 1000), expected);
    // Directions worked out from the addresses.
    std::vector<uint8_t> unified(1000);
    EXPECT_CUDA(cuMemcpy(reinterpret_cast<CUdeviceptr>(unified.data()), b, 1000));
    EXPECT_EQ(unified, expected);
    EXPECT_CUDA(cuMemcpyDtoHAsync(unified.data(), a, 1000, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(unified, values);
  });
}

TEST(Copy, RectanglesAndBoxes) {
  InChild([] {
    const GpuProgram gpu;
    const std::vector<uint8_t> values = Counting(12);
    size_t pitch = 0;
    CUdeviceptr rows = 0;
    EXPECT_CUDA(cuMemAllocPitch(&rows, &pitch, 4, 3, 4));
    EXPECT_EQ(pitch % 512, 0u);
    CUDA_MEMCPY2D copy = {};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = values.data();
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = rows;
    copy.dstPitch = pitch;
    copy.WidthInBytes = 4;
    copy.Height = 3;
    EXPECT_CUDA(cuMemcpy2D(&copy));
    EXPECT_EQ(Download(rows + 2 * pitch, 4), std::vector<uint8_t>(values.begin() + 8, values.end()));

    CUDA_MEMCPY3D box = {};
    std::vector<uint8_t> back(6);
    box.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    box.srcDevice = rows;
    box.srcPitch = pitch;
    box.srcXInBytes = 1;
    box.srcY = 1;
    box.dstMemoryType = CU_MEMORYTYPE_HOST;
    box.dstHost = back.data();
    box.WidthInBytes = 3;
    box.Height = 2;
    box.Depth = 1;
    EXPECT_CUDA(cuMemcpy3D(&box));
    EXPECT_EQ(back, (std::vector<uint8_t>{6, 7, 8, 10, 11, 12}));
  });
}

TEST(Copy, Arrays) {
  InChild([] {
    const GpuProgram gpu;
    CUDA_ARRAY_DESCRIPTOR descriptor = {8, 2, CU_AD_FORMAT_UNSIGNED_INT8, 1};
    CUarray array;
    EXPECT_CUDA(cuArrayCreate(&array, &descriptor));
    const std::vector<uint8_t> values = Counting(8);
    std::vector<uint8_t> back(4);
    EXPECT_CUDA(cuMemcpyHtoA(array, 0, values.data(), 8));
    EXPECT_CUDA(cuMemcpyAtoH(back.data(), array, 4, 4));
    EXPECT_EQ(back, (std::vector<uint8_t>{5, 6, 7, 8}));
    EXPECT_EQ(cuMemcpyAtoH(back.data(), array, 6, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CUDA(cuArrayDestroy(array));
    EXPECT_EQ(cuArrayDestroy(array), CUDA_ERROR_INVALID_HANDLE);
  });
}

TEST(Memset, AllWidthsAndRows) {
  InChild([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(64);
    EXPECT_CUDA(cuMemsetD8(memory, 0, 64));
    EXPECT_CUDA(cuMemsetD16(memory, 0x1234, 2));
    EXPECT_CUDA(cuMemsetD32Async(memory + 8, 0xaabbccdd, 1, gpu.stream));
    EXPECT_CUDA(cuMemsetD2D8(memory + 16, 8, 7, 2, 3));
    const std::vector<uint8_t> bytes = Download(memory, 40);
    EXPECT_EQ(std::vector<uint8_t>(bytes.begin(), bytes.begin() + 12),
              (std::vector<uint8_t>{0x34, 0x12, 0x34, 0x12, 0, 0, 0, 0, 0xdd, 0xcc, 0xbb, 0xaa}));
    EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 16, bytes.begin() + 36),
              (std::vector<uint8_t>{7, 7, 0, 0, 0, 0, 0, 0, 7, 7, 0, 0, 0, 0, 0, 0, 7, 7, 0, 0}));
  });
}

TEST(HostMemory, PinnedAndRegistered) {
  InChild([] {
    const GpuProgram gpu;
    void* pinned = nullptr;
    EXPECT_CUDA(cuMemHostAlloc(&pinned, 100, CU_MEMHOSTALLOC_PORTABLE));
    unsigned type = 0;
    EXPECT_CUDA(
        cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, reinterpret_cast<CUdeviceptr>(pinned) + 50));
    EXPECT_EQ(type, unsigned{CU_MEMORYTYPE_HOST});
    CUdeviceptr device_address = 0;
    EXPECT_CUDA(cuMemHostGetDevicePointer(&device_address, pinned, 0));
    EXPECT_CUDA(cuMemsetD8(device_address, 3, 100));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_EQ(static_cast<uint8_t*>(pinned)[99], 3);
    EXPECT_CUDA(cuMemFreeHost(pinned));
    EXPECT_EQ(cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE);

    std::vector<uint8_t> own(64);
    EXPECT_EQ(cuMemHostUnregister(own.data()), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    EXPECT_CUDA(cuMemHostRegister(own.data(), 64, 0));
    EXPECT_EQ(cuMemHostRegister(own.data(), 64, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    EXPECT_CUDA(cuMemHostUnregister(own.data()));
  });
}

TEST(PointerAttributes, TellWhatAnAddressIs) {
  InChild([] {
    const GpuProgram gpu(1);
    const CUdeviceptr memory = gpu.Allocate(4096);
    CUcontext context = nullptr;
    int ordinal = -1;
    CUdeviceptr start = 0;
    size_t bytes = 0;
    EXPECT_CUDA(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT, memory + 100));
    EXPECT_CUDA(cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, memory + 100));
    EXPECT_CUDA(cuMemGetAddressRange(&start, &bytes, memory + 100));
    EXPECT_EQ(context, gpu.context);
    EXPECT_EQ(ordinal, 1);
    EXPECT_EQ(start, memory);
    EXPECT_EQ(bytes, 4096u);
    int on_stack = 0;
    EXPECT_EQ(
        cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, reinterpret_cast<CUdeviceptr>(&on_stack)),
        CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemGetAddressRange(&start, &bytes, reinterpret_cast<CUdeviceptr>(&on_stack)), CUDA_ERROR_NOT_FOUND);

    CUdeviceptr managed = 0;
    unsigned is_managed = 0;
    EXPECT_CUDA(cuMemAllocManaged(&managed, 64, CU_MEM_ATTACH_GLOBAL));
    EXPECT_CUDA(cuPointerGetAttribute(&is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, managed));
    EXPECT_EQ(is_managed, 1u);
    std::memset(reinterpret_cast<void*>(managed), 9, 64);
    EXPECT_EQ(Download(managed, 1)[0], 9);
    EXPECT_CUDA(cuMemFree(managed));
  });
}

TEST(Pool, CountsWhatIsInUse) {
  InChild([] {
    const GpuProgram gpu;
    CUmemoryPool pool;
    EXPECT_CUDA(cuDeviceGetDefaultMemPool(&pool, gpu.device));
    CUdeviceptr memory = 0;
    EXPECT_CUDA(cuMemAllocAsync(&memory, 1000, gpu.stream));
    EXPECT_CUDA(cuMemsetD8Async(memory, 1, 1000, gpu.stream));
    cuuint64_t used = 0, high = 0;
    EXPECT_CUDA(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
    EXPECT_EQ(used, 1000u);
    EXPECT_CUDA(cuMemFreeAsync(memory, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
    EXPECT_CUDA(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_HIGH, &high));
    EXPECT_EQ(used, 0u);
    EXPECT_EQ(high, 1000u);
    EXPECT_EQ(cuMemFreeAsync(memory, gpu.stream), CUDA_ERROR_INVALID_VALUE);
    cuuint64_t one = 1;
    EXPECT_EQ(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &one), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuMemPoolDestroy(pool), CUDA_ERROR_INVALID_VALUE) << "the default one stays";
  });
}

TEST(Peer, CopyBetweenDevicesIsOne) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    EXPECT_CUDA(cuInit(0));
    CUcontext first, second;
    CUdeviceptr a = 0, b = 0;
    EXPECT_CUDA(cuCtxCreate(&first, nullptr, 0, 0));
    EXPECT_CUDA(cuMemAlloc(&a, 64));
    EXPECT_CUDA(cuCtxCreate(&second, nullptr, 0, 1));
    EXPECT_CUDA(cuMemAlloc(&b, 64));
    EXPECT_CUDA(cuMemsetD8(a, 5, 64));
    EXPECT_CUDA(cuMemcpyPeer(b, second, a, first, 64));
    EXPECT_EQ(Download(b, 1)[0], 5);
    EXPECT_EQ(cuCtxEnablePeerAccess(first, 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
  });
  const std::vector<LedgerLine> work = ReadLedger(ledger);
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[1].name, "memcpy PtoP");
}

}  // namespace
}  // namespace simgpu::test
