// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/device_memory.h"

#include <algorithm>
#include <tuple>

#include "libmigprof/analyze/busy_time.h"

namespace migprof::analyze {

DeviceMemory::DeviceMemory(uint64_t first_ns, uint64_t window_ns) : first_ns_(first_ns), bin_ns_(BinLength(window_ns)) {
  use_.live_bytes.resize(BinCount(window_ns));
}

uint32_t DeviceMemory::AddProcess(uint64_t end_ns) {
  Add({.time_ns = end_ns, .order = kProcessEnd, .process = processes_});
  return processes_++;
}

void DeviceMemory::Add(const Event& event) {
  waiting_.push_back(event);
  earliest_ = std::min(earliest_, event.time_ns);
}

void DeviceMemory::Forget(uint32_t process, uint64_t time_ns) {
  // With the least order there is: before what is added for the same time.
  Add({.time_ns = time_ns, .process = process, .forgets = true});
}

void DeviceMemory::SettleBefore(uint64_t time) {
  if (earliest_ >= time) return;
  const auto key = [](const Event& event) { return std::tuple(event.time_ns, event.process, event.order); };
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [&key](const Event& a, const Event& b) { return key(a) < key(b); });
  auto next = waiting_.begin();
  for (; next != waiting_.end() && next->time_ns < time; ++next) Apply(*next);
  waiting_.erase(waiting_.begin(), next);
  earliest_ = waiting_.empty() ? UINT64_MAX : waiting_.front().time_ns;
}

void DeviceMemory::Apply(const Event& event) {
  if (event.order == kProcessEnd) {
    EndProcess(event.process);
    NoteLevel(event.time_ns);
    return;
  }
  if (event.forgets) {
    Drop(event.process);
    return NoteLevel(event.time_ns);
  }
  const AddressKey address = {event.process, event.address};
  const auto entry = live_.find(address);
  if (event.is_release) {
    ++use_.releases;
    if (entry == live_.end()) {
      ++use_.unknown_releases;
      return;
    }
    Change({event.process, entry->second.site}, -static_cast<int64_t>(entry->second.bytes), -1);
    live_.erase(entry);
  } else {
    use_.allocations += event.is_carried ? 0 : 1;
    // No address is given out twice: the release of what was there is not in the trace.
    if (entry != live_.end()) {
      Change({event.process, entry->second.site}, -static_cast<int64_t>(entry->second.bytes), -1);
      entry->second = {event.bytes, event.site};
    } else if (live_.size() < kMostLive) {
      live_.emplace(address, Live{event.bytes, event.site});
    } else {
      return;
    }
    Change({event.process, event.site}, static_cast<int64_t>(event.bytes), 1);
  }
  NoteLevel(event.time_ns);
}

void DeviceMemory::EndProcess(uint32_t process) { use_.live_at_end_bytes += Drop(process); }

uint64_t DeviceMemory::Drop(uint32_t process) {
  uint64_t bytes = 0;
  absl::erase_if(live_, [&, this](const auto& entry) {
    if (entry.first.first != process) return false;
    bytes += entry.second.bytes;
    Change({process, entry.second.site}, -static_cast<int64_t>(entry.second.bytes), -1);
    return true;
  });
  return bytes;
}

void DeviceMemory::Change(SiteKey key, int64_t bytes, int64_t count) {
  Site& site = sites_[key];
  if (site.peak != peak_number_) {
    site.at_peak = site.now;
    site.peak = peak_number_;
  }
  site.now.bytes += static_cast<uint64_t>(bytes);
  site.now.count += static_cast<uint64_t>(count);
  live_bytes_ += static_cast<uint64_t>(bytes);
}

void DeviceMemory::NoteLevel(uint64_t time_ns) {
  if (live_bytes_ > use_.peak_bytes) {
    use_.peak_bytes = live_bytes_;
    use_.peak_ns = time_ns;
    ++peak_number_;
  }
  if (use_.live_bytes.empty()) return;
  const uint64_t since = time_ns - std::min(time_ns, first_ns_);
  const size_t bin = std::min<size_t>(since / bin_ns_, use_.live_bytes.size() - 1);
  // The level until now reaches into every bin up to this one.
  for (; bin_ < bin; ++bin_) use_.live_bytes[bin_ + 1] = level_;
  level_ = live_bytes_;
  use_.live_bytes[bin_] = std::max(use_.live_bytes[bin_], live_bytes_);
}

const MemoryUse& DeviceMemory::Finish() {
  for (; bin_ + 1 < use_.live_bytes.size(); ++bin_) use_.live_bytes[bin_ + 1] = level_;
  return use_;
}

void DeviceMemory::ForEachAtPeak(
    uint32_t process, const std::function<void(uint32_t site, uint64_t bytes, uint64_t count)>& visit) const {
  std::vector<std::pair<uint32_t, Held>> held;
  for (const auto& [key, site] : sites_) {
    const Held& at_peak = site.peak == peak_number_ ? site.at_peak : site.now;
    if (key.first == process && at_peak.count != 0) held.emplace_back(key.second, at_peak);
  }
  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [site, at_peak] : held) visit(site, at_peak.bytes, at_peak.count);
}

}  // namespace migprof::analyze
