// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/slice_files.h"

#include <algorithm>
#include <cerrno>

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

std::string SliceFiles::PathFor(const mig::SliceIdentity& identity, int attempt) const {
  std::string name = Printable(process_.host) + "." + std::to_string(process_.pid) + "." +
                     Printable(mig::SliceLabel(identity)) + "." + CompactUtc(process_.start_ns);
  if (attempt > 0) name += "-" + std::to_string(attempt);
  return folder_ + "/" + name + format::kFileSuffix;
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
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    entry.file = std::make_unique<SliceFile>(definitions_);
    error_ = entry.file->Create(PathFor(entry.identity, attempt), facts_, entry.identity);
    if (error_.code != EEXIST) break;
  }
  if (!error_.ok()) return nullptr;
  for (const Pause& pause : pauses_->pauses()) entry.file->AddPause(pause);
  // NVML may take seconds; the file already says what the driver knows, and is amended.
  entry.known_to_nvml = AskNvml(&entry.identity);
  AddInstanceIds(&entry.identity);
  error_ = entry.file->WriteIdentity(entry.identity);
  return files_.emplace(ordinal, std::move(entry)).first->second.file.get();
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
