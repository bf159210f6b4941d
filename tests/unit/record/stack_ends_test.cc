// SPDX-License-Identifier: Apache-2.0
// Where stacks end, and where they cannot be followed: deep ones, small ones, fibers, code without unwind information,
// and registers that lead out of the part of the stack that is in use.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/unwind_machine.h"
#include "tests/unit/record/stack_assembly.h"
#include "tests/unit/record/their_stack.h"

#if MIGPROF_WALKS_STACKS && !defined(__SANITIZE_THREAD__)

namespace migprof::record {
namespace {

struct Captured {
  std::vector<uint64_t> ours, theirs;  // innermost first
  bool truncated = false;
};

thread_local NativeStackState* t_state = nullptr;
thread_local Captured* t_captured = nullptr;
thread_local uint32_t t_max_depth = kMaxNativeDepth;

// On stacks that are too small for vectors and for a second unwinding.
__attribute__((noinline)) void CaptureOurs() {
  const NativeStack stack = CaptureNativeStack(t_state, t_max_depth);
  t_captured->truncated = stack.truncated;
  t_captured->ours.resize(stack.depth);
  stack.CopyFrames(t_captured->ours.data());
}

__attribute__((noinline)) void Capture() {
  CaptureOurs();
  std::vector<uint64_t>& theirs = t_captured->theirs;
  theirs.resize(t_max_depth + 1);
  theirs.resize(TheirStack(theirs.data(), static_cast<int>(theirs.size())));
  theirs.insert(theirs.begin(), t_captured->ours[0]);      // CaptureOurs,
  if (theirs.size() > 1) theirs[1] = t_captured->ours[1];  // and this function, at two calls
  if (theirs.size() > t_max_depth) theirs.resize(t_max_depth);
}

class StackEnds : public testing::Test {
 protected:
  StackEnds() : state_(std::make_unique<NativeStackState>()) {
    PrepareNativeStacks();
    TakeOver(state_.get());
    t_state = state_.get();
    t_captured = &captured_;
    captured_.ours.reserve(kMaxNativeDepth);
    t_max_depth = kMaxNativeDepth;
  }
  ~StackEnds() override { t_state = nullptr; }

  // Calls `body` on a thread whose stack is `memory`.
  void OnStack(char* memory, size_t bytes, std::function<void()> body) {
    struct Start {
      StackEnds* test;
      std::function<void()> body;
    } start{this, std::move(body)};
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstack(&attributes, memory, bytes), 0);
    pthread_t thread;
    const auto run = [](void* user) -> void* {
      auto* const s = static_cast<Start*>(user);
      t_state = s->test->state_.get();
      t_captured = &s->test->captured_;
      TakeOver(t_state);
      s->body();
      return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, run, &start), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
  }

  std::unique_ptr<NativeStackState> state_;
  Captured captured_;
};

// Pages of which the first cannot be touched.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes) : bytes_(bytes + kPage) {
    memory_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_, kPage, PROT_NONE);
  }
  ~GuardedMemory() { munmap(memory_, bytes_); }
  static constexpr size_t kPage = 64 << 10;  // the largest pages there are
  char* guard() const { return memory_; }
  char* usable() const { return memory_ + kPage; }

 private:
  char* memory_;
  size_t bytes_;
};

__attribute__((noinline)) void Inner(int depth) {
  if (depth > 0) {
    Inner(depth - 1);
  } else {
    Capture();
  }
  asm volatile("");
}
__attribute__((noinline)) void Recursion(int depth, int inner) {
  if (depth > 0) {
    Recursion(depth - 1, inner);
  } else {
    Inner(inner);
  }
  asm volatile("");
}
__attribute__((noinline)) void Outermost(int depth, int inner) {
  Recursion(depth, inner);
  asm volatile("");
}

// The second capture finds most frames of the first in place, called from elsewhere, and has more than fit.
TEST_F(StackEnds, DeepStack_KeepsItsInnermostFrames) {
  for (const uint32_t max_depth : {1u, 16u, 256u, kMaxNativeDepth}) {
    t_max_depth = max_depth;
    for (const int depth : {200, 440, 470, 480, 490, 500, 505, 600, 1200}) {
      for (int i = 0; i < 2; ++i) {
        Outermost(depth, 2);
        EXPECT_EQ(captured_.ours, captured_.theirs) << max_depth << ", " << depth;
        Outermost(depth, 25);
        EXPECT_EQ(captured_.ours, captured_.theirs) << max_depth << ", " << depth << " from elsewhere";
        if (captured_.ours.size() < max_depth) {
          EXPECT_FALSE(captured_.truncated) << max_depth << ", " << depth;
        } else if (depth > static_cast<int>(max_depth)) {
          EXPECT_TRUE(captured_.truncated) << max_depth << ", " << depth;
        }
      }
    }
  }
}

// What a function saved lies in its frame. Below the stack pointer nothing may be read: there may be no memory.
TEST_F(StackEnds, SavedRegister_IsNotReadBelowTheStackPointer) {
  constexpr size_t kBytes = 256 << 10;
  const GuardedMemory memory(kBytes);
  const auto below = reinterpret_cast<uint64_t>(memory.guard()) + 64;
  OnStack(memory.guard(), kBytes + GuardedMemory::kPage, [&] {
    for (const auto call : {&migprof_test_sp_by_bp, &migprof_test_bp_by_bp}) {
      call(CaptureOurs, below);
      EXPECT_EQ(captured_.ours.size(), 2u);
      EXPECT_TRUE(captured_.truncated);
    }
  });
}

// A frame pointer that says nothing: there was somebody outside nevertheless.
TEST_F(StackEnds, StackThatEndsAtAGuess_IsTruncated) {
  static uint64_t end[2] = {};
  uint64_t nobody[2] = {};
  asm volatile("" : : "r"(nobody) : "memory");
  const uint64_t pointers[] = {0, 1, 0x1234567, reinterpret_cast<uint64_t>(end), reinterpret_cast<uint64_t>(nobody)};
  Capture();
  EXPECT_FALSE(captured_.truncated);
  for (const uint64_t pointer : pointers) {
    for (int i = 0; i < 3; ++i) {
      migprof_test_unknown_code(CaptureOurs, pointer);
      EXPECT_TRUE(captured_.truncated) << std::hex << pointer;
      EXPECT_GE(captured_.ours.size(), 2u) << std::hex << pointer;
    }
  }
  Capture();
  EXPECT_EQ(captured_.ours, captured_.theirs);
  EXPECT_FALSE(captured_.truncated);
}

// … also where libunwind alone is asked.
TEST_F(StackEnds, StackOfAFiber_IsTruncatedWhereItEndsAtAGuess) {
  static uint64_t pointer;
  constexpr size_t kBytes = 128 << 10;
  const std::unique_ptr<char[]> memory(new char[kBytes]);
  for (const bool known : {true, false}) {
    ucontext_t fiber, here;
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = memory.get();
    fiber.uc_stack.ss_size = kBytes;
    fiber.uc_link = &here;
    makecontext(
        &fiber, known ? static_cast<void (*)()>(Capture) : [] { migprof_test_unknown_code(Capture, pointer); }, 0);
    swapcontext(&here, &fiber);
    EXPECT_EQ(captured_.ours, captured_.theirs);
    EXPECT_EQ(captured_.truncated, !known);
  }
}

// The frame pointer that a fiber begins with is that of whoever made it.
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void FiberOnOwnStack(void (*function)()) {
  alignas(16) char memory[128 << 10];
  ucontext_t fiber, here;
  getcontext(&fiber);
  fiber.uc_stack.ss_sp = memory;
  fiber.uc_stack.ss_size = sizeof(memory) / 2;  // so that libunwind finds the frame pointer too far off to follow
  fiber.uc_link = &here;
  makecontext(&fiber, function, 0);
  swapcontext(&here, &fiber);
}

TEST_F(StackEnds, FiberOnTheThreadsOwnStack_HasNoCallersOutside) {
  for (int i = 0; i < 3; ++i) {
    FiberOnOwnStack(Capture);
    EXPECT_EQ(captured_.ours.size(), 3u);  // CaptureOurs, Capture, and where it returns to
    EXPECT_EQ(captured_.ours, captured_.theirs);
    EXPECT_FALSE(captured_.truncated);
  }
  EXPECT_EQ(state_->by_libunwind.load(), 0u);
}

// Its entries can be read one by one all the same, and libunwind does.
TEST_F(StackEnds, LibraryWithoutUnwindTable_LosesNoFrames) {
  void* const plugin = dlopen(MIGPROF_TABLELESS_FRAME_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr) << dlerror();
  const auto call = reinterpret_cast<void (*)(void (*)(void*), void*)>(dlsym(plugin, "migprof_test_call"));
  ASSERT_NE(call, nullptr);
  Capture();
  const size_t outside = captured_.ours.size() - 2;  // not CaptureOurs and Capture
  for (int i = 0; i < 3; ++i) {
    call([](void*) { Capture(); }, nullptr);
    EXPECT_EQ(captured_.ours, captured_.theirs);
    EXPECT_GE(captured_.ours.size(), outside + 3);  // more where the lambda is not inlined
    EXPECT_FALSE(captured_.truncated);
  }
  dlclose(plugin);
}

// Runs `function` in a signal handler on an alternate stack of so many bytes. Returns how many bytes below the handler
// were written to.
size_t OnAlternateStack(char* memory, size_t bytes, void (*function)()) {
  static void (*to_call)();
  static uintptr_t handler_sp;
  to_call = function;
  std::memset(memory, 0x5a, bytes);
  const stack_t alternate{.ss_sp = memory, .ss_flags = 0, .ss_size = bytes};
  stack_t before;
  EXPECT_EQ(sigaltstack(&alternate, &before), 0);
  struct sigaction action = {}, old;
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    handler_sp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    to_call();
  };
  sigaction(SIGUSR2, &action, &old);
  raise(SIGUSR2);
  sigaction(SIGUSR2, &old, nullptr);
  EXPECT_EQ(sigaltstack(&before, nullptr), 0);
  size_t untouched = 0;
  while (untouched < bytes && memory[untouched] == 0x5a) ++untouched;
  return handler_sp - reinterpret_cast<uintptr_t>(memory) - untouched;
}

__attribute__((noinline)) size_t OnAlternateStackBelowRealignedFrame(char* memory, size_t bytes, void (*function)()) {
  alignas(64) volatile char local[64];
  local[0] = 0;
  return OnAlternateStack(memory, bytes, function) + local[0];
}

TEST_F(StackEnds, LibunwindTakesNoMoreOfTheStackThanExpected) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer makes every frame larger";
#endif
  constexpr size_t kBytes = 64 << 10;
  const GuardedMemory memory(kBytes);
  for (int i = 0; i < 3; ++i) {
    const size_t used = OnAlternateStackBelowRealignedFrame(memory.usable(), kBytes, CaptureOurs);
    std::printf("%zu bytes\n", used);
    EXPECT_GE(captured_.ours.size(), 5u);
    EXPECT_FALSE(captured_.truncated);
    EXPECT_LT(used, kLibunwindStackBytes);
  }
  EXPECT_GE(state_->by_libunwind.load(), 3u);
}

// Some are so small that libunwind would write beyond their end.
TEST_F(StackEnds, SmallAlternateStack_IsNotOverrun) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer makes every frame larger";
#endif
  const auto frame = static_cast<size_t>(sysconf(_SC_MINSIGSTKSZ));  // depends on the processor
  constexpr size_t kMostRoom = kLibunwindStackBytes + (10 << 10);
  const GuardedMemory memory(frame + kMostRoom);
  uint64_t missing = 0;
  for (size_t room = 2048; room <= kMostRoom; room += 256) {
    OnAlternateStack(memory.usable(), frame + room, CaptureOurs);
    EXPECT_EQ(captured_.truncated, captured_.ours.empty()) << room;  // all or nothing, and then it says so
    missing += captured_.ours.empty();
  }
  EXPECT_FALSE(captured_.ours.empty());
  EXPECT_GT(missing, 0u);
}

}  // namespace
}  // namespace migprof::record

#endif
