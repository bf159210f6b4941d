// SPDX-License-Identifier: Apache-2.0
// A small CUPTI client: keeps copies of the records it gets and of the buffers they came in.
#pragma once

#include <cupti.h>

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace simgpu::test {

#define EXPECT_CUPTI(call) EXPECT_EQ(call, CUPTI_SUCCESS)

struct RecordedBuffer {
  std::vector<uint8_t> bytes;
  size_t capacity = 0;
  std::thread::id thread;  // that handed it back
};

// A record as an iterator steps over it.
struct RecordStep {
  uint32_t kind = 0;
  size_t bytes = 0;

  bool operator==(const RecordStep&) const = default;
};

// What `next` finds in a buffer; the default is the simulated library's own.
std::vector<RecordStep> Walk(const RecordedBuffer& buffer,
                             decltype(&cuptiActivityGetNextRecord) next = &cuptiActivityGetNextRecord);

class ActivityRecorder {
 public:
  // Registers callbacks; buffers have `buffer_bytes`, or are refused when that is 0. One recorder per process.
  explicit ActivityRecorder(size_t buffer_bytes = 64 * 1024);

  std::vector<RecordedBuffer> Buffers() const;
  // The records of one kind, in the order they came.
  template <class Record>
  std::vector<Record> Records(CUpti_ActivityKind kind) const {
    std::vector<Record> found;
    for (const RecordedBuffer& buffer : Buffers()) {
      ForEach(buffer, [&](const CUpti_Activity* record) {
        if (record->kind == kind) found.push_back(*reinterpret_cast<const Record*>(record));
      });
    }
    return found;
  }
  size_t CountAll() const;

  // Threads that were asked for a buffer.
  std::vector<std::thread::id> RequestThreads() const;

 private:
  template <class Visit>
  static void ForEach(const RecordedBuffer& buffer, Visit visit) {
    CUpti_Activity* record = nullptr;
    uint8_t* const bytes = const_cast<uint8_t*>(buffer.bytes.data());
    while (cuptiActivityGetNextRecord(bytes, buffer.bytes.size(), &record) == CUPTI_SUCCESS) visit(record);
  }
};

}  // namespace simgpu::test
