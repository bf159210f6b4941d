// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/live_allocations.h"

namespace migprof::record {

void LiveAllocations::NoteCall(const CallEvent& call) {
  if (calls_.insert_or_assign(call.correlation, call).second) call_order_.push_back(call.correlation);
  while (call_order_.size() > most_calls_) {
    calls_.erase(call_order_.front());
    call_order_.pop_front();
  }
}

void LiveAllocations::Note(uint32_t device, const AllocationActivity& allocation) {
  if (!format::IsDeviceMemory(allocation.memory_kind)) return;
  std::map<uint64_t, Live>& live = live_[device];
  // No address is given out twice: what was there is gone, whatever the record says of it.
  size_ -= live.erase(allocation.address);
  if (allocation.operation != format::AllocationOperation::kAllocate) return;
  if (size_ >= most_) {
    ++forgotten_;
    return;
  }
  Live entry{allocation, std::nullopt};
  if (const auto call = calls_.find(allocation.correlation); call != calls_.end()) {
    entry.call = call->second;
    calls_.erase(call);
  }
  live.emplace(allocation.address, entry);
  ++size_;
}

void LiveAllocations::CarryTo(uint32_t device, SliceFile* file) const {
  const auto live = live_.find(device);
  if (live == live_.end()) return;
  for (const auto& [address, entry] : live->second) {
    if (entry.call) file->AddCarriedCall(*entry.call);
    file->AddCarriedAllocation(entry.allocation);
  }
}

}  // namespace migprof::record
