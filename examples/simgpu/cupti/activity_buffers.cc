// SPDX-License-Identifier: Apache-2.0
#include "cupti/activity_buffers.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/faults.h"
#include "cupti/api_version.h"
#include "cupti/driver_link.h"
#include "cupti/record_faults.h"
#include "cupti/timestamps.h"

namespace simgpu::cupti {
namespace {

// How often the worker looks again at buffers that are full but not complete.
constexpr std::chrono::milliseconds kRetry{2};

// Gives the queue of a thread that ends to the next one.
struct ThreadQueue {
  BufferQueue* queue = nullptr;
  ~ThreadQueue() {
    if (queue != nullptr) queue->in_use.store(false, std::memory_order_release);
    queue = nullptr;
  }
};
thread_local ThreadQueue t_queue;

// The thread is inside a completion callback of the client.
thread_local bool t_delivering = false;

}  // namespace

ActivityBuffers& ActivityBuffers::Get() {
  static ActivityBuffers& buffers = *new ActivityBuffers;  // for the life of the process
  return buffers;
}

// One buffer per thread became the default in 13.0.
ActivityBuffers::ActivityBuffers() : per_thread_(ApiVersion() >= kApi130) {}

void ActivityBuffers::SetCallbacks(CUpti_BuffersCallbackRequestFunc request,
                                   CUpti_BuffersCallbackCompleteFunc complete) {
  complete_.store(complete, std::memory_order_release);
  request_.store(request, std::memory_order_release);
  StartWorker();
}

BufferQueue* ActivityBuffers::NewQueue() {
  const std::lock_guard lock(mutex_);
  for (const auto& queue : queues_) {
    if (!queue->in_use.exchange(true, std::memory_order_acquire)) return queue.get();
  }
  queues_.push_back(std::make_unique<BufferQueue>());
  queues_.back()->in_use.store(true, std::memory_order_relaxed);
  return queues_.back().get();
}

BufferQueue& ActivityBuffers::QueueOfThread() {
  if (!per_thread_.load(std::memory_order_relaxed)) return shared_;
  if (t_queue.queue == nullptr) t_queue.queue = NewQueue();
  return *t_queue.queue;
}

ActivityBuffer ActivityBuffers::Request(size_t record_bytes) {
  ActivityBuffer buffer;
  const CUpti_BuffersCallbackRequestFunc request = request_.load(std::memory_order_acquire);
  if (request == nullptr) return buffer;
  request(&buffer.bytes, &buffer.capacity, &buffer.max_records);
  if (buffer.bytes == nullptr) return buffer;
  if (buffer.capacity < record_bytes) {
    // Nothing fits into it, but it is the client's to free.
    Deliver({buffer}, 0);
    return {};
  }
  static const size_t tiny_bytes = FaultNumber("tiny-buffers", 512);
  if (tiny_bytes != 0) buffer.capacity = std::max(record_bytes, std::min(buffer.capacity, tiny_bytes));
  if (!client_zeroes_.load(std::memory_order_relaxed)) std::memset(buffer.bytes, 0, buffer.capacity);
  return buffer;
}

void ActivityBuffers::Retire(const ActivityBuffer& buffer) {
  const std::lock_guard lock(mutex_);
  full_.push_back(buffer);
  wake_worker_.notify_one();
}

void ActivityBuffers::Write(const void* record, size_t bytes, uint64_t complete_ns) {
  BufferQueue& queue = QueueOfThread();
  std::unique_lock lock(queue.mutex);
  while (!queue.current.Fits(bytes)) {
    if (queue.current.bytes != nullptr) Retire(queue.current);
    queue.current = {};
    if (!queue.spare.empty()) {
      queue.current = queue.spare.back();
      queue.spare.pop_back();
      continue;
    }
    lock.unlock();
    const ActivityBuffer fresh = Request(bytes);
    lock.lock();
    if (fresh.bytes == nullptr) return CountDropped();
    if (queue.current.bytes == nullptr) {
      queue.current = fresh;
    } else {
      queue.spare.push_back(fresh);
    }
  }
  ActivityBuffer& buffer = queue.current;
  std::memcpy(buffer.bytes + buffer.used, record, bytes);
  buffer.used += bytes;
  ++buffer.records;
  buffer.complete_ns = std::max(buffer.complete_ns, complete_ns);
}

std::vector<ActivityBuffer> ActivityBuffers::TakeFull(bool forced, uint64_t now_ns) {
  std::vector<ActivityBuffer> taken;
  std::erase_if(full_, [&](const ActivityBuffer& buffer) {
    if (!forced && buffer.complete_ns > now_ns) return false;
    taken.push_back(buffer);
    return true;
  });
  return taken;
}

void ActivityBuffers::Deliver(std::vector<ActivityBuffer> buffers, uint64_t now_ns) {
  const CUpti_BuffersCallbackCompleteFunc complete = complete_.load(std::memory_order_acquire);
  if (complete == nullptr) return;
  const bool nested = t_delivering;
  t_delivering = true;
  for (const ActivityBuffer& buffer : buffers) {
    // Only a forced flush gets here with records that are not complete.
    if (buffer.complete_ns > now_ns) ClearIncomplete(buffer.bytes, buffer.used, now_ns);
    ShuffleIfAsked(buffer.bytes, buffer.used);
    complete(nullptr, 0, buffer.bytes, buffer.capacity, buffer.used);
  }
  t_delivering = nested;
}

void ActivityBuffers::FlushAll(bool forced) {
  const uint64_t now_ns = RecordNowNs();
  std::vector<ActivityBuffer> buffers;
  std::vector<BufferQueue*> queues = {&shared_};
  {
    std::unique_lock lock(mutex_);
    // From inside a completion callback there is nobody to wait for but oneself.
    if (!t_delivering) delivered_.wait(lock, [&] { return worker_delivering_ == 0; });
    buffers = TakeFull(forced, now_ns);
    for (const auto& queue : queues_) queues.push_back(queue.get());
  }
  for (BufferQueue* const queue : queues) {
    const std::lock_guard lock(queue->mutex);
    ActivityBuffer& current = queue->current;
    if (current.used == 0 || (!forced && current.complete_ns > now_ns)) continue;
    buffers.push_back(current);
    current = {};
  }
  Deliver(std::move(buffers), now_ns);
}

void ActivityBuffers::SetFlushPeriod(uint32_t milliseconds) {
  const std::lock_guard lock(mutex_);
  period_ms_ = milliseconds;
  wake_worker_.notify_one();
}

void ActivityBuffers::StartWorker() {
  const std::lock_guard lock(mutex_);
  if (worker_started_) return;
  worker_started_ = true;
  // The program's signals are not for this thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(&ActivityBuffers::Work, this).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ActivityBuffers::WaitForWork(std::unique_lock<std::mutex>* lock, bool some_are_incomplete) {
  if (period_ms_ != 0) {
    wake_worker_.wait_for(*lock, std::chrono::milliseconds(period_ms_), [&] { return period_ms_ == 0; });
  } else if (some_are_incomplete) {
    wake_worker_.wait_for(*lock, kRetry);
  } else {
    wake_worker_.wait(*lock, [&] { return !full_.empty() || period_ms_ != 0; });
  }
}

void ActivityBuffers::Work() {
  const uint64_t late_ms = FaultNumber("late-worker", 50);
  std::unique_lock lock(mutex_);
  for (;;) {
    WaitForWork(&lock, !full_.empty());
    if (late_ms != 0) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(late_ms));
      lock.lock();
    }
    const uint64_t now_ns = RecordNowNs();
    std::vector<ActivityBuffer> buffers = TakeFull(false, now_ns);
    if (buffers.empty()) continue;
    ++worker_delivering_;
    lock.unlock();
    Deliver(std::move(buffers), now_ns);
    lock.lock();
    --worker_delivering_;
    delivered_.notify_all();
  }
}

}  // namespace simgpu::cupti
