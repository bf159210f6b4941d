// SPDX-License-Identifier: Apache-2.0
// Unwind rules against libunwind, at addresses all over the loaded modules.
#include "libmigprof/record/unwind_info.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "libmigprof/record/unwind_machine.h"

// Three functions that lie close together. The first two end with a call.
#if defined(__aarch64__)
asm(R"(
.text
.globl migprof_test_after_call, migprof_test_after_indirect_call, migprof_test_after_nothing
.balign 64  // all in one page
migprof_test_before_call:
  .cfi_startproc
  .cfi_def_cfa_offset 32
  .cfi_offset x29, -32
  .cfi_offset x30, -24
  nop
  bl migprof_test_after_nothing
  .cfi_endproc
migprof_test_after_call:
  .cfi_startproc
  .cfi_def_cfa_offset 48
  .cfi_offset x29, -48
  .cfi_offset x30, -40
  nop
  blr x17
  .cfi_endproc
migprof_test_after_indirect_call:
  .cfi_startproc
  .cfi_def_cfa_offset 64
  nop; nop; nop; nop; nop; nop; nop
  .cfi_endproc
migprof_test_after_nothing:
  .cfi_startproc
  nop
  ret
  .cfi_endproc
)");
#else
asm(R"(
.text
.balign 64  # all in one page
migprof_test_before_call:
  .cfi_startproc
  .cfi_def_cfa_offset 32
  nop
  call migprof_test_after_nothing
  .cfi_endproc
migprof_test_after_call:
  .cfi_startproc
  .cfi_def_cfa_offset 48
  nop
  call *0x12345678(%rax)
  .cfi_endproc
migprof_test_after_indirect_call:
  .cfi_startproc
  .cfi_def_cfa_offset 64
  nop; nop; nop; nop; nop; nop; nop
  .cfi_endproc
migprof_test_after_nothing:
  .cfi_startproc
  nop
  ret
  .cfi_endproc
)");
#endif
extern "C" {
void migprof_test_after_call();
void migprof_test_after_indirect_call();
void migprof_test_after_nothing();
}

namespace migprof::record {
namespace {

using Kind = UnwindRule::Kind;
using Saved = UnwindRule::Saved;

#if defined(__aarch64__)
constexpr uint64_t kInstructionBytes = 4;
// The rule of a frame of so many bytes with what functions save at its inner end, and of one that has saved nothing
// yet.
constexpr UnwindRule Frame(int32_t bytes) {
  return {Kind::kStandard, UnwindRule::Cfa::kStackPointer, Saved::kPointerAndReturnAtCfa, bytes, -bytes};
}
constexpr UnwindRule kNoFrame = {.kind = Kind::kStandard};
#else
constexpr uint64_t kInstructionBytes = 1;
constexpr UnwindRule Frame(int32_t bytes) { return {.kind = Kind::kStandard, .cfa_offset = bytes}; }
constexpr UnwindRule kNoFrame = {.kind = Kind::kStandard, .cfa_offset = 8};
#endif

// Two areas full of numbers, for a stack and for what the frame pointer points to.
class UnwindInfo : public testing::Test {
 protected:
  static constexpr size_t kWords = 1 << 16;

  struct Caller {
    uint64_t sp, ip, bp;
    bool operator==(const Caller&) const = default;
  };

  UnwindInfo() : memory_(2 * kWords) {
    PrepareUnwindInfo();
    std::mt19937_64 random(1);
    for (uint64_t& word : memory_) {
      // Any word may be taken for a stack pointer, so all are addresses in the second half.
      word = reinterpret_cast<uint64_t>(&memory_[kWords + random() % kWords]);
    }
  }
  uint64_t sp() { return reinterpret_cast<uint64_t>(&memory_[kWords / 4]); }
  uint64_t bp() { return reinterpret_cast<uint64_t>(&memory_[kWords / 2]); }
  uint64_t link() { return reinterpret_cast<uint64_t>(&memory_[kWords + 5]); }

  Caller ByRule(const UnwindRule& rule) {
    uint64_t cfa = rule.cfa == UnwindRule::Cfa::kStackPointer ? sp() + rule.cfa_offset : bp() + rule.cfa_offset;
    if (rule.cfa == UnwindRule::Cfa::kFramePointerMemory) cfa = Load(cfa);
    uint64_t caller_bp = bp();
    uint64_t ip = kSavesReturnAddress ? link() : Load(cfa - 8);
    const uint64_t saved = cfa + rule.saved_offset;
    switch (rule.saved) {
      case Saved::kNothing:
        break;
      case Saved::kPointerAtCfa:
        caller_bp = Load(saved);
        break;
      case Saved::kPointerAtPointer:
        caller_bp = Load(bp() + rule.saved_offset);
        break;
      case Saved::kPointerAndReturnAtCfa:
        caller_bp = Load(saved);
        ip = Load(saved + 8);
        break;
      case Saved::kReturnAndPointerAtCfa:
        caller_bp = Load(saved);
        ip = Load(saved - 8);
        break;
      case Saved::kReturnAtCfa:
        ip = Load(saved);
        break;
    }
    return {cfa, ip, caller_bp};
  }

  // nullopt: libunwind cannot say, or the frame is the outermost.
  std::optional<Caller> ByLibunwind(uint64_t pc) {
    unw_context_t context;
    unw_cursor_t cursor;
    unw_getcontext(&context);
#if defined(__aarch64__)
    context.uc_mcontext.pc = pc;
    context.uc_mcontext.sp = sp();
    context.uc_mcontext.regs[29] = bp();
    context.uc_mcontext.regs[30] = link();
    constexpr int kSp = UNW_AARCH64_SP, kBp = UNW_AARCH64_X29;
#else
    context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(pc);
    context.uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(sp());
    context.uc_mcontext.gregs[REG_RBP] = static_cast<greg_t>(bp());
    constexpr int kSp = UNW_X86_64_RSP, kBp = UNW_X86_64_RBP;
#endif
    if (unw_init_local(&cursor, &context) != 0 || unw_step(&cursor) <= 0) return std::nullopt;
    unw_word_t caller_sp, caller_ip, caller_bp;
    unw_get_reg(&cursor, kSp, &caller_sp);
    unw_get_reg(&cursor, UNW_REG_IP, &caller_ip);
    unw_get_reg(&cursor, kBp, &caller_bp);
    return Caller{caller_sp, caller_ip, caller_bp};
  }

 private:
  static uint64_t Load(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }

  std::vector<uint64_t> memory_;
};

struct Code {
  std::string module;
  uint64_t begin, end;
};

std::vector<Code> LoadedCode() {
  std::vector<Code> code;
  dl_iterate_phdr(
      [](dl_phdr_info* module, size_t, void* user) {
        bool has_unwind_info = false;
        for (int i = 0; i < module->dlpi_phnum; ++i) {
          has_unwind_info |= module->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME;
        }
        for (int i = 0; i < module->dlpi_phnum && has_unwind_info; ++i) {
          const ElfW(Phdr)& segment = module->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
          const uint64_t begin = module->dlpi_addr + segment.p_vaddr;
          static_cast<std::vector<Code>*>(user)->push_back({module->dlpi_name, begin, begin + segment.p_memsz});
        }
        return 0;
      },
      &code);
  return code;
}

TEST_F(UnwindInfo, RulesAllOverTheLoadedCode_AgreeWithLibunwind) {
  // Compilers of other languages, hand-written assembly and vector code: whatever of it is here.
  for (const char* library :
       {"libLLVM-14.so.1", "libcrypto.so.3", "libgmp.so.10", "libopenblas.so.0", "libgfortran.so.5"}) {
    dlopen(library, RTLD_LAZY);
  }
  std::mt19937_64 random(2);
  uint64_t standard = 0, realigned = 0, by_rbp = 0, unknown = 0, without = 0, ends = 0, only_here = 0,
           first_instructions = 0;
  for (const Code& code : LoadedCode()) {
    const uint64_t samples = std::min<uint64_t>(20'000, (code.end - code.begin) / 8);
    for (uint64_t i = 0; i < samples; ++i) {
      const uint64_t pc =
          code.begin + kInstructionBytes * (1 + random() % ((code.end - code.begin) / kInstructionBytes));
      const UnwindRule rule = FindUnwindRule(pc, /*exact=*/false);
      switch (rule.kind) {
        case Kind::kStandard: {
          const auto expected = ByLibunwind(pc);
          if (!expected) {  // it gives up on registers it does not know, such as xmm6
            ++only_here;
            break;
          }
          ASSERT_EQ(ByRule(rule), *expected) << code.module << " +0x" << std::hex << pc - code.begin;
          ++standard;
          realigned += rule.cfa == UnwindRule::Cfa::kFramePointerMemory;
          by_rbp += rule.cfa == UnwindRule::Cfa::kFramePointer;
          break;
        }
        case Kind::kEnd:
          // At the first instruction of a function, where no call ends, libunwind takes what lies before it.
          if (ByLibunwind(pc)) ++first_instructions;
          ++ends;
          break;
        case Kind::kUnknown:
          ++unknown;
          break;
        default:
          ++without;
      }
    }
  }
  std::printf(
      "%lu rules agree (%lu by rbp, %lu realigned), %lu ends, %lu without unwind information, %lu not understood\n",
      standard, by_rbp, realigned, ends, without, unknown);
  EXPECT_GT(standard, 20'000u);
  EXPECT_GT(by_rbp, 100u);
  EXPECT_LT(only_here, standard / 100);
  EXPECT_LT(unknown, standard / 50);
  EXPECT_LT(first_instructions, standard / 50);
}

TEST_F(UnwindInfo, AddressOutsideOfAnyModule_HasNoUnwindInformation) {
  EXPECT_EQ(FindUnwindRule(1, false).kind, Kind::kFramePointer);
  EXPECT_EQ(FindUnwindRule(0x7fff'ffff'f000, false).kind, Kind::kFramePointer);
  EXPECT_EQ(FindUnwindRule(reinterpret_cast<uint64_t>(this), false).kind, Kind::kFramePointer);
}

// As makecontext does it. A call of a function that does not return may be followed by another function at once.
TEST_F(UnwindInfo, ReturnToTheStartOfAFunction_IsTheEndUnlessACallIsBeforeIt) {
  const auto after_call = reinterpret_cast<uint64_t>(&migprof_test_after_call);
  const auto after_indirect_call = reinterpret_cast<uint64_t>(&migprof_test_after_indirect_call);
  const auto after_nothing = reinterpret_cast<uint64_t>(&migprof_test_after_nothing);
  EXPECT_EQ(FindUnwindRule(after_call, false), Frame(32));
  EXPECT_EQ(FindUnwindRule(after_indirect_call, false), Frame(48));
  EXPECT_EQ(FindUnwindRule(after_nothing, false).kind, Kind::kEnd);
  EXPECT_EQ(FindUnwindRule(after_nothing + kInstructionBytes, false), kNoFrame);
  EXPECT_EQ(FindUnwindRule(after_nothing, true), kNoFrame);
}

TEST_F(UnwindInfo, CodeThatReleasesItsFrame_SaysWhereTheCallerIs) {
#if defined(__aarch64__)
  // blr x3; ldp x29, x30, [sp], #32; ret
  const uint32_t code[] = {0xd63f0060, 0xa8c27bfd, 0xd65f03c0, 0xd503201f, 0xd503201f};
  constexpr size_t kAfterCall = 4;
#else
  const uint8_t code[] = {0xff, 0xd0, 0x48, 0x83, 0xc4, 0x18, 0xc3, 0x90, 0x90, 0x90};  // call *%rax; add $24,%rsp; ret
  constexpr size_t kAfterCall = 2;
#endif
  void* const page = mmap(nullptr, sizeof(code), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  std::memcpy(page, code, sizeof(code));
  const uint64_t after_call = reinterpret_cast<uint64_t>(page) + kAfterCall;
  EXPECT_EQ(FindUnwindRule(after_call, false), Frame(32));
  EXPECT_EQ(FindUnwindRule(after_call + kInstructionBytes, false).kind, Kind::kFramePointer);
  munmap(page, sizeof(code));
}

#if defined(__aarch64__)
// … also where it checks the signature of the return address first; and frames that are too small to be any are none.
TEST_F(UnwindInfo, CodeThatAuthenticates_SaysWhereTheCallerIs) {
  const struct {
    uint32_t code[3];
    UnwindRule rule;
  } cases[] = {
      {{0xa8c17bfd, 0xd50323bf, 0xd65f03c0}, Frame(16)},                      // autiasp
      {{0xa8df7bfd, 0xd50323ff, 0xd65f03c0}, Frame(496)},                     // autibsp
      {{0xa8c17bfd, 0xd50323bf, 0xd503201f}, {.kind = Kind::kFramePointer}},  // and no return
      {{0xa8e07bfd, 0xd65f03c0, 0xd65f03c0}, {.kind = Kind::kFramePointer}},  // the stack pointer goes down
      {{0xa8c17bfc, 0xd65f03c0, 0xd65f03c0}, {.kind = Kind::kFramePointer}},  // other registers
      {{0xd2801168, 0xd4000001, 0}, {.kind = Kind::kSignal}},                 // mov x8, #__NR_rt_sigreturn; svc #0
  };
  for (const auto& one : cases) {
    void* const page = mmap(nullptr, 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    std::memcpy(page, one.code, sizeof(one.code));
    EXPECT_EQ(FindUnwindRule(reinterpret_cast<uint64_t>(page), false), one.rule) << std::hex << one.code[0];
    munmap(page, 64);
  }
}
#endif

TEST(UnwindRule, Packed_KeepsEveryField) {
  for (const int32_t cfa : {8, -8, UnwindRule::kMaxCfaOffset, -UnwindRule::kMaxCfaOffset}) {
    for (const int32_t offset : {0, -16, UnwindRule::kMaxSavedOffset, -UnwindRule::kMaxSavedOffset}) {
      for (const Saved saved : {Saved::kNothing, Saved::kPointerAtPointer, Saved::kReturnAtCfa}) {
        const UnwindRule rule{Kind::kStandard, UnwindRule::Cfa::kFramePointerMemory, saved, cfa, offset};
        EXPECT_EQ(UnwindRule::Unpack(rule.Pack(12345)), rule);
        EXPECT_EQ(UnwindRule::GenerationOf(rule.Pack(12345)), 12345 % UnwindRule::kGenerations);
      }
    }
  }
}

}  // namespace
}  // namespace migprof::record
