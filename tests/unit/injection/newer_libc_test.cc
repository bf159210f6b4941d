// SPDX-License-Identifier: Apache-2.0
// The functions that stand in for a newer libc's do what libc's do. They are linked into this program in their place;
// libc's own are asked for by name.
#include "injection/newer_libc.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

template <typename Function>
Function* Libcs(const char* name) {
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(libc == nullptr ? nullptr : dlsym(libc, name));
}

#if __GLIBC_PREREQ(2, 33)
using PathStat = int(const char*, struct stat*);

TEST(NewerLibc, Stat) {
  std::string link = testing::TempDir() + "/newer_libc_XXXXXX";
  ASSERT_NE(mkdtemp(link.data()), nullptr);
  link += "/link";
  ASSERT_EQ(symlink("/proc/self/exe", link.c_str()), 0);
  for (const auto& [name, own] : {std::pair<const char*, PathStat*>{"stat", &stat}, {"lstat", &lstat}}) {
    auto* const libcs = Libcs<PathStat>(name);
    ASSERT_NE(libcs, nullptr);
    ASSERT_NE(libcs, own) << "this program does not hold the functions that it is to test";
    for (const char* path : {link.c_str(), "/dev/null", "/etc/passwd", "/"}) {
      struct stat mine = {}, theirs = {};
      ASSERT_EQ(own(path, &mine), 0) << path;
      ASSERT_EQ(libcs(path, &theirs), 0) << path;
      EXPECT_EQ(std::memcmp(&mine, &theirs, sizeof(mine)), 0) << name << " " << path;
    }
    struct stat none;
    errno = 0;
    EXPECT_EQ(own("/nowhere", &none), -1);
    EXPECT_EQ(errno, ENOENT);
  }
  struct stat followed, not_followed;
  ASSERT_EQ(stat(link.c_str(), &followed), 0);
  ASSERT_EQ(lstat(link.c_str(), &not_followed), 0);
  EXPECT_TRUE(S_ISREG(followed.st_mode));
  EXPECT_TRUE(S_ISLNK(not_followed.st_mode));
  unlink(link.c_str());
  rmdir(link.substr(0, link.rfind('/')).c_str());
}

TEST(NewerLibc, StatOfOpenFiles) {
  auto* const libcs = Libcs<int(int, struct stat*)>("fstat");
  ASSERT_NE(libcs, nullptr);
  const int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  struct stat mine = {}, theirs = {};
  ASSERT_EQ(fstat(file, &mine), 0);
  ASSERT_EQ(libcs(file, &theirs), 0);
  EXPECT_EQ(std::memcmp(&mine, &theirs, sizeof(mine)), 0);
  close(file);
  errno = 0;
  EXPECT_EQ(fstat(file, &mine), -1);
  EXPECT_EQ(errno, EBADF);
}
#endif

#if __GLIBC_PREREQ(2, 35)
// The first address of every segment of all loaded objects.
std::vector<void*> LoadedAddresses() {
  std::vector<void*> addresses;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* user) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          static_cast<std::vector<void*>*>(user)->push_back(reinterpret_cast<void*>(info->dlpi_addr + segment.p_vaddr));
        }
        return 0;
      },
      &addresses);
  return addresses;
}

TEST(NewerLibc, ObjectsAreFoundAsLibcFindsThem) {
  auto* const libcs = Libcs<int(void*, dl_find_object*)>("_dl_find_object");
  ASSERT_NE(libcs, nullptr);
  const std::vector<void*> addresses = LoadedAddresses();
  ASSERT_GT(addresses.size(), 8u);
  for (void* const address : addresses) {
    dl_find_object mine = {}, theirs = {};
    ASSERT_EQ(migprof::injection::FindObjectByHeaders(address, &mine), 0);
    ASSERT_EQ(libcs(address, &theirs), 0);
    EXPECT_EQ(mine.dlfo_eh_frame, theirs.dlfo_eh_frame);
#if defined(__aarch64__)
    // The large pages that it is prepared for leave holes between segments, and libc then names one segment only.
    EXPECT_LE(mine.dlfo_map_start, theirs.dlfo_map_start);
    EXPECT_GE(mine.dlfo_map_end, theirs.dlfo_map_end);
#else
    EXPECT_EQ(mine.dlfo_map_start, theirs.dlfo_map_start);
    EXPECT_EQ(mine.dlfo_map_end, theirs.dlfo_map_end);
#endif
  }
}

TEST(NewerLibc, NoObjectIsFoundWhereNoneIs) {
  dl_find_object result;
  int on_the_stack = 0;
  const auto heap = std::make_unique<char[]>(1 << 20);
  for (void* const address :
       {static_cast<void*>(&on_the_stack), static_cast<void*>(heap.get()), static_cast<void*>(nullptr)}) {
    EXPECT_EQ(migprof::injection::FindObjectByHeaders(address, &result), -1);
    EXPECT_EQ(_dl_find_object(address, &result), -1);
  }
}
#endif

}  // namespace
