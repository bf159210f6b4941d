// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/live_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "libmigprof/mig/gpu_use.h"
#include "libmigprof/mig/nvml_ask.h"
#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/mig/nvml_memory.h"
#include "libmigprof/mig/topology_reader.h"

namespace migprof::mig {
namespace {

uint64_t UnixNanoseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

// A driver that refuses for good must not be asked for everything in every reading.
constexpr int kListsPerRelist = 10;

// Told of a handle whose slice was destroyed, or whose GPU is lost.
bool IsGone(int code) {
  return code == kNvmlNotFound || code == kNvmlInvalidArgument || code == kNvmlUninitialized || code == kNvmlGpuIsLost;
}

std::optional<LiveCounter> LiveCounterOf(Counter counter) {
  switch (counter) {
    case Counter::kGraphicsUtilization:
      return LiveCounter::kGraphics;
    case Counter::kSmUtilization:
      return LiveCounter::kSm;
    case Counter::kSmOccupancy:
      return LiveCounter::kOccupancy;
    case Counter::kTensorUtilization:
      return LiveCounter::kTensor;
    case Counter::kDramBandwidthUtilization:
      return LiveCounter::kDram;
    default:
      return std::nullopt;
  }
}

// GPM tells of GPU instances as a whole.
bool SharesCounters(const LiveSlice& a, const LiveSlice& b) {
  return a.gpu_index == b.gpu_index && a.gpu_instance_id.has_value() && a.gpu_instance_id == b.gpu_instance_id;
}

// Whether it is still what it was: UUIDs and ids come again when another slice takes the place.
bool IsSame(const LiveSlice& a, const LiveSlice& b) {
  return a.gpu_uuid == b.gpu_uuid && a.mig_uuid == b.mig_uuid && a.gpu_instance_id == b.gpu_instance_id &&
         a.compute_instance_id == b.compute_instance_id && a.profile == b.profile && a.sm_count == b.sm_count &&
         a.memory_bytes == b.memory_bytes;
}

}  // namespace

LiveReader::LiveReader(const NvmlApi& nvml, const NvmlCounterApi& counters, std::chrono::nanoseconds relist,
                       const std::string& proc)
    : nvml_(nvml), counter_api_(counters), relist_(relist), names_(proc) {}

LiveReader::~LiveReader() {
  sources_.clear();
  Close();
}

bool LiveReader::Open() {
  if (is_open_) return true;
  is_open_ = nvml_.init() == kNvmlSuccess;
  return is_open_;
}

void LiveReader::Close() {
  if (is_open_) nvml_.shutdown();
  is_open_ = false;
}

LiveSample LiveReader::Read() {
  const auto start = std::chrono::steady_clock::now();
  const bool is_due = !has_list_ || start - listed_ >= relist_ || !sample_.problem.empty();
  // Listing reads everything. A slice that is gone shows in a refusal, and there is a new list in the same reading.
  if (is_due || (!Refresh() && start - listed_ >= relist_ / kListsPerRelist)) ListSlices();
  ReadCounters();
  sample_.time_ns = UnixNanoseconds();
  sample_.took_ns = static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
  return sample_;
}

void LiveReader::ListSlices() {
  // Held while listing, so that the listing's own initialisation costs nothing.
  Open();
  names_.Forget();
  Host host = ReadTopology(nvml_, names_);
  if (!host.problem.empty()) {
    sources_.clear();
    Close();
  }
  std::vector<LiveSlice> slices;
  const std::vector<LiveGpu> before = std::exchange(sample_.gpus, {});
  for (const Gpu& gpu : host.gpus) AddGpu(gpu, &slices);
  for (size_t i = 0; i < sample_.gpus.size() && before.size() == sample_.gpus.size(); ++i) {
    LiveGpu& gpu = sample_.gpus[i];
    // A lost GPU may not even say who it is.
    if (gpu.refusal == kNvmlSuccess || !gpu.uuid.empty()) continue;
    gpu.uuid = before[i].uuid;
    gpu.name = before[i].name;
  }
  KeepHistory(&slices);
  sample_.host = std::move(host.name);
  sample_.simulated = host.simulated;
  sample_.driver_version = std::move(host.driver_version);
  sample_.problem = std::move(host.problem);
  sample_.problem_code = host.problem_code;
  std::vector<LiveSlice> old = std::exchange(sample_.slices, std::move(slices));
  sample_.topology_ns = UnixNanoseconds();
  listed_ = std::chrono::steady_clock::now();
  has_list_ = true;
  FindSources(std::move(old));
}

void LiveReader::AddGpu(const Gpu& gpu, std::vector<LiveSlice>* slices) {
  const size_t before = slices->size();
  LiveSlice common;
  common.gpu_index = gpu.index;
  common.gpu_uuid = gpu.uuid;
  common.gpu_name = gpu.name;
  common.pci_bus_id = gpu.pci_bus_id;
  if (gpu.refusal == kNvmlSuccess && gpu.mode != MigMode::kOn) {
    LiveSlice& whole = slices->emplace_back(common);
    whole.sm_count = gpu.sm_count;
    whole.memory_bytes = gpu.memory_bytes;
    whole.memory_used_bytes = gpu.memory_used_bytes;
    whole.use = gpu.use;
  }
  for (const GpuInstance& instance : gpu.gpu_instances) {
    if (gpu.refusal != kNvmlSuccess) break;
    for (const ComputeInstance& compute : instance.compute_instances) {
      LiveSlice& slice = slices->emplace_back(common);
      slice.gpu_instance_id = instance.id;
      slice.gpu_instance_profile = instance.profile;
      slice.compute_instance_id = compute.id;
      slice.profile = compute.profile;
      slice.mig_uuid = compute.uuid;
      slice.sm_count = compute.sm_count;
      slice.siblings = static_cast<unsigned>(instance.compute_instances.size());
      slice.memory_bytes = instance.memory_bytes;
      slice.memory_used_bytes = instance.memory_used_bytes;
      slice.use = compute.use;
    }
  }
  LiveGpu& live = sample_.gpus.emplace_back();
  live.index = gpu.index;
  live.uuid = gpu.uuid;
  live.name = gpu.name;
  live.refusal = gpu.refusal;
  live.is_mig = gpu.mode == MigMode::kOn;
  live.slices = slices->size() - before;
  live.all_in_view = gpu.listing_refusal == kNvmlSuccess;
}

void LiveReader::KeepHistory(std::vector<LiveSlice>* slices) const {
  const uint64_t now = UnixNanoseconds();
  for (LiveSlice& slice : *slices) {
    const auto is_same = [&](const LiveSlice& known) { return IsSame(known, slice); };
    const auto known = std::find_if(sample_.slices.begin(), sample_.slices.end(), is_same);
    slice.first_seen_ns = known == sample_.slices.end() ? now : known->first_seen_ns;
    // Said once for all time.
    if (known != sample_.slices.end()) slice.counter_refusal = known->counter_refusal;
  }
}

// Counters of slices that are still there go on: they are about the time since they were read last.
void LiveReader::FindSources(std::vector<LiveSlice> before) {
  std::vector<Source> old = std::exchange(sources_, {});
  old.resize(before.size());
  for (const LiveSlice& slice : sample_.slices) {
    const std::string& uuid = slice.mig_uuid.empty() ? slice.gpu_uuid : slice.mig_uuid;
    Source source;
    if (Ask(nvml_.device_get_handle_by_uuid, uuid.c_str(), &source.device) != kNvmlSuccess) source.device = nullptr;
    const bool is_first = sources_.empty() || !SharesCounters(sample_.slices[sources_.size() - 1], slice);
    for (size_t i = 0; i < before.size() && is_first; ++i) {
      if (old[i].counters != nullptr && IsSame(before[i], slice)) source.counters = std::move(old[i].counters);
    }
    if (is_first && source.counters == nullptr) OpenCounters(slice, &source);
    sources_.push_back(std::move(source));
  }
}

void LiveReader::OpenCounters(const LiveSlice& slice, Source* source) {
  SliceIdentity identity;
  identity.gpu_uuid = slice.gpu_uuid;
  identity.mig_uuid = slice.mig_uuid;
  identity.gpu_instance_id = slice.gpu_instance_id;
  identity.compute_instance_id = slice.compute_instance_id;
  source->counters = std::make_unique<SliceCounters>();
  if (!source->counters->Open(nvml_, counter_api_, identity).ok()) source->counters = nullptr;
}

bool LiveReader::HasCounters() const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].counters != nullptr && sample_.slices[i].counter_refusal == kNvmlSuccess) return true;
  }
  return false;
}

void LiveReader::ReadCounters() {
  bool has_values = false;
  for (size_t i = 0; i < sample_.slices.size(); ++i) {
    LiveSlice& slice = sample_.slices[i];
    if (sources_[i].counters == nullptr) {
      if (i == 0 || !SharesCounters(sample_.slices[i - 1], slice)) continue;
      slice.counters = sample_.slices[i - 1].counters;
      slice.counter_refusal = sample_.slices[i - 1].counter_refusal;
      continue;
    }
    slice.counters = {};
    for (const CounterReading& reading : sources_[i].counters->Read()) {
      const std::optional<LiveCounter> counter = LiveCounterOf(reading.counter);
      if (!counter) continue;
      if (*counter == LiveCounter::kSm) slice.counter_refusal = reading.error;
      if (reading.error != kNvmlSuccess || std::isnan(reading.value)) continue;
      slice.counters[static_cast<size_t>(*counter)] = LiveValue{reading.value, reading.stale};
      has_values = true;
    }
  }
  const auto now = std::chrono::steady_clock::now();
  sample_.interval_ns = has_values ? static_cast<uint64_t>(std::chrono::nanoseconds(now - counted_).count()) : 0;
  counted_ = now;
}

// Whether all slices are what was listed.
bool LiveReader::Refresh() {
  bool all_there = true;
  for (size_t i = 0; i < sample_.slices.size(); ++i) all_there &= RefreshSlice(i);
  return all_there;
}

bool LiveReader::RefreshSlice(size_t index) {
  LiveSlice& slice = sample_.slices[index];
  NvmlDevice const device = sources_[index].device;
  if (device == nullptr) return true;  // not to be had by its UUID: read with the next list
  const MemoryAnswer memory = AskMemory(nvml_, device);
  slice.memory_used_bytes = memory.used;
  slice.use = ReadUse(nvml_, names_, device, slice.gpu_instance_id, slice.compute_instance_id);
  return !IsGone(memory.result) && !IsGone(slice.use.refusal);
}

}  // namespace migprof::mig
