// SPDX-License-Identifier: Apache-2.0
// Samples NVML's counters of the slices that this process is using.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "libmigprof/mig/nvml_counter_api.h"
#include "libmigprof/mig/slice_counters.h"
#include "libmigprof/record/counter_rows.h"

namespace migprof::record {

// Runs on the drain thread, and nowhere else. A thread of its own would spare the drain any delay, but be one more
// thread in a foreign process, and one more to be waited for at its end. A call of a library has no deadline, so
// instead the time is measured: a full ring of 2 MB lasts some 40 ms at a million calls a second, so a sample that
// takes more than 20 ms of it is "slow" and halves the rate, and after the fifth, or one that takes half a second,
// there are no more. What rings lose meanwhile is counted, as ever. At most one slice is sampled between two rounds of
// draining.
//
// NVML is opened one period after a slice is first used, and closed when it has not been used for three: an open NVML
// holds descriptors, and can block a reconfiguration of the card.
class CounterSampler {
 public:
  struct Limits {
    uint64_t sample_cpu_ns = 1'000'000;  // at 1 Hz 0.1 % of a core; what takes more comes so much less often
    uint64_t slow_ns = 20'000'000;
    uint64_t too_slow_ns = 500'000'000;
    uint32_t most_slow = 5;
    uint32_t idle_periods = 3;
    uint32_t most_failures = 3;     // in a row, to open, or with nothing but errors
    uint64_t reopen_factor = 1000;  // an opening that took 50 ms is repeated after 50 s at the earliest
  };

  // What it asks for; tests give their own.
  struct World {
    uint64_t (*cupti_ns)();
    uint64_t (*monotonic_ns)();
    uint64_t (*cpu_ns)();  // of this thread
    void (*find_counters)(mig::NvmlCounterApi* api) = &mig::FindNvmlCounters;
  };

  struct Device {
    uint32_t ordinal;
    const mig::SliceIdentity* identity;
    CounterRows* rows;
    uint64_t uses;  // changes when the process uses the device
  };

  // `period_ms` 0: never. `exit_wait_ms`: how long exit may wait for a sample in progress.
  CounterSampler(uint32_t period_ms, uint32_t exit_wait_ms, const World& world, const Limits& limits)
      : period_ns_(uint64_t{period_ms} * 1'000'000), exit_wait_ms_(exit_wait_ms), world_(world), limits_(limits) {}

  // Whether a device may be due. To be asked in every round of draining.
  bool is_due() const { return period_ns_ != 0 && !gave_up_ && world_.monotonic_ns() >= next_ns_; }

  // Samples one of the devices if that is due. `devices`: those that NVML knows.
  void Update(const mig::NvmlApi& nvml, std::span<const Device> devices);

  // For good: closes what is open, unless the process forks or exits right now.
  void Stop();
  // Closes what is open, until the next Update.
  void Rest();

  uint64_t samples() const { return samples_; }
  uint64_t slow_samples() const { return slow_; }
  // CPU time of all calls into NVML for counters.
  uint64_t cpu_ns() const { return cpu_ns_; }
  bool gave_up() const { return gave_up_; }

 private:
  struct Slice {
    mig::SliceCounters counters;
    uint64_t next_ns = 0;    // when the next sample is due
    uint64_t reopen_ns = 0;  // no opening before
    uint64_t uses = 0;       // of the device, as of the last period
    uint32_t idle_periods = 0;
    uint32_t failures = 0;
    uint64_t sampled_at_cupti = 0;  // the last sample, on CUPTI's clock
  };

  void Visit(const Device& device, const mig::NvmlApi& nvml, Slice* slice);
  void Sample(const Device& device, const mig::NvmlApi& nvml, Slice* slice);
  bool Open(const Device& device, const mig::NvmlApi& nvml, Slice* slice);
  void Charge(uint64_t wall_ns, uint64_t cpu_ns, bool was_opened, Slice* slice);
  void GiveUp(uint64_t wall_ns);
  void CloseAll();

  uint64_t period_ns_;
  uint32_t exit_wait_ms_;
  World world_;
  Limits limits_;
  mig::NvmlCounterApi counter_api_;
  bool api_found_ = false;
  bool gave_up_ = false;
  uint64_t next_ns_ = 0;  // nothing is due before
  uint64_t samples_ = 0;
  uint64_t slow_ = 0;
  uint64_t cpu_ns_ = 0;
  std::map<uint32_t, Slice> slices_;  // by device ordinal
};

}  // namespace migprof::record
