// SPDX-License-Identifier: Apache-2.0
// What only stacks of aarch64 have: return addresses that are signed, and frames whose size the frame pointer does not
// tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/unwind_machine.h"
#include "tests/unit/record/their_stack.h"

#if defined(__aarch64__) && MIGPROF_WALKS_STACKS && !defined(__SANITIZE_THREAD__)

#include <asm/hwcap.h>
#include <sys/auxv.h>

asm(R"(
.text
// Signs its return address, calls its first argument with the second, and says what it has saved.
.globl migprof_test_call_signed
.type migprof_test_call_signed, @function
migprof_test_call_signed:
  .cfi_startproc
  hint #25  // paciasp
  .cfi_negate_ra_state
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset x29, -32
  .cfi_offset x30, -24
  str x19, [sp, #16]
  .cfi_offset x19, -16
  mov x29, sp
  ldr x19, [sp, #8]
  mov x2, x0
  mov x0, x1
  blr x2
  mov x0, x19
  ldr x19, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_def_cfa_offset 0
  .cfi_restore x29
  .cfi_restore x30
  hint #29  // autiasp
  .cfi_negate_ra_state
  ret
  .cfi_endproc
.size migprof_test_call_signed, .-migprof_test_call_signed

// The same without unwind information, and with more on the stack than its two registers.
.globl migprof_test_call_undescribed
.type migprof_test_call_undescribed, @function
migprof_test_call_undescribed:
  hint #25
  stp x29, x30, [sp, #-96]!
  mov x29, sp
  mov x2, x0
  mov x0, x1
  blr x2
  nop
  ldp x29, x30, [sp], #96
  hint #29
  ret
.size migprof_test_call_undescribed, .-migprof_test_call_undescribed
)");
extern "C" uint64_t migprof_test_call_signed(void (*)(void*), void*);
extern "C" void migprof_test_call_undescribed(void (*)(void*), void*);

namespace migprof::record {
namespace {

struct Found {
  NativeStackState* state;
  std::vector<uint64_t> ours, theirs;
};

__attribute__((noinline)) void Capture(void* user) {
  auto* const found = static_cast<Found*>(user);
  const NativeStack stack = CaptureNativeStack(found->state, kMaxNativeDepth);
  EXPECT_FALSE(stack.truncated);
  found->ours.resize(stack.depth);
  stack.CopyFrames(found->ours.data());
  found->theirs.resize(kMaxNativeDepth);
  found->theirs.resize(TheirStack(found->theirs.data(), kMaxNativeDepth));
  found->theirs[0] = found->ours[0];  // this function, at two calls
}

class StackAarch64 : public testing::Test {
 protected:
  StackAarch64() : state_(std::make_unique<NativeStackState>()), found_{state_.get(), {}, {}} {
    PrepareNativeStacks();
    TakeOver(state_.get());
  }

  // The stack that was found ends with what is outside of the calls of this fixture, and has `inside` frames before it.
  void ExpectOutside(const std::vector<uint64_t>& outside, size_t inside) {
    ASSERT_EQ(found_.ours.size(), outside.size() + inside);
    // Not the caller itself, which calls from elsewhere.
    EXPECT_TRUE(std::equal(outside.begin() + 2, outside.end(), found_.ours.begin() + inside + 2));
  }

  std::unique_ptr<NativeStackState> state_;
  Found found_;
};

TEST_F(StackAarch64, SignedReturnAddresses_AreFollowedAndKeptAsAddresses) {
  Capture(&found_);
  const std::vector<uint64_t> outside = found_.ours;
  for (int i = 0; i < 3; ++i) {
    const uint64_t saved = migprof_test_call_signed(&Capture, &found_);
    const auto here = reinterpret_cast<uint64_t>(&migprof_test_call_signed);
    ExpectOutside(outside, 1);
    EXPECT_LT(found_.ours[1] - here, 64u);
    EXPECT_EQ(found_.ours[2], ReturnAddress(saved));
    EXPECT_EQ(found_.ours, found_.theirs);
    if ((getauxval(AT_HWCAP) & HWCAP_PACA) != 0) {
      EXPECT_NE(saved, ReturnAddress(saved)) << "nothing was signed";
    }
  }
  EXPECT_EQ(state_->by_libunwind.load(), 0u);
}

// Nothing tells how large the frame is; but its caller's frame pointer and the caller's rule do.
TEST_F(StackAarch64, CodeWithoutUnwindInformation_IsFollowedByItsFramePointer) {
  Capture(&found_);
  const std::vector<uint64_t> outside = found_.ours;
  for (int i = 0; i < 3; ++i) {
    migprof_test_call_undescribed(&Capture, &found_);
    ExpectOutside(outside, 1);
  }
  EXPECT_EQ(state_->by_libunwind.load(), 0u);
}

}  // namespace
}  // namespace migprof::record

#endif
