// SPDX-License-Identifier: Apache-2.0
// Asks the driver at a steady pace, on a thread of its own: a driver may take seconds, and a terminal should not.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "libmigprof/mig/live_sample.h"
#include "libmigprof/mig/nvml_api.h"

namespace migprof::tools {

class LiveSampler {
 public:
  explicit LiveSampler(std::chrono::nanoseconds interval);
  LiveSampler(const LiveSampler&) = delete;
  LiveSampler& operator=(const LiveSampler&) = delete;
  ~LiveSampler();

  // Begins to ask `nvml`, a loaded table. NVML stays open until Stop.
  void Start(const mig::NvmlApi& nvml);

  // Ends the thread. False when the driver has not answered within `patience`: then the process must end without this
  // object being destroyed.
  bool Stop(std::chrono::milliseconds patience);

  // The newest sample; null before the first. Any thread.
  std::shared_ptr<const mig::LiveSample> Latest() const;

  // Becomes readable with every new sample; read 8 bytes to wait for the next.
  int event() const { return event_; }

 private:
  void Run(const mig::NvmlApi& nvml);

  const std::chrono::nanoseconds interval_;
  const int event_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const mig::LiveSample> latest_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace migprof::tools
