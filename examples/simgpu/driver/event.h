// SPDX-License-Identifier: Apache-2.0
// Events: moments in the order of a stream.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "driver/lane.h"

namespace simgpu::driver {

struct Capture;
struct Context;
struct GraphNode;

// The moment an event stands for after it was recorded. Waiting for an event means waiting for the moment it stood for
// then, so each record makes a new one. Guarded by the engine's lock.
struct Moment {
  bool reached = false;  // the work before it has been carried out
  uint64_t time_ns = 0;  // when that work is done
};

struct Event {
  Event(Context* event_context, unsigned event_flags);

  Context* const context;
  const uint32_t id;
  const unsigned flags;
  std::shared_ptr<Moment> moment;  // null until recorded; guarded by the engine's lock

  // Guarded by CaptureMutex(): where it was recorded in a capture.
  std::shared_ptr<Capture> capture;
  std::vector<GraphNode*> captured_frontier;
};

inline CUevent HandleOf(Event* event) { return reinterpret_cast<CUevent>(event); }
Event* FindEvent(CUevent handle);

// Reaches `moment` when the work before it is done.
class RecordMoment : public Operation {
 public:
  RecordMoment(std::shared_ptr<Moment> moment, uint64_t queued_ns)
      : moment_(std::move(moment)), queued_ns_(queued_ns) {}
  uint64_t Schedule(uint64_t ready_ns) override;

 private:
  const std::shared_ptr<Moment> moment_;
  const uint64_t queued_ns_;
};

// Holds a lane back until a moment of another one.
class WaitForMoment : public Operation {
 public:
  explicit WaitForMoment(std::shared_ptr<Moment> moment) : moment_(std::move(moment)) {}
  bool CanStart() const override { return moment_->reached; }
  uint64_t Schedule(uint64_t ready_ns) override { return ready_ns > moment_->time_ns ? ready_ns : moment_->time_ns; }

 private:
  const std::shared_ptr<Moment> moment_;
};

// Records `event` on `lane` now.
void RecordOnLane(Event* event, const std::shared_ptr<Lane>& lane);

}  // namespace simgpu::driver
