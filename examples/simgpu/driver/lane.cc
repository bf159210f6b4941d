// SPDX-License-Identifier: Apache-2.0
#include "driver/lane.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace simgpu::driver {
namespace {

constexpr std::chrono::microseconds kPollInterval{200};

// Holds a lane back until other lanes have carried out what they had queued: the barrier of the legacy default stream.
class WaitForLanes : public Operation {
 public:
  explicit WaitForLanes(std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> lanes) : lanes_(std::move(lanes)) {}

  bool CanStart() const override {
    return std::all_of(lanes_.begin(), lanes_.end(),
                       [](const auto& wait) { return wait.first->carried_out >= wait.second; });
  }
  uint64_t Schedule(uint64_t ready_ns) override { return ready_ns; }

 private:
  const std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> lanes_;
};

// Whether work of `lane` that comes later waits for work of `other` that came earlier.
bool WaitsFor(const Lane& lane, const Lane& other) {
  if (&lane == &other || lane.group != other.group) return false;
  if (lane.kind == LaneKind::kLegacy) return other.kind == LaneKind::kBlocking;
  return lane.kind == LaneKind::kBlocking && other.kind == LaneKind::kLegacy;
}

}  // namespace

Engine& Engine::Get() {
  static Engine& engine = *new Engine;  // for the life of the process
  return engine;
}

std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> Engine::LanesBefore(const Lane& lane) const {
  std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> lanes;
  for (const std::shared_ptr<Lane>& other : deferred_) {
    if (WaitsFor(lane, *other)) lanes.emplace_back(other, other->queued);
  }
  return lanes;
}

bool Engine::MustQueue(const Lane& lane, const Operation& operation) const {
  return !lane.queue.empty() || operation.RunsHostCode() || !operation.CanStart() || !LanesBefore(lane).empty();
}

void Engine::Queue(const std::shared_ptr<Lane>& lane, std::unique_ptr<Operation> operation) {
  if (auto before = LanesBefore(*lane); !before.empty()) {
    lane->queue.push_back(std::make_unique<WaitForLanes>(std::move(before)));
    ++lane->queued;
  }
  lane->queue.push_back(std::move(operation));
  ++lane->queued;
  if (std::find(deferred_.begin(), deferred_.end(), lane) == deferred_.end()) deferred_.push_back(lane);
  if (!thread_started_) {
    thread_started_ = true;
    // The program's signals are not for this thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread(&Engine::RunQueues, this).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  work_queued_.notify_one();
}

void Engine::Carry(Lane& lane, Operation& operation) {
  LaneGroup& group = *lane.group;
  uint64_t ready_ns = lane.done_ns;
  if (lane.kind == LaneKind::kLegacy) ready_ns = std::max(ready_ns, group.blocking_done_ns);
  if (lane.kind == LaneKind::kBlocking) ready_ns = std::max(ready_ns, group.legacy_done_ns);
  lane.done_ns = std::max(lane.done_ns, operation.Schedule(ready_ns));
  if (lane.kind == LaneKind::kLegacy) group.legacy_done_ns = lane.done_ns;
  if (lane.kind == LaneKind::kBlocking) group.blocking_done_ns = std::max(group.blocking_done_ns, lane.done_ns);
  group.all_done_ns = std::max(group.all_done_ns, lane.done_ns);
}

std::shared_ptr<Lane> Engine::NextLane() const {
  for (const std::shared_ptr<Lane>& lane : deferred_) {
    if (lane->queue.front()->CanStart()) return lane;
  }
  return nullptr;
}

bool Engine::MustPoll() const {
  return std::any_of(deferred_.begin(), deferred_.end(),
                     [](const auto& lane) { return lane->queue.front()->MustPoll(); });
}

void Engine::RunQueues() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::shared_ptr<Lane> lane = NextLane();
    if (lane == nullptr && MustPoll()) {
      work_queued_.wait_for(lock, kPollInterval);
      continue;
    }
    if (lane == nullptr) {
      work_queued_.wait(lock);
      continue;
    }
    // It stays at the front of the queue while it runs, so that nobody overtakes it.
    Operation& operation = *lane->queue.front();
    Carry(*lane, operation);
    lock.unlock();
    operation.Perform();
    lock.lock();
    lane->queue.pop_front();
    ++lane->carried_out;
    if (lane->queue.empty()) std::erase(deferred_, lane);
    progress_.notify_all();
  }
}

uint64_t Engine::WaitForLane(const std::shared_ptr<Lane>& lane) {
  std::unique_lock lock(mutex_);
  auto before = LanesBefore(*lane);
  before.emplace_back(lane, lane->queued);
  const WaitForLanes all(std::move(before));
  progress_.wait(lock, [&] { return all.CanStart(); });
  const bool is_legacy = lane->kind == LaneKind::kLegacy;
  return is_legacy ? std::max(lane->done_ns, lane->group->blocking_done_ns) : lane->done_ns;
}

uint64_t Engine::WaitForGroup(const std::shared_ptr<LaneGroup>& group) {
  std::unique_lock lock(mutex_);
  std::vector<std::pair<std::shared_ptr<Lane>, uint64_t>> lanes;
  for (const std::shared_ptr<Lane>& lane : deferred_) {
    if (lane->group == group) lanes.emplace_back(lane, lane->queued);
  }
  const WaitForLanes all(std::move(lanes));
  progress_.wait(lock, [&] { return all.CanStart(); });
  return group->all_done_ns;
}

bool Engine::DoneTime(const std::shared_ptr<Lane>& lane, uint64_t* done_ns) {
  const std::lock_guard lock(mutex_);
  if (!lane->queue.empty()) return false;
  *done_ns = lane->done_ns;
  return true;
}

}  // namespace simgpu::driver
