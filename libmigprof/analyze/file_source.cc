// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"

namespace migprof::analyze {
namespace {

class FileSource : public format::ByteSource {
 public:
  FileSource(int descriptor, uint64_t size) : descriptor_(descriptor), size_(size) {}
  ~FileSource() override { close(descriptor_); }

  uint64_t size() const override { return size_; }

  size_t ReadAt(uint64_t offset, std::span<uint8_t> out) override {
    size_t total = 0;
    while (total < out.size()) {
      const ssize_t got =
          pread(descriptor_, out.data() + total, out.size() - total, static_cast<off_t>(offset + total));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      total += got;
    }
    return total;
  }

 private:
  int descriptor_;
  uint64_t size_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<format::ByteSource>> OpenTraceFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return absl::NotFoundError(std::strerror(errno));
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return absl::InvalidArgumentError("not a regular file");
  }
  return std::make_unique<FileSource>(descriptor, static_cast<uint64_t>(status.st_size));
}

}  // namespace migprof::analyze
