// SPDX-License-Identifier: Apache-2.0
// GPU activity as the recorder sees it, free of CUPTI's struct versions.
#pragma once

#include <cstdint>

#include "libmigprof/format/trace_format.h"

namespace migprof::record {

// Where and when. Untimed activity has start_ns = duration_ns = 0.
struct ActivityBase {
  uint32_t correlation = 0;
  uint32_t device = 0;  // CUDA ordinal
  uint32_t context = 0;
  uint32_t stream = 0;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  uint32_t graph = 0;       // 0 outside of graphs
  uint64_t graph_node = 0;  // 0 outside of graphs
  bool untimed = false;
};

// What all executions of one kernel with one launch configuration share.
struct KernelShape {
  uint32_t grid[3] = {};
  uint32_t block[3] = {};
  uint32_t cluster[3] = {};
  uint32_t registers = 0;
  uint32_t static_shared = 0;
  uint32_t dynamic_shared = 0;
  uint32_t local_per_thread = 0;
};

struct KernelActivity : ActivityBase {
  const char* name = nullptr;  // mangled; owned by CUPTI; may be null
  KernelShape shape;
};

struct TransferActivity : ActivityBase {
  uint64_t bytes = 0;
  uint64_t what = 0;  // column::transfers::kWhat
};

// One launch of a graph as a whole, when its nodes are not recorded one by one.
struct GraphRunActivity : ActivityBase {};

struct AllocationActivity {
  uint32_t correlation = 0;
  uint32_t device = 0;
  uint32_t context = 0;
  uint32_t stream = 0;
  uint64_t time_ns = 0;
  uint64_t address = 0;
  uint64_t bytes = 0;
  format::AllocationOperation operation = format::AllocationOperation::kAllocate;
  uint32_t memory_kind = 0;  // CUpti_ActivityMemoryKind: 1 pageable, 2 pinned, 3 device, 4 array, 5 managed, …
};

struct SynchronizationActivity {
  uint32_t correlation = 0;
  uint32_t context = 0;
  uint32_t stream = 0;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  uint32_t what = 0;  // CUpti_ActivitySynchronizationType
};

struct ContextActivity {
  uint32_t context = 0;
  uint32_t device = 0;
};

struct DeviceActivity {
  uint32_t ordinal = 0;
  uint8_t mig_uuid[16] = {};
  uint32_t gpu_instance_id = 0;
  uint32_t compute_instance_id = 0;
};

// Receives what a buffer held. Drain thread.
class ActivitySink {
 public:
  virtual ~ActivitySink() = default;
  virtual void OnKernel(const KernelActivity& kernel) = 0;
  virtual void OnTransfer(const TransferActivity& transfer) = 0;
  virtual void OnGraphRun(const GraphRunActivity& run) = 0;
  virtual void OnAllocation(const AllocationActivity& allocation) = 0;
  virtual void OnSynchronization(const SynchronizationActivity& synchronization) = 0;
  virtual void OnContext(const ContextActivity& context) = 0;
  virtual void OnMigDevice(const DeviceActivity& device) = 0;
  virtual void OnUnknownRecord() = 0;  // of a kind that was not asked for, or too short to be read
};

}  // namespace migprof::record
