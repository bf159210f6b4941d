// SPDX-License-Identifier: Apache-2.0
#include "driver/event.h"

#include <algorithm>
#include <atomic>

#include "driver/clock.h"
#include "driver/handle_pool.h"

namespace simgpu::driver {
namespace {

std::atomic<uint32_t> g_next_event_id{1};

}  // namespace

Event::Event(Context* event_context, unsigned event_flags)
    : context(event_context), id(g_next_event_id.fetch_add(1)), flags(event_flags) {}

Event* FindEvent(CUevent handle) { return HandlePool<Event>::Find(handle); }

uint64_t RecordMoment::Schedule(uint64_t ready_ns) {
  moment_->time_ns = std::max(ready_ns, queued_ns_);
  moment_->reached = true;
  return ready_ns;
}

void RecordOnLane(Event* event, const std::shared_ptr<Lane>& lane) {
  auto moment = std::make_shared<Moment>();
  {
    const std::lock_guard lock(Engine::Get().mutex());
    event->moment = moment;
  }
  Engine::Get().Submit(lane, RecordMoment(std::move(moment), Clock::Get().NowNs()));
}

}  // namespace simgpu::driver
