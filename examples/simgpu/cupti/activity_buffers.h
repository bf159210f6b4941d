// SPDX-License-Identifier: Apache-2.0
// From single records to full buffers in the client's hands.
//
// Records are written on the thread they arise on, into buffers asked of the client on that thread. A full buffer is
// handed back by a worker thread, once all its records are complete; a flush hands back what there is on the thread
// that flushes. No lock of this library is held while the client is called.
#pragma once

#include <cupti_activity.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace simgpu::cupti {

struct ActivityBuffer {
  uint8_t* bytes = nullptr;
  size_t capacity = 0;
  size_t used = 0;
  size_t max_records = 0;  // 0: as many as fit
  size_t records = 0;
  uint64_t complete_ns = 0;  // when the last of its records is complete

  bool Fits(size_t record_bytes) const {
    return bytes != nullptr && capacity - used >= record_bytes && (max_records == 0 || records < max_records);
  }
};

// The buffer some thread is writing to, or all of them.
struct BufferQueue {
  std::mutex mutex;
  ActivityBuffer current;
  std::vector<ActivityBuffer> spare;  // asked for by two threads at once
  std::atomic<bool> in_use{false};    // by a living thread
};

class ActivityBuffers {
 public:
  static ActivityBuffers& Get();

  void SetCallbacks(CUpti_BuffersCallbackRequestFunc request, CUpti_BuffersCallbackCompleteFunc complete);
  bool has_callbacks() const { return request_.load(std::memory_order_acquire) != nullptr; }

  // Appends the first `bytes` bytes of `record`, which is complete at `complete_ns`; 0: now.
  void Write(const void* record, size_t bytes, uint64_t complete_ns);

  // Hands back all buffers whose records are complete, or all there are. Returns when every callback has returned,
  // those of the worker too.
  void FlushAll(bool forced);

  // Milliseconds between two rounds of the worker; 0: it goes by need.
  void SetFlushPeriod(uint32_t milliseconds);

  bool per_thread() const { return per_thread_.load(std::memory_order_relaxed); }
  void set_per_thread(bool per_thread) { per_thread_.store(per_thread, std::memory_order_relaxed); }
  void set_client_zeroes(bool zeroes) { client_zeroes_.store(zeroes, std::memory_order_relaxed); }

  // Records lost for want of a buffer since the last question.
  size_t TakeDropped() { return dropped_.exchange(0, std::memory_order_relaxed); }
  void CountDropped() { dropped_.fetch_add(1, std::memory_order_relaxed); }

 private:
  ActivityBuffers();

  BufferQueue& QueueOfThread();
  BufferQueue* NewQueue();
  // A buffer of the client's, or none.
  ActivityBuffer Request(size_t record_bytes);
  void Retire(const ActivityBuffer& buffer);
  void StartWorker();
  void Work();
  void WaitForWork(std::unique_lock<std::mutex>* lock, bool some_are_incomplete);
  // Takes the buffers that can be handed back out of `full_`.
  std::vector<ActivityBuffer> TakeFull(bool forced, uint64_t now_ns);
  void Deliver(std::vector<ActivityBuffer> buffers, uint64_t now_ns);

  std::atomic<CUpti_BuffersCallbackRequestFunc> request_{nullptr};
  std::atomic<CUpti_BuffersCallbackCompleteFunc> complete_{nullptr};
  std::atomic<bool> per_thread_;
  std::atomic<bool> client_zeroes_{false};
  std::atomic<size_t> dropped_{0};
  BufferQueue shared_;  // where buffers are not per thread

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_worker_;
  std::condition_variable delivered_;
  std::vector<std::unique_ptr<BufferQueue>> queues_;
  std::deque<ActivityBuffer> full_;
  uint32_t period_ms_ = 0;
  uint32_t worker_delivering_ = 0;
  bool worker_started_ = false;
};

}  // namespace simgpu::cupti
