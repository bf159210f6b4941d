// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/rotation.h"

#include <sys/stat.h>

#include <algorithm>

namespace migprof::record {

uint64_t Rotation::segment_bytes() const {
  // Of all devices together the newest files, which cannot be deleted, are a quarter of the limit at most.
  return limits_.max_bytes / std::max<uint64_t>(kSegments, 4 * newest_.size());
}

uint32_t Rotation::full_rows() const {
  constexpr uint64_t kMost = 32 * 1024;
  constexpr uint64_t kBytesPerRow = 64;  // several kinds of rows wait at a time, with their definitions
  if (limits_.max_bytes == 0) return kMost;
  return static_cast<uint32_t>(std::clamp<uint64_t>(limits_.max_bytes / kSegments / kBytesPerRow, 256, kMost));
}

Error Rotation::MakeRoom(uint64_t bytes) {
  if (limits_.max_bytes == 0) return Error::None();
  const uint64_t limit = limits_.max_bytes - (uses_reserve_ || is_deleting_ ? 0 : kReserveBytes);
  // What waits for the disk, in whatever file, will be there as well.
  while (total_bytes_ + waiting_bytes() + bytes > limit) {
    // Where there is too much already, saying what is deleted must not be what keeps it from being deleted.
    if (is_deleting_ && total_bytes_ > limits_.max_bytes) return Error::None();
    if (is_deleting_ || closed_.empty()) return kNoRoom;
    // The oldest by its events, also if it was to be kept beyond the window.
    const auto oldest = std::min_element(closed_.begin(), closed_.end(), [](const Segment& a, const Segment& b) {
      return a.tally.last_ns < b.tally.last_ns;
    });
    if (Error error = Delete(oldest); !error.ok()) return error;
  }
  return Error::None();
}

uint64_t Rotation::waiting_bytes() const {
  uint64_t waiting = 0;
  for (const auto& [device, file] : newest_) waiting += file->waiting_bytes();
  return waiting;
}

Error Rotation::Delete(std::vector<Segment>::iterator segment) {
  SliceFile* const newest = newest_[segment->device];
  // Its numbers would wait behind that.
  if (newest->waiting_bytes() != 0) return kNoRoom;
  // What is said of a path says nothing when the folder is out of reach.
  struct stat status;
  if (lstat(newest->path().c_str(), &status) != 0 || !newest->identity().IsOf(status)) {
    return {"the output folder is no longer what it was", 0};
  }
  RotatedLog& log = logs_[segment->device];
  RotatedLog longer = log;
  longer.Add(segment->number, segment->bytes, segment->tally);
  is_deleting_ = true;
  const Error written = newest->WriteRotated(longer);
  is_deleting_ = false;
  if (!written.ok()) return written;
  // Not before the numbers are on disk: what waits in memory is gone with the process.
  if (newest->waiting_bytes() != 0) return kNoRoom;
  if (Error error = RemoveFile(segment->path, segment->identity, segment->bytes); !error.ok()) {
    // It is still there, and a reader would leave it out.
    is_deleting_ = true;
    static_cast<void>(newest->WriteRotated(log));
    is_deleting_ = false;
    return error;
  }
  log = std::move(longer);
  total_bytes_ -= segment->bytes;
  closed_.erase(segment);
  return Error::None();
}

void Rotation::Close(uint32_t device, uint32_t number, const SliceFile& file) {
  const bool is_kept = kept_when_closed_.erase(device) != 0;
  closed_.push_back({device, number, file.path(), file.identity(), file.bytes_written(), file.tally(), is_kept});
}

Error Rotation::Discard(const SliceFile& file) {
  total_bytes_ -= file.bytes_written();
  return file.identity().inode != 0 ? RemoveFile(file.path(), file.identity(), file.bytes_written()) : Error::None();
}

uint64_t Rotation::newest_ns() const {
  uint64_t newest = 0;
  for (const auto& [device, file] : newest_) newest = std::max(newest, file->tally().last_ns);
  for (const Segment& segment : closed_) newest = std::max(newest, segment.tally.last_ns);
  return newest;
}

bool Rotation::IsOldest(const SliceFile& file) const {
  const uint64_t last_ns = file.tally().last_ns;
  return std::all_of(closed_.begin(), closed_.end(),
                     [&](const Segment& segment) { return segment.tally.last_ns > last_ns; }) &&
         std::all_of(newest_.begin(), newest_.end(), [&](const auto& entry) {
           return entry.second == &file || entry.second->tally().last_ns > last_ns;
         });
}

bool Rotation::IsFull(const SliceFile& file) const {
  if (file.is_starved()) return true;
  const Tally& tally = file.tally();
  if (!tally.has_events()) return false;
  if (limits_.window_ns != 0) {
    const bool spans_a_part = tally.last_ns - tally.first_ns >= limits_.window_ns / kSegments;
    const bool is_old = tally.last_ns + limits_.window_ns < newest_ns();
    if (spans_a_part || is_old) return true;
  }
  if (limits_.max_bytes == 0) return false;
  if (file.bytes_written() >= segment_bytes()) return true;
  // Of a device that has nothing to do any more, while others are short of room.
  return file.bytes_written() >= segment_bytes() / 2 && total_bytes_ + segment_bytes() > limits_.max_bytes &&
         IsOldest(file);
}

Error Rotation::DropOld() {
  if (limits_.window_ns == 0) return Error::None();
  const uint64_t newest = newest_ns();
  for (size_t i = 0; i < closed_.size();) {
    const bool is_old = !closed_[i].is_kept && closed_[i].tally.last_ns + limits_.window_ns < newest;
    if (!is_old) {
      ++i;
      continue;
    }
    const Error error = Delete(closed_.begin() + static_cast<ptrdiff_t>(i));
    if (IsNoRoom(error)) return Error::None();  // for saying so: there may be some the next time
    if (!error.ok()) return error;
  }
  return Error::None();
}

void Rotation::KeepClosed() {
  for (Segment& segment : closed_) segment.is_kept = true;
}

}  // namespace migprof::record
