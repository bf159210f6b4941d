// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "libmigprof/base/foreign_link.h"

namespace migprof::record {

namespace {

constexpr Error kForeignLink = {"the output folder is behind a link of another user", 0};

}  // namespace

Error MakeTraceFolder(const std::string& folder) {
  // Before, so that nothing is made behind such a link; and after, because it may have been planted meanwhile.
  if (HasForeignLink(folder)) return kForeignLink;
  for (size_t slash = folder.find('/', 1); slash != std::string::npos; slash = folder.find('/', slash + 1)) {
    // What cannot be made shows at the last component.
    [[maybe_unused]] const int ignored = mkdir(folder.substr(0, slash).c_str(), 0700);
  }
  if (mkdir(folder.c_str(), 0700) == 0) {
    [[maybe_unused]] const int ignored = chmod(folder.c_str(), 0700);  // whatever the application's umask says
  } else if (errno != EEXIST) {
    return {"the output folder cannot be created", errno};
  }
  if (HasForeignLink(folder)) return kForeignLink;
  if (access(folder.c_str(), W_OK | X_OK) != 0) return {"the output folder cannot be written to", errno};
  return Error::None();
}

Error RemoveFile(const std::string& path, const FileIdentity& identity, uint64_t bytes) {
  struct stat now;
  if (lstat(path.c_str(), &now) != 0 || !identity.IsOf(now) || static_cast<uint64_t>(now.st_size) != bytes) {
    return Error::None();
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return {"an old trace file cannot be removed", errno};
  return Error::None();
}

FileSink::~FileSink() {
  struct stat now;
  if (descriptor_ >= 0 && fstat(descriptor_, &now) == 0 && now.st_ino == identity_.st_ino &&
      now.st_dev == identity_.st_dev) {
    close(descriptor_);
  }
}

Error FileSink::Create(const std::string& path) {
  descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0600);
  if (descriptor_ < 0) return {"a trace file cannot be created", errno};
  if (descriptor_ <= STDERR_FILENO) {
    // The application has closed it, and what it still writes there must not end up in a trace.
    const int low = descriptor_;
    descriptor_ = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    const int error = errno;
    close(low);
    if (descriptor_ < 0) return {"a trace file cannot be created", error};
  }
  // The application's umask may say that not even its owner reads it.
  if (fchmod(descriptor_, 0600) != 0) return {"a trace file cannot be made private", errno};
  if (fstat(descriptor_, &identity_) != 0) return {"a trace file cannot be examined", errno};
  return Error::None();
}

Error FileSink::Append(std::span<const uint8_t> bytes) {
  struct stat now;
  if (fstat(descriptor_, &now) != 0 || now.st_ino != identity_.st_ino || now.st_dev != identity_.st_dev) {
    return {"the application closed the trace file", errno};
  }
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return {"a trace file cannot be written", errno};
    }
    bytes = bytes.subspan(written);
    bytes_written_ += written;
    if (room_ != nullptr) room_->Took(written);
  }
  return Error::None();
}

}  // namespace migprof::record
