// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "libmigprof/base/foreign_link.h"

namespace migprof::record {

namespace {

constexpr Error kForeignLink = {"the output folder is behind a link of another user", 0};
constexpr char kNotCreated[] = "a trace file cannot be created";
constexpr char kNotWritten[] = "a trace file cannot be written";
constexpr char kNotCut[] = "a trace file cannot be cut";
constexpr char kClosed[] = "the application closed the trace file";

// Whether what failed with `error` may work a moment later. Of a limit on the size of files (EFBIG) too, since a
// program may raise it.
bool MayPass(int error) {
  constexpr int kPassing[] = {EAGAIN, EINTR,  EIO,   ENOMEM, ENOSPC,    EDQUOT,
                              EMFILE, ENFILE, EFBIG, EBUSY,  ETIMEDOUT, ESTALE};
  return std::find(std::begin(kPassing), std::end(kPassing), error) != std::end(kPassing);
}

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
  struct stat there;
  if (stat(folder.c_str(), &there) == 0 && !S_ISDIR(there.st_mode)) {
    return {"the output folder (MIGPROF_OUTPUT) is not a folder", 0};
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
  path_ = path;
  const int error = OpenNew();
  return error == 0 || MayPass(error) ? Error::None() : Error{kNotCreated, error};
}

// Returns 0 or an errno; then there is no such file.
int FileSink::OpenNew() {
  int descriptor = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0600);
  if (descriptor < 0) return errno;
  int error = 0;
  if (descriptor <= STDERR_FILENO) {
    // The application has closed it, and what it still writes there must not end up in a trace.
    const int low = descriptor;
    descriptor = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (descriptor < 0) error = errno;
    close(low);
  }
  // The application's umask may say that not even its owner reads it.
  if (error == 0 && (fchmod(descriptor, 0600) != 0 || fstat(descriptor, &identity_) != 0)) error = errno;
  if (error == 0) {
    descriptor_ = descriptor;
    return 0;
  }
  if (descriptor >= 0) close(descriptor);
  unlink(path_.c_str());
  return error;
}

Error FileSink::Check() const {
  if (descriptor_ < 0) return Error::None();  // not made yet
  struct stat now;
  if (fstat(descriptor_, &now) != 0) return {errno == EBADF ? kClosed : kNotWritten, errno};
  if (now.st_ino != identity_.st_ino || now.st_dev != identity_.st_dev) return {kClosed, EBADF};
  // Some file systems never count links.
  if (now.st_nlink == 0 && identity_.st_nlink != 0) return {"the trace file was deleted", ENOENT};
  return Error::None();
}

// Takes what could be written off the front of `*bytes`.
Error FileSink::WriteSome(std::span<const uint8_t>* bytes) {
  if (descriptor_ < 0) {
    if (const int error = OpenNew(); error != 0) return {kNotCreated, error};
  }
  if (Error error = Check(); !error.ok()) return error;
  while (!bytes->empty()) {
    const ssize_t written = write(descriptor_, bytes->data(), bytes->size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return {kNotWritten, errno};
    }
    if (written == 0) return {kNotWritten, EIO};
    *bytes = bytes->subspan(written);
    bytes_written_ += written;
    if (room_ != nullptr) room_->Took(written);
  }
  EndCut();
  return Error::None();
}

Error FileSink::WriteWaiting() {
  if (waiting_.empty()) return Error::None();
  std::span<const uint8_t> left = waiting_;
  const Error error = WriteSome(&left);
  waiting_.erase(waiting_.begin(), waiting_.end() - static_cast<ptrdiff_t>(left.size()));
  if (waiting_.empty()) waiting_.shrink_to_fit();
  return error;
}

Error FileSink::CutTo(uint64_t bytes) {
  waiting_ = {};
  if (bytes >= bytes_written_) return Error::None();
  if (Error error = Check(); !error.ok()) return error;
  const uint64_t end = std::max(bytes_written_, end_of_file_);
  struct stat now;
  // What somebody else has added or cut is not understood, and left alone.
  if (fstat(descriptor_, &now) != 0 || static_cast<uint64_t>(now.st_size) != end) return {kNotCut, errno};
  // The descriptor is this sink's alone, and so are its flags and its position.
  if (fcntl(descriptor_, F_SETFL, 0) != 0 || lseek(descriptor_, static_cast<off_t>(bytes), SEEK_SET) < 0) {
    return {kNotCut, errno};
  }
  if (room_ != nullptr) room_->GaveBack(bytes_written_ - bytes);
  bytes_written_ = bytes;
  end_of_file_ = end;
  return Error::None();
}

void FileSink::EndCut() {
  if (end_of_file_ <= bytes_written_ || !Check().ok()) return;
  if (ftruncate(descriptor_, static_cast<off_t>(bytes_written_)) == 0) end_of_file_ = 0;
}

Error FileSink::Append(std::span<const uint8_t> bytes) {
  std::span<const uint8_t> left = bytes;
  Error error = WriteWaiting();
  if (error.ok()) error = WriteSome(&left);
  if (error.ok() || !MayPass(error.code)) return error;
  // What has been begun must be finished.
  const bool has_begun = left.size() < bytes.size();
  if (!has_begun && waiting_.size() + left.size() > kMostWaitingBytes) return error;
  waiting_.insert(waiting_.end(), left.begin(), left.end());
  return Error::None();
}

}  // namespace migprof::record
