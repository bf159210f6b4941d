// SPDX-License-Identifier: Apache-2.0
// Reads the counters of one slice, or whole GPU, now and then.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libmigprof/base/error.h"
#include "libmigprof/mig/counter.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/nvml_counter_api.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::mig {

struct CounterReading {
  Counter counter;
  double value = 0;    // bytes or percent, as NVML said it; may be NaN
  int error = 0;       // nvmlReturn_t with which NVML refused; `value` then means nothing
  bool stale = false;  // NVML repeats the interval before: nothing new was measured
  // GPM: about the time since the previous Read. Else about this moment.
  bool is_over_interval = false;
};

// Holds NVML open from Open to Close. Not thread-safe. Each call may take as long as NVML pleases.
class SliceCounters {
 public:
  SliceCounters() = default;
  SliceCounters(const SliceCounters&) = delete;
  SliceCounters& operator=(const SliceCounters&) = delete;
  ~SliceCounters() { Close(); }

  // `nvml` and `counters` must outlive this. On an error nothing is held.
  Error Open(const NvmlApi& nvml, const NvmlCounterApi& counters, const SliceIdentity& identity);

  // One reading of every counter that this device has. A counter that NVML refuses comes with the error, and is asked
  // for again the next time unless it cannot ever be had. GPM counters are about the time between two Reads, which have
  // to be more than 100 ms apart; so the first one has none. Valid until the next call.
  std::span<const CounterReading> Read();

  // Gives everything back. May be called at any time.
  void Close();

  bool is_open() const { return device_ != nullptr; }
  // The GPU is gone: no question has been asked since, nor will be.
  bool is_lost() const { return lost_; }

 private:
  int TakeGpmSample(NvmlGpmSample sample);
  int OpenGpm();
  void CloseGpm();
  void ReadMemory();
  void ReadUtilization();
  void ReadGpm();
  void RefuseGpm(int error);
  void Add(Counter counter, double value, int error);
  int Noted(int result);

  const NvmlApi* nvml_ = nullptr;
  const NvmlCounterApi* counters_ = nullptr;
  NvmlDevice device_ = nullptr;  // that CUDA uses
  NvmlDevice gpu_ = nullptr;     // around it, or itself
  bool is_mig_ = false;
  bool lost_ = false;
  uint32_t gpu_instance_id_ = 0;
  bool by_instance_ = false;     // GPM is asked for by GPU and instance, not by MIG device
  int gpm_error_ = 0;            // why there is no GPM
  bool gpm_error_said_ = false;  // in a reading
  bool has_before_ = false;
  NvmlGpmSample before_ = nullptr;
  NvmlGpmSample after_ = nullptr;
  std::unique_ptr<NvmlGpmMetrics> metrics_;
  std::vector<double> previous_;  // values of the interval before
  std::vector<CounterReading> readings_;
};

}  // namespace migprof::mig
