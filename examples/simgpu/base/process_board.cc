// SPDX-License-Identifier: Apache-2.0
#include "base/process_board.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/complain.h"

namespace simgpu {
namespace {

const char* Folder() {
  static const char* const folder = std::getenv("SIMGPU_PROCESSES");
  return folder != nullptr && *folder != '\0' ? folder : nullptr;
}

// The kernel gives the lock back when the process ends, in whatever way, and does not hand it on to children.
struct flock WholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

void* MapFile(int file, size_t bytes, int protection) {
  void* const memory = mmap(nullptr, bytes, protection, MAP_SHARED, file, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// The number that the file is called by; 0 for any other name.
uint32_t PidOf(const char* name) {
  char* end = nullptr;
  const unsigned long pid = std::strtoul(name, &end, 10);
  return *end == '\0' ? static_cast<uint32_t>(pid) : 0;
}

// What a process that has more devices than any machine has would post.
constexpr off_t kMostBytes = 4096 * sizeof(PostedUse);

void ReadOne(const std::string& path, uint32_t pid, std::vector<ForeignUse>* uses) {
  // Whatever else lies in the folder under a number must not keep the reader waiting.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (file < 0) return;
  struct flock lock = WholeFile();
  struct stat status {};
  const bool is_board =
      fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 && status.st_size <= kMostBytes;
  const bool is_alive = is_board && fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  if (is_alive) {
    const size_t bytes = static_cast<size_t>(status.st_size);
    if (const void* const memory = MapFile(file, bytes, PROT_READ)) {
      const PostedUse* const posted = static_cast<const PostedUse*>(memory);
      for (size_t i = 0; i < bytes / sizeof(PostedUse); ++i) {
        if (posted[i].contexts.load() == 0) continue;
        const std::string device(posted[i].device, strnlen(posted[i].device, sizeof(posted[i].device)));
        uses->push_back({pid, device, posted[i].bytes.load(), posted[i].mps_client != 0});
      }
      munmap(const_cast<void*>(memory), bytes);
    }
  }
  close(file);
}

}  // namespace

bool IsMpsClient() {
  const char* const folder = std::getenv("CUDA_MPS_PIPE_DIRECTORY");
  return folder != nullptr && access((std::string(folder) + "/control").c_str(), F_OK) == 0;
}

PostedUse* PostUse(const std::vector<DeviceRef>& devices) {
  if (Folder() == nullptr || devices.empty()) return nullptr;
  const std::string path = std::string(Folder()) + "/" + std::to_string(getpid());
  const size_t bytes = devices.size() * sizeof(PostedUse);
  // Stays open: the lock is what says that the process lives.
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0644);
  struct flock lock = WholeFile();
  void* memory = nullptr;
  if (file >= 0 && ftruncate(file, static_cast<off_t>(bytes)) == 0 && fcntl(file, F_SETLK, &lock) == 0) {
    memory = MapFile(file, bytes, PROT_READ | PROT_WRITE);
  }
  if (memory == nullptr) {
    Complain("SIMGPU_PROCESSES: %s: %s", path.c_str(), std::strerror(errno));
    return nullptr;
  }
  auto* const posted = static_cast<PostedUse*>(memory);
  for (size_t i = 0; i < devices.size(); ++i) {
    const std::string device = devices[i].uuid_text();
    std::memcpy(posted[i].device, device.c_str(), std::min(device.size(), sizeof(posted[i].device)));
    posted[i].mps_client = IsMpsClient() ? 1 : 0;
  }
  return posted;
}

std::vector<ForeignUse> ReadForeignUse() {
  std::vector<ForeignUse> uses;
  DIR* const folder = Folder() != nullptr ? opendir(Folder()) : nullptr;
  if (folder == nullptr) return uses;
  while (const dirent* const entry = readdir(folder)) {
    const uint32_t pid = PidOf(entry->d_name);
    // Closing a file that this process has locked would give the lock back.
    if (pid == 0 || pid == static_cast<uint32_t>(getpid())) continue;
    ReadOne(std::string(Folder()) + "/" + entry->d_name, pid, &uses);
  }
  closedir(folder);
  return uses;
}

}  // namespace simgpu
