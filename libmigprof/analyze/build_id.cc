// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"

namespace migprof::analyze {
namespace {

constexpr uint64_t kMostNoteBytes = 64 * 1024;
constexpr size_t kMostHeaders = 65535;

bool ReadAt(int descriptor, uint64_t offset, void* out, size_t bytes) {
  return pread(descriptor, out, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

// The build id in a section or segment of notes.
std::string FindInNotes(int descriptor, uint64_t offset, uint64_t size) {
  std::vector<char> notes(std::min(size, kMostNoteBytes));
  if (!ReadAt(descriptor, offset, notes.data(), notes.size())) return "";
  const char* position = notes.data();
  size_t left = notes.size();
  Elf64_Nhdr note;
  while (left >= sizeof(note)) {
    std::memcpy(&note, position, sizeof(note));
    const uint64_t name_bytes = (uint64_t{note.n_namesz} + 3) & ~uint64_t{3};
    const uint64_t total = sizeof(note) + name_bytes + ((uint64_t{note.n_descsz} + 3) & ~uint64_t{3});
    if (total > left) return "";
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(position + sizeof(note), "GNU", 4) == 0) {
      return absl::BytesToHexString({position + sizeof(note) + name_bytes, note.n_descsz});
    }
    position += total;
    left -= total;
  }
  return "";
}

}  // namespace

std::string ReadBuildId(int descriptor) {
  Elf64_Ehdr header;
  if (!ReadAt(descriptor, 0, &header, sizeof(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return "";
  }
  // Sections first: in a file that holds debug information only, the segments point at nothing.
  if (header.e_shentsize == sizeof(Elf64_Shdr) && header.e_shnum <= kMostHeaders) {
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    if (ReadAt(descriptor, header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr))) {
      for (const Elf64_Shdr& section : sections) {
        if (section.sh_type != SHT_NOTE) continue;
        if (std::string id = FindInNotes(descriptor, section.sh_offset, section.sh_size); !id.empty()) return id;
      }
    }
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return "";
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!ReadAt(descriptor, header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr))) return "";
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE) continue;
    if (std::string id = FindInNotes(descriptor, segment.p_offset, segment.p_filesz); !id.empty()) return id;
  }
  return "";
}

int OpenRegularFile(const std::string& path) {
  // A path from a trace may name anything, a pipe or a device with a life of its own included.
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return -1;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return -1;
  }
  return descriptor;
}

}  // namespace migprof::analyze
