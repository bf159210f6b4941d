// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/shared_records.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "libmigprof/record/cupti_layout.h"

namespace migprof::record {
namespace {

constexpr size_t kKernelBytes = 216;
constexpr size_t kApiBytes = 40;

size_t BytesOf(const uint8_t* record) {
  return layout::Load<uint32_t>(record, 0) == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL ? kKernelBytes : kApiBytes;
}

CUptiResult NextRecord(uint8_t* data, size_t bytes, CUpti_Activity** record) {
  auto* next = reinterpret_cast<uint8_t*>(*record);
  next = next == nullptr ? data : next + BytesOf(next);
  if (next >= data + bytes) return CUPTI_ERROR_MAX_LIMIT_REACHED;
  *record = reinterpret_cast<CUpti_Activity*>(next);
  return CUPTI_SUCCESS;
}

class SharedRecords : public testing::Test {
 protected:
  SharedRecords() { cupti_.activity_get_next_record = &NextRecord; }

  void AddKernel(uint32_t correlation) { Add(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, kKernelBytes, correlation); }
  void AddApi() { Add(CUPTI_ACTIVITY_KIND_RUNTIME, kApiBytes, 0); }
  void Add(uint32_t kind, size_t bytes, uint32_t correlation) {
    const size_t at = data_.size();
    data_.resize(at + bytes);
    std::memcpy(&data_[at], &kind, sizeof(kind));
    if (bytes == kKernelBytes)
      std::memcpy(&data_[at + layout::kernel::kCorrelation], &correlation, sizeof(correlation));
  }

  CuptiApi cupti_;
  alignas(8) std::vector<uint8_t> data_;
};

TEST_F(SharedRecords, NewerAreThoseAfterTheLastOwn) {
  AddKernel(9);
  AddKernel(11);
  AddApi();
  AddKernel(10);
  std::vector<uint8_t> copy(1000);
  EXPECT_EQ(CopyNewer(cupti_, data_.data(), data_.size(), 10, nullptr, 0), kKernelBytes + kApiBytes);
  ASSERT_EQ(CopyNewer(cupti_, data_.data(), data_.size(), 10, copy.data(), copy.size()), kKernelBytes + kApiBytes);
  EXPECT_EQ(layout::Load<uint32_t>(copy.data(), layout::kernel::kCorrelation), 11u);
  EXPECT_EQ(CopyNewer(cupti_, data_.data(), data_.size(), 10, copy.data(), kKernelBytes), kKernelBytes)
      << "no more room";
}

TEST_F(SharedRecords, IdsWrapAround) {
  AddKernel(UINT32_MAX);
  AddKernel(3);
  EXPECT_EQ(CopyNewer(cupti_, data_.data(), data_.size(), UINT32_MAX, nullptr, 0), kKernelBytes);
}

TEST_F(SharedRecords, AnEmptyBuffer) { EXPECT_EQ(CopyNewer(cupti_, data_.data(), 0, 1, nullptr, 0), 0u); }

TEST_F(SharedRecords, AdoptedRecordsFillAsManyBuffersAsTheyNeed) {
  ActivityBuffers buffers;
  buffers.Init(64 * 1024, 16, 1 << 20);
  for (uint32_t i = 0; i < 1000; ++i) AddKernel(i);  // more than the largest buffer holds
  AdoptRecords(cupti_, data_.data(), data_.size(), &buffers);
  uint32_t expected = 0;
  int used = 0;
  for (ActivityBuffer* buffer = buffers.TakeCompleted(); buffer != nullptr; ++used) {
    ActivityBuffer* const next = buffer->next;
    EXPECT_TRUE(buffers.Owns(buffer->data()));
    for (size_t at = 0; at < buffer->valid; at += kKernelBytes) {
      EXPECT_EQ(layout::Load<uint32_t>(buffer->data() + at, layout::kernel::kCorrelation), expected++);
    }
    buffers.Recycle(buffer);
    buffer = next;
  }
  EXPECT_EQ(expected, 1000u);
  EXPECT_GT(used, 1);
  EXPECT_EQ(buffers.held_bytes(), 0u);
}

TEST_F(SharedRecords, ForeignBuffersAreNotOwned) {
  ActivityBuffers buffers;
  buffers.Init(64 * 1024, 16, 1 << 20);
  alignas(64) uint8_t foreign[256];
  EXPECT_FALSE(buffers.Owns(foreign + ActivityBuffer::kControlBytes));
  ActivityBuffer* const mine = buffers.Take();
  EXPECT_TRUE(buffers.Owns(mine->data()));
  EXPECT_FALSE(buffers.Owns(mine->data() + 8));
}

}  // namespace
}  // namespace migprof::record
