// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/symbol_scan.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace migprof::record {
namespace {

class File {
 public:
  // Without waiting: a pipe may lie where the binary was.
  explicit File(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool Read(uint64_t offset, void* out, size_t bytes) const {
    auto* position = static_cast<uint8_t*>(out);
    while (bytes > 0) {
      const ssize_t got = pread(descriptor_, position, bytes, static_cast<off_t>(offset));
      if (got <= 0) return false;
      position += got;
      offset += got;
      bytes -= got;
    }
    return true;
  }

  // The zero-terminated text at `offset`, at most `limit` bytes of it.
  std::string ReadText(uint64_t offset, uint64_t limit) const {
    std::string text;
    char block[256];
    while (limit > 0) {
      const ssize_t got =
          pread(descriptor_, block, std::min<uint64_t>(sizeof(block), limit), static_cast<off_t>(offset));
      if (got <= 0) break;
      const size_t length = strnlen(block, got);
      text.append(block, length);
      if (length < static_cast<size_t>(got)) break;
      offset += got;
      limit -= got;
    }
    return text;
  }

 private:
  int descriptor_;
};

constexpr uint64_t kLongestName = 16 * 1024;
constexpr size_t kSymbolsPerRead = 2048;
// A symbol without a size names what follows it, but only so far.
constexpr uint64_t kReachOfUnsized = 4096;

bool HasBuildId(const File& file, const Elf64_Shdr& section, const std::string& build_id) {
  std::vector<uint8_t> notes(std::min<uint64_t>(section.sh_size, 4096));
  if (!file.Read(section.sh_offset, notes.data(), notes.size())) return false;
  std::string hexadecimal;
  for (const uint8_t byte : notes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hexadecimal += kDigits[byte >> 4];
    hexadecimal += kDigits[byte & 15];
  }
  return hexadecimal.find(build_id) != std::string::npos;
}

// The best symbol so far for one query.
struct Candidate {
  uint64_t start = 0;
  uint32_t name = 0;
  bool sized = false;
  bool global = false;
  bool found = false;
};

bool IsBetter(const Candidate& candidate, const Candidate& than) {
  if (!than.found) return true;
  if (candidate.sized != than.sized) return candidate.sized;
  if (candidate.start != than.start) return candidate.start > than.start;
  if (candidate.global != than.global) return candidate.global;
  return candidate.name < than.name;  // aliases: any, but always the same
}

void Consider(const Elf64_Sym& symbol, std::span<SymbolQuery* const> sorted, std::vector<Candidate>* best) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && symbol.st_size == 0);
  if (!is_function || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || symbol.st_name == 0) return;
  const uint64_t end = symbol.st_value + (symbol.st_size != 0 ? symbol.st_size : kReachOfUnsized);
  auto query = std::lower_bound(sorted.begin(), sorted.end(), symbol.st_value,
                                [](const SymbolQuery* q, uint64_t value) { return q->address < value; });
  for (; query != sorted.end() && (*query)->address < end; ++query) {
    const Candidate candidate{symbol.st_value, symbol.st_name, symbol.st_size != 0,
                              ELF64_ST_BIND(symbol.st_info) != STB_LOCAL, true};
    Candidate& current = (*best)[query - sorted.begin()];
    if (IsBetter(candidate, current)) current = candidate;
  }
}

}  // namespace

bool ScanSymbols(const std::string& path, const std::string& build_id, std::span<SymbolQuery> queries) {
  const File file(path);
  Elf64_Ehdr header;
  if (!file.Read(0, &header, sizeof(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0) {
    return false;
  }
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!file.Read(header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr))) return false;

  const Elf64_Shdr* table = nullptr;
  bool right_file = build_id.empty();
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type == SHT_SYMTAB || (section.sh_type == SHT_DYNSYM && table == nullptr)) table = &section;
    if (section.sh_type == SHT_NOTE && !right_file) right_file = HasBuildId(file, section, build_id);
  }
  if (!right_file || table == nullptr || table->sh_link >= sections.size()) return false;
  const Elf64_Shdr& names = sections[table->sh_link];

  std::vector<SymbolQuery*> sorted;
  for (SymbolQuery& query : queries) sorted.push_back(&query);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->address < b->address; });
  std::vector<Candidate> best(sorted.size());
  std::vector<Elf64_Sym> symbols(kSymbolsPerRead);
  uint64_t left = table->sh_size / sizeof(Elf64_Sym);
  for (uint64_t offset = table->sh_offset; left > 0;) {
    const size_t count = std::min<uint64_t>(left, kSymbolsPerRead);
    if (!file.Read(offset, symbols.data(), count * sizeof(Elf64_Sym))) return false;
    for (size_t i = 0; i < count; ++i) Consider(symbols[i], sorted, &best);
    offset += count * sizeof(Elf64_Sym);
    left -= count;
  }
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (!best[i].found || best[i].name >= names.sh_size) continue;
    sorted[i]->name =
        file.ReadText(names.sh_offset + best[i].name, std::min<uint64_t>(kLongestName, names.sh_size - best[i].name));
    sorted[i]->offset = sorted[i]->address - best[i].start;
  }
  return true;
}

}  // namespace migprof::record
