// SPDX-License-Identifier: Apache-2.0
// The order of GPU work: one lane per stream, first in, first out, and the rules by which lanes wait for one another.
//
// A stream can only wait for work that was submitted earlier, so nearly everything can be carried out while it is
// submitted: its times follow from what is already known, its bytes are moved at once. The exception is work behind a
// host function: it stays queued in its lane until the function has run, on the engine's own thread, which then carries
// out everything queued behind it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace simgpu::driver {

// One step of a lane.
class Operation {
 public:
  virtual ~Operation() = default;
  // Whether what it waits for, besides its own lane, has happened. Called under the engine's lock.
  virtual bool CanStart() const { return true; }
  // It calls into the program, and so never on the thread that submits it.
  virtual bool RunsHostCode() const { return false; }
  // What CanStart depends on can change without anybody telling the engine.
  virtual bool MustPoll() const { return false; }
  // Decides when it runs, not before `ready_ns`, and returns when it is done. Called once, under the engine's lock.
  virtual uint64_t Schedule(uint64_t ready_ns) = 0;
  // Moves the bytes and reports the work. Called after Schedule, without any lock.
  virtual void Perform() {}
};

enum class LaneKind : uint8_t {
  kLegacy,       // the default stream: waits for all blocking lanes, and they for it
  kBlocking,     // ordinary streams, and the per-thread default streams
  kNonBlocking,  // CU_STREAM_NON_BLOCKING
};

// The lanes of one context. Guarded by the engine's lock.
struct LaneGroup {
  uint64_t legacy_done_ns = 0;
  uint64_t blocking_done_ns = 0;
  uint64_t all_done_ns = 0;
};

// Guarded by the engine's lock. Outlives its stream while work is queued.
struct Lane {
  Lane(LaneKind lane_kind, std::shared_ptr<LaneGroup> lane_group) : kind(lane_kind), group(std::move(lane_group)) {}

  const LaneKind kind;
  const std::shared_ptr<LaneGroup> group;
  uint64_t done_ns = 0;  // when everything carried out so far is done
  std::deque<std::unique_ptr<Operation>> queue;
  uint64_t queued = 0;  // operations that ever were in the queue
  uint64_t carried_out = 0;
};

class Engine {
 public:
  static Engine& Get();

  // Carries `operation` out now if it can be, else queues it.
  template <class T>
  void Submit(const std::shared_ptr<Lane>& lane, T operation) {
    {
      const std::unique_lock lock(mutex_);
      if (!deferred_.empty() || operation.RunsHostCode() || !operation.CanStart()) [[unlikely]] {
        if (MustQueue(*lane, operation)) {
          Queue(lane, std::make_unique<T>(std::move(operation)));
          return;
        }
      }
      Carry(*lane, operation);
    }
    operation.Perform();
  }

  // Block the caller until everything submitted so far to a lane, or to any lane of a group, has been carried out.
  // Return when it is done on the GPU: the caller has to let its clock get there.
  uint64_t WaitForLane(const std::shared_ptr<Lane>& lane);
  uint64_t WaitForGroup(const std::shared_ptr<LaneGroup>& group);

  // When everything submitted is done; nothing while some of it is still queued.
  bool DoneTime(const std::shared_ptr<Lane>& lane, uint64_t* done_ns);

  // For state that operations change in Schedule.
  std::mutex& mutex() { return mutex_; }
  // Woken whenever queued work was carried out.
  std::condition_variable& progress() { return progress_; }

 private:
  bool MustQueue(const Lane& lane, const Operation& operation) const;
  void Queue(const std::shared_ptr<Lane>& lane, std::unique_ptr<Operation> operation);
  void Carry(Lane& lane, Operation& operation);
  std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> LanesBefore(const Lane& lane) const;
  void RunQueues();
  std::shared_ptr<Lane> NextLane() const;
  bool MustPoll() const;

  std::mutex mutex_;
  std::condition_variable progress_;
  std::condition_variable work_queued_;
  std::vector<std::shared_ptr<Lane>> deferred_;  // lanes whose queue is not empty
  bool thread_started_ = false;
};

}  // namespace simgpu::driver
