// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/slice_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/mig/identify.h"
#include "libmigprof/mig/uuid.h"

namespace migprof::record {
namespace {

// File names are read by people and shells.
std::string Printable(std::string text) {
  for (char& c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '+' || c == '.' || c == '_';
    if (!plain) c = '_';
  }
  return text;
}

}  // namespace

SliceFiles::SliceFiles(std::string folder, ProcessInfo process, Facts facts, const mig::DriverApi& driver,
                       Definitions* definitions, const PauseLog* pauses)
    : folder_(std::move(folder)),
      process_(std::move(process)),
      facts_(std::move(facts)),
      driver_(driver),
      definitions_(definitions),
      pauses_(pauses) {}

void SliceFiles::SetLimits(const RotationLimits& limits, uint64_t (*now_ns)()) {
  if (!limits.any()) return;
  rotation_.emplace(limits);
  now_ns_ = now_ns;
}

std::string SliceFiles::PathFor(const mig::SliceIdentity& identity, int attempt) const {
  std::string name = Printable(process_.host) + "." + std::to_string(process_.pid) + "." +
                     Printable(mig::SliceLabel(identity)) + "." + CompactUtc(process_.start_ns);
  if (attempt > 0) name += "-" + std::to_string(attempt);
  return folder_ + "/" + name;
}

bool SliceFiles::IsPathOfAnother(const std::string& path) const {
  return std::any_of(files_.begin(), files_.end(), [&path](const auto& file) { return file.second.path == path; });
}

SliceFile* SliceFiles::ForDevice(uint32_t ordinal) {
  const auto known = files_.find(ordinal);
  if (known != files_.end()) {
    ++known->second.uses;
    return known->second.file.get();
  }
  if (!error_.ok()) return nullptr;
  Entry entry;
  entry.identity = Identify(ordinal);
  constexpr int kAttempts = 100;
  error_ = {"a trace file cannot be created", EEXIST};
  UseReserve(true);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    entry.path = PathFor(entry.identity, attempt);
    if (IsPathOfAnother(entry.path)) continue;  // which may have deleted its first files
    entry.file = CreateFile(ordinal, entry, 0, &error_);
    if (error_.code != EEXIST) break;
  }
  UseReserve(false);
  if (rotation_ && !error_.ok() && entry.file != nullptr) {
    const Error error = rotation_->Discard(*entry.file);
    // Others will make room; until then the caller counts what has no file.
    if (IsNoRoom(error_)) error_ = error;
    return nullptr;
  }
  if (!error_.ok()) return nullptr;
  if (rotation_) rotation_->SetNewest(ordinal, entry.file.get());
  for (const Pause& pause : pauses_->pauses()) entry.file->AddPause(pause);
  // NVML may take seconds; the file already says what the driver knows, and is amended.
  entry.known_to_nvml = AskNvml(&entry.identity);
  AddInstanceIds(&entry.identity);
  error_ = entry.file->WriteIdentity(entry.identity);
  SliceFile* const file = files_.emplace(ordinal, std::move(entry)).first->second.file.get();
  for (auto& [other, made] : files_) made.file->LimitRows(most_row_bytes_ / files_.size());
  return file;
}

std::unique_ptr<SliceFile> SliceFiles::CreateFile(uint32_t ordinal, const Entry& entry, uint32_t segment,
                                                  Error* error) {
  auto file = std::make_unique<SliceFile>(definitions_, compressor_);
  file->SetDevice(ordinal);
  std::string path = entry.path;
  if (rotation_) {
    file->SetBounds(&*rotation_, rotation_->full_rows());
    char number[16];
    std::snprintf(number, sizeof(number), ".%06u", segment);
    path += number;
  }
  *error = file->Create(path + format::kFileSuffix, ProcessFactsOf(segment), entry.identity);
  return file;
}

Facts SliceFiles::ProcessFactsOf(uint32_t segment) const {
  Facts facts = facts_;
  if (!rotation_) return facts;
  // To a reader that knows nothing of segments each is a process of its own.
  facts.emplace_back("recording_start_ns", std::to_string(process_.start_ns));
  facts.emplace_back("segment", std::to_string(segment));
  if (segment == 0) return facts;
  for (auto& [key, text] : facts) {
    if (key == "start_ns") text = std::to_string(RealtimeNs());
    if (key == "cupti_start_ns") text = std::to_string(now_ns_());
  }
  return facts;
}

Error SliceFiles::BeginSegment(uint32_t ordinal, Entry* entry) {
  // What waits for the disk goes nowhere when the file is closed: then it is closed later.
  if (!entry->file->WriteWaiting().ok()) return Error::None();
  Error error;
  rotation_->UseReserve(true);
  std::unique_ptr<SliceFile> next = CreateFile(ordinal, *entry, entry->segment + 1, &error);
  if (error.ok() && !rotation_->log(ordinal).gaps().empty()) error = next->WriteRotated(rotation_->log(ordinal));
  rotation_->UseReserve(false);
  // On a full disk the old file at least has room that is its own.
  if (error.ok() && next->waiting_bytes() != 0) error = kNoRoom;
  if (!error.ok()) {
    LogDebug("no further trace file: %s (%d)", error.what, error.code);
    return rotation_->Discard(*next);
  }
  SliceFile* const before = entry->file.get();
  for (const Pause& pause : pauses_->pauses()) next->AddPause(pause);
  next->SetGraphEventsSeen(before->graph_events_seen());
  if (before->has_graph_nodes()) {
    live_graph_nodes_.CarryTo(next.get());
    next->SetGraphEventsSeen(live_graph_nodes_.events());
  }
  live_allocations_.CarryTo(ordinal, next.get());
  next->TakeRestOf(before);
  rows_without_room_ += before->rows_without_room();
  next->LimitRows(most_row_bytes_ / files_.size());
  rotation_->SetNewest(ordinal, next.get());
  rotation_->Close(ordinal, entry->segment, *before);
  entry->file = std::move(next);
  ++entry->segment;
  return Error::None();
}

Error SliceFiles::Rotate() {
  if (!rotation_) return Error::None();
  for (auto& [ordinal, entry] : files_) {
    if (!rotation_->IsFull(*entry.file)) continue;
    if (Error error = BeginSegment(ordinal, &entry); !error.ok()) return error;
  }
  return rotation_->DropOld();
}

void SliceFiles::WriteFull() {
  if (!error_.ok()) return;
  if (!rotation_) {
    for (auto& [ordinal, entry] : files_) {
      if (error_.ok() && entry.file->is_full()) error_ = entry.file->Flush();
    }
    return;
  }
  bool any = false;
  for (auto& [ordinal, entry] : files_) any |= entry.file->is_full();
  if (!any) return;
  // A file that is closed afterwards has to have the names of its functions.
  definitions_->now().frames.ResolveNames();
  for (auto& [ordinal, entry] : files_) {
    if (error_.ok() && !entry.file->is_empty()) error_ = entry.file->Flush();
  }
  if (error_.ok()) error_ = Rotate();
}

void SliceFiles::ForgetDefinitions() {
  for (auto& [ordinal, entry] : files_) {
    if (error_.ok()) error_ = entry.file->ForgetDefinitions();
  }
}

Error SliceFiles::KeepWindow() {
  if (!rotation_ || !rotation_->has_window()) return Error::None();
  for (auto& [ordinal, entry] : files_) {
    if (!entry.file->tally().has_events()) continue;
    const SliceFile* const before = entry.file.get();
    if (Error error = BeginSegment(ordinal, &entry); !error.ok()) return error;
    if (entry.file.get() == before) rotation_->KeepWhenClosed(ordinal);
  }
  rotation_->KeepClosed();
  return Error::None();
}

uint64_t SliceFiles::rows_without_room() const {
  uint64_t rows = rows_without_room_;
  for (const auto& [ordinal, entry] : files_) rows += entry.file->rows_without_room();
  return rows;
}

mig::SliceIdentity SliceFiles::Identify(uint32_t ordinal) {
  mig::SliceIdentity identity;
  const Error error = driver_.can_identify() ? mig::IdentifyFromDriver(driver_, static_cast<int>(ordinal), &identity)
                                             : Error{"the driver could not be asked", 0};
  if (!error.ok()) {
    static LogOnce log;
    log.Print("device %u is recorded without its UUID: %s (%d)", ordinal, error.what, error.code);
    identity.gpu_name = "CUDA device " + std::to_string(ordinal);
    identity.source = "ordinal";
  }
  return identity;
}

Error SliceFiles::StateRotated(uint32_t ordinal, SliceFile* file) {
  if (!rotation_ || rotation_->log(ordinal).gaps().empty()) return Error::None();
  return file->WriteRotated(rotation_->log(ordinal));
}

void SliceFiles::UseReserve(bool use) {
  if (rotation_) rotation_->UseReserve(use);
}

bool SliceFiles::AskNvml(mig::SliceIdentity* identity) {
  if (nvml_missing_ || identity->device_uuid().empty()) return false;
  if (!nvml_loaded_) {
    if (const Error error = mig::LoadNvml(&nvml_); !error.ok()) {
      nvml_missing_ = true;
      LogDebug("NVML: %s", error.what);
      return false;
    }
    nvml_loaded_ = true;
  }
  const Error error = mig::AddFromNvml(nvml_, identity);
  if (!error.ok()) LogDebug("NVML: %s (%d)", error.what, error.code);
  return error.ok();
}

bool SliceFiles::AddInstanceIds(mig::SliceIdentity* identity) const {
  if (!identity->is_mig() || identity->gpu_instance_id) return false;
  for (const DeviceActivity& device : mig_devices_) {
    mig::UuidBytes uuid;
    std::copy_n(device.mig_uuid, uuid.size(), uuid.begin());
    if (mig::MigUuidText(uuid) != identity->mig_uuid) continue;
    identity->gpu_instance_id = device.gpu_instance_id;
    identity->compute_instance_id = device.compute_instance_id;
    identity->source += "+cupti";
    return true;
  }
  return false;
}

void SliceFiles::NoteMigDevice(const DeviceActivity& device) {
  // CUPTI says it again for each new context.
  const auto is_same = [&](const DeviceActivity& known) {
    return known.ordinal == device.ordinal && known.gpu_instance_id == device.gpu_instance_id &&
           known.compute_instance_id == device.compute_instance_id &&
           std::equal(std::begin(known.mig_uuid), std::end(known.mig_uuid), std::begin(device.mig_uuid));
  };
  if (std::any_of(mig_devices_.begin(), mig_devices_.end(), is_same)) return;
  mig_devices_.push_back(device);
  for (auto& [ordinal, entry] : files_) {
    if (AddInstanceIds(&entry.identity)) {
      const Error error = entry.file->WriteIdentity(entry.identity);
      if (error_.ok()) error_ = error;
    }
  }
}

void SliceFiles::ForEach(const std::function<void(uint32_t ordinal, SliceFile*)>& visit) {
  for (auto& [ordinal, entry] : files_) visit(ordinal, entry.file.get());
}

Error SliceFiles::WriteWaiting() {
  Error first_error;
  for (auto& [ordinal, entry] : files_) {
    const Error error = entry.file->WriteWaiting();
    if (first_error.ok()) first_error = error;
  }
  return first_error;
}

void SliceFiles::SampleCounters(CounterSampler* sampler) {
  if (!nvml_loaded_ || !sampler->is_due()) return;
  std::vector<CounterSampler::Device> devices;
  for (auto& [ordinal, entry] : files_) {
    if (!entry.known_to_nvml) continue;
    devices.push_back({ordinal, &entry.identity, entry.file->counters(), entry.uses});
  }
  sampler->Update(nvml_, devices);
}

}  // namespace migprof::record
