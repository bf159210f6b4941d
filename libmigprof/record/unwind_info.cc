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

struct ModuleSearch {
  uint64_t address;
  const uint8_t* eh_frame_header;
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
  if (holds) search->eh_frame_header = header;
  return holds;
}

const uint8_t* FindEhFrameHeader(uint64_t pc) {
  if (const FindObject find = g_find_object.load(std::memory_order_relaxed)) {
    FoundObject found;  // wait-free
    return find(reinterpret_cast<void*>(pc), &found) == 0 ? static_cast<const uint8_t*>(found.eh_frame) : nullptr;
  }
  ModuleSearch search{pc, nullptr};
  dl_iterate_phdr(&VisitModule, &search);
  return search.eh_frame_header;
}

template <typename T>
T Read(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// The binary search table behind a header: pairs of code address and entry address, relative to the header.
const uint8_t* FindEntry(const uint8_t* header, uint64_t pc) {
  constexpr uint8_t kPcRelativeInt32 = 0x1b, kUint32 = 0x03, kHeaderRelativeInt32 = 0x3b;
  if (header[0] != 1 || header[1] != kPcRelativeInt32 || header[2] != kUint32 || header[3] != kHeaderRelativeInt32) {
    return nullptr;
  }
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
  // A call may be the last instruction of a function: its return address then lies behind it.
  const uint64_t inside = exact ? pc : pc - 1;
  const uint8_t* const entry = FindEntry(header, inside);
  if (entry == nullptr) return {.kind = UnwindRule::Kind::kFramePointer};
  return RuleOfEntry(entry, inside);
}

UnwindRule FindUnwindRule(uint64_t pc, bool exact) noexcept {
  const uint8_t* const header = FindEhFrameHeader(exact ? pc : pc - 1);
  UnwindRule rule{.kind = UnwindRule::Kind::kFramePointer};
  if (header != nullptr) rule = ReadUnwindRule(header, pc, exact);
  if (rule.kind == UnwindRule::Kind::kFramePointer && !exact) rule = RuleOfCode(pc);
  return rule;
}

}  // namespace migprof::record
