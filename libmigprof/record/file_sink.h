// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libmigprof/base/error.h"
#include "libmigprof/format/byte_stream.h"
#include "libmigprof/record/disk_room.h"

namespace migprof::record {

// Makes `folder` (and what is above it) if it is not there: new folders are private to the user. Fails if it cannot be
// written to.
Error MakeTraceFolder(const std::string& folder);

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool IsOf(const struct stat& file) const { return file.st_dev == device && file.st_ino == inode; }
};

// Removes the file `identity`, which has `bytes`, by its name; nothing when that is another file by now, or none.
// The number of an inode soon comes again; with the same size, hardly.
Error RemoveFile(const std::string& path, const FileIdentity& identity, uint64_t bytes);

// A new trace file. Disks are full for a moment, descriptors used up, servers away: what cannot be written then waits
// in memory, in order, and goes first the next time. Drain thread only.
class FileSink : public format::ByteSink {
 public:
  // Beyond so much nothing more is taken: some half a million events.
  static constexpr size_t kMostWaitingBytes = 4 << 20;

  ~FileSink() override;

  // Whom to ask before anything is written, and to tell of what was. Before Create; null: nobody.
  void SetRoom(DiskRoom* room) { room_ = room; }

  // Creates `path`, which must not exist and is not followed if it is a link; private to the user. When that fails for
  // a reason that may pass, it is tried again with each Append.
  Error Create(const std::string& path);

  // One write(2) per call as long as the kernel takes it whole. Refuses when the descriptor is no longer this file (an
  // application that closes all descriptors and opens its own must not find trace bytes in them), when writing failed
  // for a reason that does not pass, and when too much waits already.
  Error Append(std::span<const uint8_t> bytes) override;

  // Tries once more what waits. No error while there is nothing left.
  Error WriteWaiting();

  // Whether what is written still reaches somebody: an error when the file was deleted, or closed by the application.
  // Of a file that was moved nothing is lost.
  Error Check() const;

  // Gives up what waits, and what the file holds beyond `bytes`: the next Append takes its place, and that of others
  // only after it is used up. What others could take meanwhile is not let go of before.
  Error CutTo(uint64_t bytes);
  // Lets go of what no Append came for.
  void EndCut();

  size_t waiting_bytes() const { return waiting_.size(); }
  Error MakeRoom(uint64_t bytes) override { return room_ != nullptr ? room_->MakeRoom(bytes) : Error::None(); }

  uint64_t bytes_written() const { return bytes_written_; }
  // What tells the file from another one of its name.
  FileIdentity identity() const { return {identity_.st_dev, identity_.st_ino}; }

 private:
  int OpenNew();
  Error WriteSome(std::span<const uint8_t>* bytes);

  std::string path_;
  int descriptor_ = -1;
  struct stat identity_ {};
  std::vector<uint8_t> waiting_;
  uint64_t bytes_written_ = 0;
  uint64_t end_of_file_ = 0;  // after CutTo, and until what is written has got there; else 0
  DiskRoom* room_ = nullptr;
};

}  // namespace migprof::record
