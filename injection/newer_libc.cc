// SPDX-License-Identifier: Apache-2.0
// What the headers and archives that libmigprof.so is made of take from libc, but glibc 2.28 does not have. Nothing of
// this is seen outside of the library: whoever else found it would take it for libc's own. Only what is linked against
// the stubs of scripts/make_glibc_stubs.py needs it.
#include "injection/newer_libc.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#define MIGPROF_HIDDEN __attribute__((visibility("hidden")))

#if __GLIBC_PREREQ(2, 32)
// Read by libstdc++ to count references without atomic instructions. "No" is always right.
extern "C" char __libc_single_threaded;
MIGPROF_HIDDEN char __libc_single_threaded = 0;
#endif

#if __GLIBC_PREREQ(2, 33)
// Where `struct stat` is the kernel's, as on x86-64 and aarch64.
extern "C" {
MIGPROF_HIDDEN int stat(const char* path, struct stat* status) noexcept {
  return static_cast<int>(syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}
MIGPROF_HIDDEN int lstat(const char* path, struct stat* status) noexcept {
  return static_cast<int>(syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW));
}
MIGPROF_HIDDEN int fstat(int file, struct stat* status) noexcept {
  return static_cast<int>(syscall(SYS_fstat, file, status));
}
// What libstdc++ calls where all files may be large; the same there.
MIGPROF_HIDDEN int fstat64(int file, struct stat64* status) noexcept {
  return static_cast<int>(syscall(SYS_fstat, file, status));
}
}
#endif

#if __GLIBC_PREREQ(2, 35)
namespace migprof::injection {
namespace {

struct Search {
  uintptr_t address;
  dl_find_object* result;
};

int LookInto(dl_phdr_info* info, size_t, void* data) {
  const auto& search = *static_cast<const Search*>(data);
  const ElfW(Phdr)* tables = nullptr;
  uintptr_t begin = UINTPTR_MAX, end = 0;
  bool found = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_GNU_EH_FRAME) tables = &segment;
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t first = info->dlpi_addr + segment.p_vaddr;
    if (first < begin) begin = first;
    if (first + segment.p_memsz > end) end = first + segment.p_memsz;
    found |= search.address - first < segment.p_memsz;
  }
  if (!found) return 0;
  dl_find_object& result = *search.result;
  result = {};
  result.dlfo_map_start = reinterpret_cast<void*>(begin);
  result.dlfo_map_end = reinterpret_cast<void*>(end);
  if (tables != nullptr) result.dlfo_eh_frame = reinterpret_cast<void*>(info->dlpi_addr + tables->p_vaddr);
  return 1;
}

}  // namespace

int FindObjectByHeaders(void* address, dl_find_object* result) noexcept {
  Search search{reinterpret_cast<uintptr_t>(address), result};
  return dl_iterate_phdr(LookInto, &search) == 1 ? 0 : -1;
}

}  // namespace migprof::injection

// How libgcc's unwinder finds the tables of the code that an exception passes through. Called when something inside of
// the library throws, which is never on the way of a CUDA call. The recorder asks libc's own, by name.
extern "C" MIGPROF_HIDDEN int _dl_find_object(void* address, dl_find_object* result) noexcept {
  using FindObject = int (*)(void*, dl_find_object*);
  static std::atomic<FindObject> known{nullptr};
  FindObject find = known.load(std::memory_order_relaxed);
  if (find == nullptr) {
    find = reinterpret_cast<FindObject>(dlsym(RTLD_DEFAULT, "_dl_find_object"));
    if (find == nullptr) find = &migprof::injection::FindObjectByHeaders;
    known.store(find, std::memory_order_relaxed);
  }
  return find(address, result);
}
#endif

#if __GLIBC_PREREQ(2, 36)
// Linked because libstdc++'s random_device lies beside what is used; the library draws no random numbers of libc's.
extern "C" MIGPROF_HIDDEN uint32_t arc4random() noexcept {
  uint32_t number = 0;
  while (syscall(SYS_getrandom, &number, sizeof(number), 0) == -1 && errno == EINTR) {
  }
  return number;
}
#endif

#if __GLIBC_PREREQ(2, 38)
// C23's read "0b" as well, which nothing here relies on. The headers rename the functions that are to be called: hence
// the declarations under other names.
extern "C" {
long migprof_strtol(const char*, char**, int) __asm__("strtol");
unsigned long migprof_strtoul(const char*, char**, int) __asm__("strtoul");
long long migprof_strtoll(const char*, char**, int) __asm__("strtoll");
unsigned long long migprof_strtoull(const char*, char**, int) __asm__("strtoull");
int migprof_vsscanf(const char*, const char*, va_list) __asm__("__isoc99_vsscanf");

MIGPROF_HIDDEN long __isoc23_strtol(const char* text, char** end, int base) noexcept {
  return migprof_strtol(text, end, base);
}
MIGPROF_HIDDEN unsigned long __isoc23_strtoul(const char* text, char** end, int base) noexcept {
  return migprof_strtoul(text, end, base);
}
MIGPROF_HIDDEN long long __isoc23_strtoll(const char* text, char** end, int base) noexcept {
  return migprof_strtoll(text, end, base);
}
MIGPROF_HIDDEN unsigned long long __isoc23_strtoull(const char* text, char** end, int base) noexcept {
  return migprof_strtoull(text, end, base);
}
MIGPROF_HIDDEN int __isoc23_sscanf(const char* text, const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  const int read = migprof_vsscanf(text, format, arguments);
  va_end(arguments);
  return read;
}
}
#endif
