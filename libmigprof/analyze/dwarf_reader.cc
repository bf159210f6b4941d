// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/dwarf_reader.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "libmigprof/analyze/dwarf_names.h"

namespace migprof::analyze {
namespace {

using Addresses = std::vector<uint64_t>;

constexpr int kDeepestNesting = 512;

// The addresses among `addresses` (sorted) that the code of `die` covers.
Addresses Covered(Dwarf_Die* die, std::span<const uint64_t> addresses) {
  Addresses covered;
  Dwarf_Addr base;
  Dwarf_Addr low;
  Dwarf_Addr high;
  for (ptrdiff_t offset = 0; (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0;) {
    if (low >= high) continue;
    const auto first = std::lower_bound(addresses.begin(), addresses.end(), low);
    const auto last = std::lower_bound(first, addresses.end(), high);
    covered.insert(covered.end(), first, last);
  }
  std::sort(covered.begin(), covered.end());
  covered.erase(std::unique(covered.begin(), covered.end()), covered.end());
  return covered;
}

void Remove(const Addresses& gone, Addresses* from) {
  Addresses left;
  std::set_difference(from->begin(), from->end(), gone.begin(), gone.end(), std::back_inserter(left));
  *from = std::move(left);
}

uint32_t Number(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr_integrate(die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) return 0;
  return static_cast<uint32_t>(value);
}

std::string Text(const char* text) { return text != nullptr ? text : ""; }

// One compilation unit.
class UnitWalk {
 public:
  UnitWalk(Dwarf_Die unit, DwarfNames* names, const DwarfReader::Found* found)
      : unit_(unit), names_(names), found_(found) {}

  // Resolves what it can of `*addresses`, and takes that out of them.
  void Run(Addresses* addresses) {
    WalkScope(&unit_, addresses, 0, /*everywhere=*/false);
    // Compilers put functions at the level of the unit, or of a namespace. Should one be elsewhere:
    if (!addresses->empty()) WalkScope(&unit_, addresses, 0, /*everywhere=*/true);
  }

  // What is left when no function covers the address: hand-written assembler has lines all the same.
  void LinesOnly(const Addresses& addresses) {
    for (const uint64_t address : addresses) {
      SourceChain chain(1);
      FillLine(address, &chain[0]);
      if (!chain[0].file.empty()) (*found_)(address, chain);
    }
  }

 private:
  void WalkScope(Dwarf_Die* parent, Addresses* addresses, int depth, bool everywhere) {
    Dwarf_Die child;
    if (depth > kDeepestNesting || addresses->empty() || dwarf_child(parent, &child) != 0) return;
    do {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_subprogram) {
        const Addresses covered = Covered(&child, *addresses);
        if (!covered.empty()) {
          std::vector<Dwarf_Die> chain = {child};
          WalkFunction(&child, covered, &chain, 0);
          Remove(covered, addresses);
        }
      }
      if (everywhere || tag == DW_TAG_namespace || tag == DW_TAG_module) {
        WalkScope(&child, addresses, depth + 1, everywhere);
      }
    } while (!addresses->empty() && dwarf_siblingof(&child, &child) == 0);
  }

  // Finds the innermost inlined function for each of `addresses`, all of which the last of `chain` covers. Leaves in
  // `addresses` nothing: what no inlined function covers belongs to the last of the chain.
  void WalkFunction(Dwarf_Die* scope, Addresses addresses, std::vector<Dwarf_Die>* chain, int depth) {
    FindInlined(scope, &addresses, chain, depth);
    for (const uint64_t address : addresses) Report(address, *chain);
  }

  void FindInlined(Dwarf_Die* scope, Addresses* addresses, std::vector<Dwarf_Die>* chain, int depth) {
    Dwarf_Die child;
    if (depth > kDeepestNesting || dwarf_child(scope, &child) != 0) return;
    do {
      const int tag = dwarf_tag(&child);
      if (tag == DW_TAG_inlined_subroutine) {
        Addresses covered = Covered(&child, *addresses);
        if (covered.empty()) continue;
        Remove(covered, addresses);
        chain->push_back(child);
        WalkFunction(&child, std::move(covered), chain, depth + 1);
        chain->pop_back();
      } else if (tag == DW_TAG_lexical_block) {
        FindInlined(&child, addresses, chain, depth + 1);
      }
    } while (!addresses->empty() && dwarf_siblingof(&child, &child) == 0);
  }

  void FillLine(uint64_t address, SourceFrame* frame) {
    Dwarf_Line* const line = dwarf_getsrc_die(&unit_, address);
    int number = 0;
    if (line == nullptr || dwarf_lineno(line, &number) != 0 || number <= 0) return;
    frame->line = static_cast<uint32_t>(number);
    frame->file = Text(dwarf_linesrc(line, nullptr, nullptr));
  }

  // Where the code of `inlined` was called from.
  void FillCallSite(Dwarf_Die* inlined, SourceFrame* caller) {
    Dwarf_Files* files = nullptr;
    size_t count = 0;
    const uint32_t file = Number(inlined, DW_AT_call_file);
    if (dwarf_getsrcfiles(&unit_, &files, &count) != 0 || file >= count) return;
    caller->file = Text(dwarf_filesrc(files, file, nullptr, nullptr));
    caller->line = Number(inlined, DW_AT_call_line);
  }

  void Report(uint64_t address, const std::vector<Dwarf_Die>& dies) {
    SourceChain chain(dies.size());
    for (size_t i = 0; i < dies.size(); ++i) {
      Dwarf_Die die = dies[i];
      SourceFrame& frame = chain[i];
      frame.function = names_->FunctionName(&die);
      frame.definition_file = Text(dwarf_decl_file(&die));
      int line = 0;
      if (dwarf_decl_line(&die, &line) == 0 && line > 0) frame.definition_line = static_cast<uint32_t>(line);
      if (i > 0) FillCallSite(&die, &chain[i - 1]);
    }
    FillLine(address, &chain.back());
    (*found_)(address, chain);
  }

  Dwarf_Die unit_;
  DwarfNames* names_;
  const DwarfReader::Found* found_;
};

}  // namespace

struct DwarfReader::Impl {
  ~Impl() {
    if (dwarf != nullptr) dwarf_end(dwarf);
    if (elf != nullptr) elf_end(elf);
  }
  Elf* elf = nullptr;
  Dwarf* dwarf = nullptr;
  DwarfNames names;
};

DwarfReader::DwarfReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DwarfReader::~DwarfReader() = default;

bool DwarfReader::IsAvailable() { return true; }

std::unique_ptr<DwarfReader> DwarfReader::Open(int descriptor) {
  elf_version(EV_CURRENT);
  auto impl = std::make_unique<Impl>();
  impl->elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  if (impl->elf == nullptr) return nullptr;
  impl->dwarf = dwarf_begin_elf(impl->elf, DWARF_C_READ, nullptr);
  Dwarf_Off next = 0;
  size_t header_size = 0;
  if (impl->dwarf == nullptr ||
      dwarf_next_unit(impl->dwarf, 0, &next, &header_size, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != 0) {
    return nullptr;
  }
  return std::unique_ptr<DwarfReader>(new DwarfReader(std::move(impl)));
}

void DwarfReader::Resolve(std::span<const uint64_t> addresses, const Found& found) {
  Addresses left(addresses.begin(), addresses.end());
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  Dwarf_Die split;
  uint8_t type = 0;
  while (!left.empty() && dwarf_get_units(impl_->dwarf, unit, &unit, nullptr, &type, &die, &split) == 0) {
    if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
    const Addresses covered = Covered(&die, left);
    if (covered.empty()) continue;
    const bool is_split = type == DW_UT_skeleton && dwarf_tag(&split) != 0 && split.addr != nullptr;
    Addresses open = covered;
    UnitWalk walk(is_split ? split : die, &impl_->names, &found);
    walk.Run(&open);
    walk.LinesOnly(open);
    Remove(covered, &left);
  }
}

std::string ReadDebugLink(int descriptor) {
  elf_version(EV_CURRENT);
  Elf* const elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  if (elf == nullptr) return "";
  GElf_Word checksum = 0;
  const char* const link = dwelf_elf_gnu_debuglink(elf, &checksum);
  std::string name = link != nullptr ? link : "";
  elf_end(elf);
  return name.find('/') == std::string::npos ? name : "";
}

}  // namespace migprof::analyze
