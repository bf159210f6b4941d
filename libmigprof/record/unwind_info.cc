// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/unwind_info.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <atomic>
#include <cstring>

#include "libmigprof/record/cfa_program.h"
#include "libmigprof/record/unwind_code.h"
#include "libmigprof/record/unwind_machine.h"

namespace migprof::record {
namespace {

// Layout of glibc's struct dl_find_object (2.35 and later), which older headers do not declare.
struct FoundObject {
  unsigned long long flags;
  void* map_start;
  void* map_end;
  void* link_map;
  void* eh_frame;  // the PT_GNU_EH_FRAME segment
  unsigned long long reserved[7];
};
using FindObject = int (*)(void* pc, FoundObject* result);

std::atomic<FindObject> g_find_object{nullptr};

struct Module {
  bool found = false;
  const uint8_t* eh_frame_header = nullptr;  // null: it has none
};

struct ModuleSearch {
  uint64_t address;
  Module module;
};

int VisitModule(dl_phdr_info* module, size_t, void* user) {
  auto* const search = static_cast<ModuleSearch*>(user);
  const uint8_t* header = nullptr;
  bool holds = false;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module->dlpi_phdr[i];
    const uint64_t start = module->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD) holds |= search->address - start < segment.p_memsz;
    if (segment.p_type == PT_GNU_EH_FRAME) header = reinterpret_cast<const uint8_t*>(start);
  }
  if (holds) search->module = {true, header};
  return holds;
}

Module FindModule(uint64_t pc) {
  if (const FindObject find = g_find_object.load(std::memory_order_relaxed)) {
    FoundObject found;  // wait-free
    if (find(reinterpret_cast<void*>(pc), &found) != 0) return {};
    return {true, static_cast<const uint8_t*>(found.eh_frame)};
  }
  ModuleSearch search{pc, {}};
  dl_iterate_phdr(&VisitModule, &search);
  return search.module;
}

template <typename T>
T Read(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Whether a binary search table follows the header, in the form that all linkers write. They leave it out when they
// cannot read all of the unwind information.
bool HasTable(const uint8_t* header) {
  constexpr uint8_t kPcRelativeInt32 = 0x1b, kUint32 = 0x03, kHeaderRelativeInt32 = 0x3b;
  return header[0] == 1 && header[1] == kPcRelativeInt32 && header[2] == kUint32 && header[3] == kHeaderRelativeInt32;
}

// The table: pairs of code address and entry address, relative to the header.
const uint8_t* FindEntry(const uint8_t* header, uint64_t pc) {
  const uint32_t count = Read<uint32_t>(header + 8);
  const uint8_t* const table = header + 12;
  const auto base = reinterpret_cast<uint64_t>(header);
  uint32_t low = 0;
  uint32_t high = count;
  while (low < high) {  // the first entry that begins after pc
    const uint32_t middle = low + (high - low) / 2;
    if (base + static_cast<int64_t>(Read<int32_t>(table + 8 * middle)) <= pc) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? nullptr : header + Read<int32_t>(table + 8 * (low - 1) + 4);
}

}  // namespace

void PrepareUnwindInfo() {
  // By name: the reference would tie the library to glibc 2.35.
  g_find_object.store(reinterpret_cast<FindObject>(dlsym(RTLD_DEFAULT, "_dl_find_object")));
}

UnwindRule ReadUnwindRule(const uint8_t* header, uint64_t pc, bool exact) noexcept {
  // Other unwinders may find the entries nevertheless.
  if (!HasTable(header)) return {.kind = UnwindRule::Kind::kUnknown};
  // A call may be the last instruction of a function: its return address then lies behind it.
  const uint64_t inside = exact ? pc : pc - 1;
  const uint8_t* const entry = FindEntry(header, inside);
  if (!exact) {
    // A function begins at `pc`, and no call ends there: nobody called from there, but its address was put where it is
    // returned to. This is how a stack begins that makecontext made. Outside of it nobody is; what the frame pointer
    // holds is left from before. Interrupted functions are the exception: their handlers were made to return like this.
    const uint8_t* const next = FindEntry(header, pc);
    if (next != entry && !FollowsCall(pc)) {
      const UnwindRule first = RuleOfEntry(next, pc);
      const bool of_handler = first.kind == UnwindRule::Kind::kSignal || first.kind == UnwindRule::Kind::kUnknown;
      return of_handler ? first : UnwindRule{.kind = UnwindRule::Kind::kEnd};
    }
  }
  return entry == nullptr ? UnwindRule{.kind = UnwindRule::Kind::kFramePointer} : RuleOfEntry(entry, inside);
}

UnwindRule FindDescribedRule(uint64_t pc, bool exact) noexcept {
  const Module module = FindModule(exact ? pc : pc - 1);
  if (!module.found) return {.kind = UnwindRule::Kind::kFramePointer};
  if (module.eh_frame_header == nullptr) return {.kind = UnwindRule::Kind::kUnknown};
  return ReadUnwindRule(module.eh_frame_header, pc, exact);
}

UnwindRule FindUnwindRule(uint64_t pc, bool exact) noexcept {
  using Kind = UnwindRule::Kind;
  const UnwindRule rule = FindDescribedRule(pc, exact);
  if (exact) return rule;
  if (rule.kind == Kind::kFramePointer) return RuleOfCode(pc);
  // On aarch64 what kernels say about the code that returns from signal handlers is wrong, or nothing; the code is
  // known.
  if (kSavesReturnAddress && rule.kind == Kind::kUnknown && RuleOfCode(pc).kind == Kind::kSignal)
    return {.kind = Kind::kSignal};
  return rule;
}

}  // namespace migprof::record
