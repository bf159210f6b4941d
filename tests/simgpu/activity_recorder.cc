// SPDX-License-Identifier: Apache-2.0
#include "tests/simgpu/activity_recorder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

namespace simgpu::test {
namespace {

struct State {
  std::mutex mutex;
  size_t buffer_bytes = 0;
  std::vector<RecordedBuffer> buffers;
  std::vector<std::thread::id> request_threads;
};

State& TheState() {
  static State& state = *new State;  // buffers are still handed back while the process ends
  return state;
}

void Request(uint8_t** buffer, size_t* size, size_t* max_records) {
  const std::lock_guard lock(TheState().mutex);
  TheState().request_threads.push_back(std::this_thread::get_id());
  *size = TheState().buffer_bytes;
  *buffer = *size != 0 ? static_cast<uint8_t*>(std::aligned_alloc(8, *size)) : nullptr;
  *max_records = 0;
}

void Complete(CUcontext, uint32_t, uint8_t* buffer, size_t size, size_t valid) {
  const std::lock_guard lock(TheState().mutex);
  TheState().buffers.push_back({{buffer, buffer + valid}, size, std::this_thread::get_id()});
  std::free(buffer);
}

}  // namespace

std::vector<RecordStep> Walk(const RecordedBuffer& buffer, decltype(&cuptiActivityGetNextRecord) next) {
  std::vector<RecordStep> steps;
  uint8_t* const bytes = const_cast<uint8_t*>(buffer.bytes.data());
  const uint8_t* previous = nullptr;
  CUpti_Activity* record = nullptr;
  while (next(bytes, buffer.bytes.size(), &record) == CUPTI_SUCCESS) {
    const uint8_t* const position = reinterpret_cast<uint8_t*>(record);
    if (previous != nullptr) steps.back().bytes = static_cast<size_t>(position - previous);
    steps.push_back({static_cast<uint32_t>(record->kind), 0});
    previous = position;
  }
  if (previous != nullptr) steps.back().bytes = static_cast<size_t>(bytes + buffer.bytes.size() - previous);
  return steps;
}

ActivityRecorder::ActivityRecorder(size_t buffer_bytes) {
  TheState().buffer_bytes = buffer_bytes;
  EXPECT_CUPTI(cuptiActivityRegisterCallbacks(&Request, &Complete));
}

std::vector<RecordedBuffer> ActivityRecorder::Buffers() const {
  const std::lock_guard lock(TheState().mutex);
  return TheState().buffers;
}

std::vector<std::thread::id> ActivityRecorder::RequestThreads() const {
  const std::lock_guard lock(TheState().mutex);
  return TheState().request_threads;
}

size_t ActivityRecorder::CountAll() const {
  size_t count = 0;
  for (const RecordedBuffer& buffer : Buffers()) {
    ForEach(buffer, [&](const CUpti_Activity*) { ++count; });
  }
  return count;
}

}  // namespace simgpu::test
