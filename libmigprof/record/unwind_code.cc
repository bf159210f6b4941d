// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/unwind_code.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

namespace migprof::record {
namespace {

constexpr UnwindRule kNothingSaid{.kind = UnwindRule::Kind::kFramePointer};

template <typename T>
T Read(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Reads by way of the kernel, as nothing proves that there is memory. Of `bytes` all or nothing.
bool ReadMemory(uint64_t address, uint8_t* to, size_t bytes) {
  iovec local{to, bytes};
  iovec remote{reinterpret_cast<void*>(address), bytes};
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes)) return true;
  if (errno == EFAULT) return false;
  // Some sandboxes and emulators do not have that call. Asked to change the signal mask in no known way, the kernel
  // reads the mask, eight bytes, and refuses.
  for (uint64_t word = address & ~uint64_t{7}; word < address + bytes; word += 8) {
    if (syscall(SYS_rt_sigprocmask, -1, word, nullptr, 8) != -1 || errno != EINVAL) return false;
  }
  std::memcpy(to, reinterpret_cast<const void*>(address), bytes);
  return true;
}

// Whether the `bytes` before `pc` might not be there to be read.
bool IsAtStartOfPage(uint64_t pc, uint64_t bytes) {
  constexpr uint64_t kSmallestPageBytes = 4096;
  return pc % kSmallestPageBytes < bytes;
}

}  // namespace

#if defined(__aarch64__)

bool FollowsCall(uint64_t pc) noexcept {
  if (IsAtStartOfPage(pc, 4)) return true;
  const auto instruction = Read<uint32_t>(reinterpret_cast<const uint8_t*>(pc) - 4);
  constexpr uint32_t kBl = 0x94000000, kBlMask = 0xfc000000;
  constexpr uint32_t kBlr = 0xd63f0000, kBlrMask = 0xfefff000;  // blr, and blraa, blrabz, … that authenticate
  return (instruction & kBlMask) == kBl || (instruction & kBlrMask) == kBlr;
}

// `ldp x29, x30, [sp], #n; ret`, perhaps with `autiasp` or `autibsp` between: CPython's perf trampolines end like this.
UnwindRule RuleOfCode(uint64_t pc) noexcept {
  uint32_t code[2];
  if (pc % 4 != 0 || !ReadMemory(pc, reinterpret_cast<uint8_t*>(code), sizeof(code))) return kNothingSaid;
  constexpr uint32_t kMovX8RtSigreturn = 0xd2801168, kSvc = 0xd4000001;
  if (code[0] == kMovX8RtSigreturn && code[1] == kSvc) return {.kind = UnwindRule::Kind::kSignal};
  constexpr uint32_t kLoadPair = 0xa8c07bfd, kLoadPairMask = 0xffc07fff, kReturn = 0xd65f03c0;
  constexpr uint32_t kAuthenticate = 0xd50323bf, kAuthenticateMask = 0xffffffbf;
  if ((code[0] & kLoadPairMask) != kLoadPair) return kNothingSaid;
  const int32_t released = static_cast<int32_t>(code[0] << 10) >> 25 << 3;
  if ((code[1] & kAuthenticateMask) == kAuthenticate) {
    uint32_t next;
    if (!ReadMemory(pc + 8, reinterpret_cast<uint8_t*>(&next), sizeof(next)) || next != kReturn) return kNothingSaid;
  } else if (code[1] != kReturn) {
    return kNothingSaid;
  }
  if (released <= 0) return kNothingSaid;
  return {.kind = UnwindRule::Kind::kStandard,
          .saved = UnwindRule::Saved::kPointerAndReturnAtCfa,
          .cfa_offset = released,
          .saved_offset = -released};
}

#else

// call rel32, or call *r/m64 of 2 to 7 bytes.
bool FollowsCall(uint64_t pc) noexcept {
  constexpr int kLongest = 7;
  if (IsAtStartOfPage(pc, kLongest)) return true;
  const auto* const code = reinterpret_cast<const uint8_t*>(pc);
  if (code[-5] == 0xe8) return true;
  for (int bytes = 2; bytes <= kLongest; ++bytes) {
    if (code[-bytes] == 0xff && (code[1 - bytes] & 0x38) == 0x10) return true;
  }
  return false;
}

// `add $n, %rsp; ret`. CPython's perf trampolines end like this.
UnwindRule RuleOfCode(uint64_t pc) noexcept {
  uint8_t code[8];
  if (!ReadMemory(pc, code, sizeof(code))) return kNothingSaid;
  if (code[0] != 0x48 || code[2] != 0xc4) return kNothingSaid;
  int32_t released = 0;
  if (code[1] == 0x83 && code[4] == 0xc3) {
    released = static_cast<int8_t>(code[3]);
  } else if (code[1] == 0x81 && code[7] == 0xc3) {
    released = Read<int32_t>(code + 3);
  }
  if (released <= 0 || released > UnwindRule::kMaxCfaOffset - 8) return kNothingSaid;
  return {.kind = UnwindRule::Kind::kStandard, .cfa_offset = released + 8};
}

#endif

}  // namespace migprof::record
