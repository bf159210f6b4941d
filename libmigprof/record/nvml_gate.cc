// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/nvml_gate.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "libmigprof/base/clock.h"

namespace migprof::record {
namespace {

// gettid() came with glibc 2.30.
pid_t ThreadId() { return static_cast<pid_t>(syscall(SYS_gettid)); }

}  // namespace

pthread_mutex_t NvmlGate::mutex_ = PTHREAD_MUTEX_INITIALIZER;
uint32_t NvmlGate::wait_ms_ = 0;
pid_t NvmlGate::process_ = 0;
std::atomic<pid_t> NvmlGate::forking_{0};

void NvmlGate::Install(uint32_t wait_ms) {
  static bool installed = false;
  if (std::exchange(installed, true)) return;
  wait_ms_ = wait_ms;
  process_ = getpid();
  pthread_atfork(&BeforeFork, &AfterForkInParent, nullptr);
  std::atexit(&OnExit);
}

// Nobody may wait for ever: a call into NVML on a broken node may never come back.
bool NvmlGate::Shut() {
  if (getpid() != process_) return false;  // a child has no drain thread
  const uint64_t deadline = RealtimeNs() + uint64_t{wait_ms_} * 1'000'000;
  const timespec until{static_cast<time_t>(deadline / 1'000'000'000), static_cast<long>(deadline % 1'000'000'000)};
  return pthread_mutex_timedlock(&mutex_, &until) == 0;
}

void NvmlGate::OnExit() { static_cast<void>(Shut()); }

void NvmlGate::BeforeFork() {
  if (Shut()) forking_.store(ThreadId(), std::memory_order_relaxed);
}

// The child inherits the gate as it is, and never looks at it.
void NvmlGate::AfterForkInParent() {
  if (forking_.load(std::memory_order_relaxed) != ThreadId()) return;
  forking_.store(0, std::memory_order_relaxed);
  pthread_mutex_unlock(&mutex_);
}

}  // namespace migprof::record
