// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/unwind_info.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

#include "libmigprof/record/cfa_program.h"

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

// Whether a call may end at `pc`, in code: call rel32, or call *r/m64 of 2 to 7 bytes.
bool FollowsCall(uint64_t pc) {
  constexpr uint64_t kPageBytes = 4096;
  constexpr int kLongest = 7;
  if (pc % kPageBytes < kLongest) return true;  // perhaps nothing is there to be read
  const auto* const code = reinterpret_cast<const uint8_t*>(pc);
  if (code[-5] == 0xe8) return true;
  for (int bytes = 2; bytes <= kLongest; ++bytes) {
    if (code[-bytes] == 0xff && (code[1 - bytes] & 0x38) == 0x10) return true;
  }
  return false;
}

// Code without unwind information may say itself what comes next: `add $n, %rsp; ret`. CPython's perf trampolines end
// like this. Read by way of the kernel, as nothing proves that there is memory at `pc`.
UnwindRule RuleOfCode(uint64_t pc) {
  UnwindRule rule{.kind = UnwindRule::Kind::kFramePointer};
  uint8_t code[8];
  iovec local{code, sizeof(code)};
  iovec remote{reinterpret_cast<void*>(pc), sizeof(code)};
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != sizeof(code)) return rule;
  if (code[0] != 0x48 || code[2] != 0xc4) return rule;
  int32_t released = 0;
  if (code[1] == 0x83 && code[4] == 0xc3) {
    released = static_cast<int8_t>(code[3]);
  } else if (code[1] == 0x81 && code[7] == 0xc3) {
    released = Read<int32_t>(code + 3);
  }
  if (released <= 0 || released > UnwindRule::kMaxCfaOffset - 8) return rule;
  return {.kind = UnwindRule::Kind::kStandard, .cfa_offset = released + 8};
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
  const UnwindRule rule = FindDescribedRule(pc, exact);
  return rule.kind == UnwindRule::Kind::kFramePointer && !exact ? RuleOfCode(pc) : rule;
}

}  // namespace migprof::record
