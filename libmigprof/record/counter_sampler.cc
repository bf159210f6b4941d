// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/counter_sampler.h"

#include <algorithm>
#include <utility>

#include "libmigprof/base/raw_log.h"
#include "libmigprof/record/nvml_gate.h"

namespace migprof::record {

void CounterSampler::Update(const mig::NvmlApi& nvml, std::span<const Device> devices) {
  const uint64_t now = world_.monotonic_ns();
  next_ns_ = now + period_ns_;
  bool visited = false;
  for (const Device& device : devices) {
    Slice& slice = slices_[device.ordinal];
    if (slice.next_ns == 0) slice.next_ns = now + period_ns_;
    if (slice.failures >= limits_.most_failures || gave_up_) continue;
    if (now >= slice.next_ns && !std::exchange(visited, true)) Visit(device, nvml, &slice);
    next_ns_ = std::min(next_ns_, slice.next_ns);
  }
}

void CounterSampler::Visit(const Device& device, const mig::NvmlApi& nvml, Slice* slice) {
  slice->next_ns = world_.monotonic_ns() + period_ns_;
  const bool was_used = std::exchange(slice->uses, device.uses) != device.uses;
  slice->idle_periods = was_used ? 0 : slice->idle_periods + 1;
  // One sample more, when it has come to rest: it is about what came after the last one.
  const bool is_open = slice->counters.is_open();
  const bool is_due = slice->idle_periods == 0 || (slice->idle_periods == 1 && is_open);
  const bool is_over = slice->idle_periods >= limits_.idle_periods && is_open;
  if (!is_due && !is_over) return;
  const NvmlGate::Entry gate;
  if (!gate.inside()) return;
  is_due ? Sample(device, nvml, slice) : slice->counters.Close();
  if (gave_up_) CloseAll();
}

void CounterSampler::CloseAll() {
  for (auto& [ordinal, slice] : slices_) slice.counters.Close();
}

void CounterSampler::Stop() {
  gave_up_ = true;
  Rest();
}

void CounterSampler::Rest() {
  const NvmlGate::Entry gate;
  if (gate.inside()) CloseAll();
}

bool CounterSampler::Open(const Device& device, const mig::NvmlApi& nvml, Slice* slice) {
  if (world_.monotonic_ns() < slice->reopen_ns) return false;
  if (!std::exchange(api_found_, true)) {
    NvmlGate::Install(exit_wait_ms_);
    world_.find_counters(&counter_api_);
  }
  const uint64_t start = world_.monotonic_ns();
  const Error error = slice->counters.Open(nvml, counter_api_, *device.identity);
  const uint64_t end = world_.monotonic_ns();
  slice->reopen_ns = end + limits_.reopen_factor * (end - start);
  if (error.ok()) return true;
  ++slice->failures;
  LogDebug("no counters of device %u: %s (%d)", device.ordinal, error.what, error.code);
  return false;
}

void CounterSampler::Sample(const Device& device, const mig::NvmlApi& nvml, Slice* slice) {
  const uint64_t start = world_.monotonic_ns();
  const uint64_t cpu_start = world_.cpu_ns();
  const bool was_open = slice->counters.is_open();
  if (was_open || Open(device, nvml, slice)) {
    const uint64_t cupti_now = world_.cupti_ns();
    const uint64_t before = std::exchange(slice->sampled_at_cupti, cupti_now);
    const uint64_t span = was_open && cupti_now > before ? cupti_now - before : 0;
    bool any = false;
    for (const mig::CounterReading& reading : slice->counters.Read()) {
      device.rows->Append(CounterRows::RowOf(reading, cupti_now, span));
      any |= reading.error == 0;
    }
    ++samples_;
    slice->failures = any ? 0 : slice->failures + 1;
    if (slice->counters.is_lost()) slice->failures = limits_.most_failures;
    if (slice->failures >= limits_.most_failures) slice->counters.Close();
  }
  Charge(world_.monotonic_ns() - start, world_.cpu_ns() - cpu_start, !was_open, slice);
}

void CounterSampler::Charge(uint64_t wall_ns, uint64_t cpu_ns, bool was_opened, Slice* slice) {
  cpu_ns_ += cpu_ns;
  // Opening takes long, comes rarely, and the same has been waited for when the slice was identified.
  const bool is_slow = !was_opened && wall_ns > limits_.slow_ns;
  slow_ += is_slow;
  if (wall_ns > limits_.too_slow_ns || slow_ >= limits_.most_slow) return GiveUp(wall_ns);
  uint64_t period = period_ns_;
  if (!was_opened && cpu_ns > limits_.sample_cpu_ns) {
    period = static_cast<uint64_t>(static_cast<double>(period) * static_cast<double>(cpu_ns) /
                                   static_cast<double>(limits_.sample_cpu_ns));
  }
  slice->next_ns = world_.monotonic_ns() + (period << std::min<uint64_t>(slow_, 16));
}

void CounterSampler::GiveUp(uint64_t wall_ns) {
  gave_up_ = true;
  static LogOnce log;
  log.Print("no more NVML counters: NVML took %u ms, which delays the recording",
            static_cast<unsigned>(wall_ns / 1'000'000));
}

}  // namespace migprof::record
