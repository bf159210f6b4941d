// SPDX-License-Identifier: Apache-2.0
// The work a GPU does, as operations of a lane: kernels, copies, memsets.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>

#include "driver/device.h"
#include "driver/lane.h"
#include "driver/module.h"
#include "driver/stream.h"
#include "simgpu_private.h"

namespace simgpu::driver {

// One side of a copy: rows of bytes, in slices of rows.
struct CopySide {
  char* address = nullptr;
  size_t row_pitch = 0;
  size_t slice_pitch = 0;
};

struct CopyPlan {
  CopySide from;
  CopySide to;
  size_t width = 0;  // in bytes
  size_t height = 1;
  size_t depth = 1;

  uint64_t bytes() const { return uint64_t{width} * height * depth; }
};

struct MemsetPlan {
  char* address = nullptr;
  size_t row_pitch = 0;
  uint32_t value = 0;
  uint32_t element_bytes = 1;
  size_t width = 0;  // in elements
  size_t height = 1;

  uint64_t bytes() const { return uint64_t{width} * height * element_bytes; }
};

void PerformCopy(const CopyPlan& plan);
void PerformMemset(const MemsetPlan& plan);

// Work of the call in progress for `stream`, with everything filled in that does not depend on what it does.
Work NewWork(WorkKind kind, const Stream& stream);

// "memcpy HtoD" and so on: what the ledger calls a copy.
const char* CopyName(uint8_t copy_kind);

// Writes finished work into the ledger and tells the profiler. No lock held.
void ReportWork(const Device& device, const Work& work);

// Work that takes `duration_ns` and moves nothing, or what the derived class moves.
class TimedOperation : public Operation {
 public:
  TimedOperation(const Device* device, const Work& work, uint64_t duration_ns)
      : device_(device), work_(work), duration_ns_(duration_ns) {}

  uint64_t Schedule(uint64_t ready_ns) override;
  void Perform() override { ReportWork(*device_, work_); }

 private:
  const Device* const device_;
  Work work_;
  const uint64_t duration_ns_;
};

class CopyOperation : public TimedOperation {
 public:
  CopyOperation(const Device* device, const Work& work, uint64_t duration_ns, const CopyPlan& plan)
      : TimedOperation(device, work, duration_ns), plan_(plan) {}
  void Perform() override {
    PerformCopy(plan_);
    TimedOperation::Perform();
  }

 private:
  const CopyPlan plan_;
};

class MemsetOperation : public TimedOperation {
 public:
  MemsetOperation(const Device* device, const Work& work, uint64_t duration_ns, const MemsetPlan& plan)
      : TimedOperation(device, work, duration_ns), plan_(plan) {}
  void Perform() override {
    PerformMemset(plan_);
    TimedOperation::Perform();
  }

 private:
  const MemsetPlan plan_;
};

// When work that was asked for at `queued_ns` can start, on a lane that is done at `ready_ns`.
uint64_t StartTime(uint64_t queued_ns, uint64_t ready_ns);

}  // namespace simgpu::driver
