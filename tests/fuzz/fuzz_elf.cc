// SPDX-License-Identifier: Apache-2.0
// Binaries that nobody vouches for: the build id that the analysis looks for, and the names that the recorder looks up.
// The input is either a whole file, or the content of the sections of one whose headers are made here, most of them
// right.
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "libmigprof/analyze/build_id.h"
#include "libmigprof/record/symbol_scan.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/scratch.h"

namespace {

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// A number that is right, unless the input wants another.
template <typename T>
void MaySpoil(FuzzInput* input, T* number) {
  const uint8_t choice = input->Byte();
  if (choice == 255) *number = input->Number<T>();
  if (choice == 254) *number = static_cast<T>(*number + input->Byte());
}

struct Section {
  uint32_t type;
  std::string content;
};

std::string Note(FuzzInput* input) {
  Elf64_Nhdr note{.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
  MaySpoil(input, &note.n_namesz);
  MaySpoil(input, &note.n_descsz);
  MaySpoil(input, &note.n_type);
  std::string content(BytesOf(note));
  content += std::string_view("GNU\0", 4);
  content += input->ShortText();
  return content;
}

std::string Symbols(FuzzInput* input) {
  std::string content;
  const size_t count = input->Byte() % 32;
  for (size_t i = 0; i < count; ++i) {
    Elf64_Sym symbol{};
    symbol.st_name = input->Byte();
    symbol.st_info = input->Byte();
    symbol.st_shndx = input->Byte();
    symbol.st_value = input->Number<uint16_t>();
    symbol.st_size = input->Byte();
    MaySpoil(input, &symbol.st_value);
    MaySpoil(input, &symbol.st_size);
    content += BytesOf(symbol);
  }
  return content;
}

std::string MakeElf(FuzzInput* input) {
  std::vector<Section> sections = {{SHT_NULL, ""},
                                   {SHT_NOTE, Note(input)},
                                   {input->Bool() ? uint32_t{SHT_SYMTAB} : uint32_t{SHT_DYNSYM}, Symbols(input)},
                                   {SHT_STRTAB, std::string(input->ShortText())}};
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shnum = static_cast<uint16_t>(sections.size());
  header.e_shoff = sizeof(header);
  header.e_phnum = 1;
  header.e_phoff = header.e_shoff + sections.size() * sizeof(Elf64_Shdr);
  MaySpoil(input, &header.e_shnum);
  MaySpoil(input, &header.e_shoff);
  MaySpoil(input, &header.e_phnum);
  uint64_t offset = header.e_phoff + sizeof(Elf64_Phdr);
  std::string headers;
  std::string contents;
  for (const Section& section : sections) {
    Elf64_Shdr entry{};
    entry.sh_type = section.type;
    entry.sh_offset = offset + contents.size();
    entry.sh_size = section.content.size();
    entry.sh_link = 3;
    MaySpoil(input, &entry.sh_type);
    MaySpoil(input, &entry.sh_offset);
    MaySpoil(input, &entry.sh_size);
    MaySpoil(input, &entry.sh_link);
    headers += BytesOf(entry);
    contents += section.content;
  }
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = offset;
  segment.p_filesz = sections[1].content.size();
  MaySpoil(input, &segment.p_offset);
  MaySpoil(input, &segment.p_filesz);
  return std::string(BytesOf(header)) + headers + std::string(BytesOf(segment)) + contents;
}

void UseFile(const std::string& path, const std::string& content) {
  WriteScratch(path, content);
  const int descriptor = migprof::analyze::OpenRegularFile(path);
  Check(descriptor >= 0, "a regular file can be opened");
  const std::string build_id = migprof::analyze::ReadBuildId(descriptor);
  Check(build_id == migprof::analyze::ReadBuildId(descriptor), "a file always has the same build id");
  close(descriptor);
  Check(build_id.find_first_not_of("0123456789abcdef") == std::string::npos && build_id.size() % 2 == 0,
        "a build id is bytes in hexadecimal");
  Check(build_id.size() <= 2 * content.size(), "and comes from the file");

  std::vector<migprof::record::SymbolQuery> queries(24);
  for (size_t i = 0; i < queries.size(); ++i) queries[i].address = i < 20 ? i * 251 : UINT64_MAX - i;
  std::vector<migprof::record::SymbolQuery> again = queries;
  const bool found = migprof::record::ScanSymbols(path, "", queries);
  for (size_t i = 0; i < queries.size(); ++i) {
    Check(found || queries[i].name.empty(), "an unusable file answers nothing");
    Check(queries[i].name.size() <= 16 * 1024 && queries[i].name.find('\0') == std::string::npos, "a name is a text");
    Check(queries[i].offset <= queries[i].address, "a function begins before what lies in it");
  }
  Check(migprof::record::ScanSymbols(path, "", again) == found, "a file is always used or never");
  for (size_t i = 0; i < queries.size(); ++i) Check(again[i].name == queries[i].name, "a file always answers alike");
  Check(!migprof::record::ScanSymbols(path, "not a build id", again), "a file of another build is not used");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = ScratchFolder() + "/binary";
  UseFile(path, {reinterpret_cast<const char*>(data), size});
  FuzzInput input(data, size);
  UseFile(path, MakeElf(&input));
  return 0;
}
