// SPDX-License-Identifier: Apache-2.0
#include "tools/live_sampler.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libmigprof/mig/live_reader.h"

namespace migprof::tools {
namespace {

// GPM wants more than 100 ms between two readings.
constexpr std::chrono::milliseconds kLeastPause(105);

}  // namespace

LiveSampler::LiveSampler(std::chrono::nanoseconds interval)
    : interval_(interval), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LiveSampler::~LiveSampler() {
  Stop(std::chrono::hours(1));
  close(event_);
}

void LiveSampler::Start(const mig::NvmlApi& nvml) {
  thread_ = std::thread([this, nvml] { Run(nvml); });
}

bool LiveSampler::Stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return true;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, patience, [this] { return ended_; })) return false;
  }
  thread_.join();
  return true;
}

std::shared_ptr<const mig::LiveSample> LiveSampler::Latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void LiveSampler::Run(const mig::NvmlApi& nvml) {
  {
    mig::NvmlCounterApi counters;
    mig::FindNvmlCounters(&counters);
    mig::LiveReader reader(nvml, counters);
    auto next = std::chrono::steady_clock::now();
    for (;;) {
      auto sample = std::make_shared<const mig::LiveSample>(reader.Read());
      std::unique_lock lock(mutex_);
      latest_ = std::move(sample);
      const uint64_t one = 1;
      // A full counter means that there is news already.
      [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof(one));
      // No catching up after a driver that took long: counters need time between two readings.
      next = std::max(next + interval_, std::chrono::steady_clock::now() + kLeastPause);
      if (changed_.wait_until(lock, next, [this] { return stopping_; })) break;
    }
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace migprof::tools
