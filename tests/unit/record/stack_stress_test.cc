// SPDX-License-Identifier: Apache-2.0
// Random recursion through functions of many shapes, with exceptions, longjmp, signals, fibers and threads; every
// capture is compared with unw_backtrace.
#include <alloca.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <unwind.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/rule_cache.h"
#include "libmigprof/record/unwind_machine.h"
#include "tests/unit/record/stack_assembly.h"
#include "tests/unit/record/their_stack.h"

#if MIGPROF_WALKS_STACKS && !defined(__SANITIZE_THREAD__)

namespace migprof::record {
namespace {

constexpr int kMostDepth = 70;

struct World {
  explicit World(unsigned seed) : random(seed), state(new NativeStackState{}) {}

  std::minstd_rand random;
  std::unique_ptr<NativeStackState> state;
  int depth = 0;
  jmp_buf* landing = nullptr;
  uint64_t captures = 0;
  uint64_t frames = 0;
  uint64_t differences = 0;
  uint64_t wrong_if_trusted = 0;  // what a capture would be that believes the first frame it recognises
  uint64_t sum = 0;

  bool OneIn(unsigned n) { return random() / 7 % n == 0; }
};

thread_local World* t_world = nullptr;  // for signal handlers and fibers

// What the frames would be if the frames outside of the first known one were taken on trust.
bool WouldTrustRightly(const World& world, const std::vector<NativeStackState::Frame>& before) {
  const NativeStackState& state = *world.state;
  const NativeStackState::Frame* const frames = state.frames + 1;  // outermost first
  for (uint32_t i = state.count; i-- > 0;) {
    const auto& frame = frames[i];
    for (size_t known = before.size(); known-- > 0;) {
      const auto& old = before[known];
      if (old.sp() != frame.sp() || old.ip != frame.ip || old.bp != frame.bp) continue;
      if (known != i) return false;
      for (uint32_t outer = 0; outer < i; ++outer) {
        if (before[outer].ip != frames[outer].ip) return false;
      }
      return true;
    }
  }
  return true;
}

__attribute__((noinline)) void Capture(World& world) {
  NativeStackState& state = *world.state;
  std::vector<NativeStackState::Frame> before(state.frames + 1, state.frames + 1 + (state.reusable ? state.count : 0));
  const NativeStack stack = CaptureNativeStack(&state, kMaxNativeDepth);
  uint64_t theirs[kMaxNativeDepth];
  const int depth = TheirStack(theirs, kMaxNativeDepth);
  uint64_t ours[kMaxNativeDepth];
  stack.CopyFrames(ours);
  ++world.captures;
  world.frames += stack.depth;
  // The innermost frame of both is this function, at two different calls.
  if (static_cast<int>(stack.depth) != depth || std::memcmp(ours + 1, theirs + 1, (depth - 1) * 8) != 0) {
    if (world.differences++ == 0) {
      std::printf("ours %u, theirs %d frames\n", stack.depth, depth);
      for (int i = 0; i < std::min<int>(depth, 90); ++i) std::printf("  %2d %16lx %16lx\n", i, ours[i], theirs[i]);
    }
  }
  if (stack.framed != nullptr && !WouldTrustRightly(world, before)) ++world.wrong_if_trusted;
}

void Next(World& world);

void Body(World& world) {
  const unsigned choice = world.random() / 3;
  ++world.depth;
  if (world.depth < kMostDepth) {
    for (unsigned i = 0; i < choice / 16 % 3; ++i) {
      // Two calls of the same function from different places.
      choice >> i & 1 ? Next(world) : (Next(world), world.sum += i, void());
      if (choice / 4096 % 4 == 0) Capture(world);
    }
  }
  if (choice / 65536 % 2 == 0) Capture(world);
  --world.depth;
}

// Functions of the same code at different addresses, so that equal frames have different callers.
template <int kBytes, int kTag>
__attribute__((noinline)) void Plain(World& world) {
  volatile char local[kBytes];  // not initialised: old return addresses stay in it
  local[0] = kTag;
  Body(world);
  world.sum += local[0];
}
template <int kTag>
__attribute__((noinline)) void Alloca(World& world) {
  auto* const local = static_cast<volatile char*>(alloca(16 + world.random() % 8 * 16));
  local[0] = kTag;
  Body(world);
  world.sum += local[0];
}
template <int kTag>
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void WithFramePointer(World& world) {
  Body(world);
  world.sum += kTag;
}
template <int kTag>
__attribute__((noinline)) void Realigned(World& world) {
  alignas(64) volatile char local[128];
  local[0] = kTag;
  Body(world);
  world.sum += local[0];
}
template <int kTag>
__attribute__((noinline)) void RealignedAndAlloca(World& world) {
  alignas(64) volatile char local[64];
  auto* const more = static_cast<volatile char*>(alloca(32 + world.random() % 4 * 64));
  local[0] = kTag;
  more[0] = kTag;
  Body(world);
  world.sum += local[0] + more[0];
}
template <int kTag>
__attribute__((noinline)) void ManyRegisters(World& world) {
  const uint64_t a = world.sum, b = a * 3, c = b ^ 7, d = c + a, e = d * 5, f = e - b;
  Body(world);
  world.sum += (a + b) ^ (c + d) ^ (e + f) ^ kTag;
}
__attribute__((noinline)) void Throws(World& world) {
  Body(world);
  if (world.depth > 3 && world.OneIn(24)) throw world.depth;
}
__attribute__((noinline)) void Catches(World& world) {
  const int depth = world.depth;
  try {
    Body(world);
  } catch (int) {
    world.depth = depth;
    Capture(world);
  }
}
__attribute__((noinline)) void Lands(World& world) {
  jmp_buf here;
  jmp_buf* const outer = world.landing;
  volatile int depth = world.depth;
  if (setjmp(here) == 0) {
    world.landing = &here;
    try {
      Body(world);
    } catch (...) {
      world.landing = outer;
      throw;
    }
  } else {
    world.depth = depth;
    Capture(world);
  }
  world.landing = outer;
}
__attribute__((noinline)) void Jumps(World& world) {
  Body(world);
  if (world.landing != nullptr && world.OneIn(16)) longjmp(*world.landing, 1);
}
// No exception and no jump may pass through code without unwind information.
__attribute__((noinline)) void ThroughAssembly(World& world) {
  if (world.depth > kMostDepth - 12) return Capture(world);
  migprof_test_call_with_frame_pointer([](void* w) { Capture(*static_cast<World*>(w)); }, &world);
}
__attribute__((noinline)) void InSignalHandler(World& world) {
  if (world.OneIn(8)) raise(SIGUSR1);
  Body(world);
}
__attribute__((noinline)) void OnAFiber(World& world) {
  if (!world.OneIn(64)) return Body(world);
  static constexpr size_t kStackBytes = 256 << 10;
  const std::unique_ptr<char[]> memory(new char[kStackBytes]);
  ucontext_t fiber, here;
  getcontext(&fiber);
  fiber.uc_stack.ss_sp = memory.get();
  fiber.uc_stack.ss_size = kStackBytes;
  fiber.uc_link = &here;
  makecontext(&fiber, static_cast<void (*)()>([] { Capture(*t_world); }), 0);
  swapcontext(&here, &fiber);
  Capture(world);
}

using Function = void (*)(World&);
constexpr Function kFunctions[] = {&Plain<8, 0>,
                                   &Plain<8, 1>,
                                   &Plain<8, 2>,
                                   &Plain<8, 3>,
                                   &Plain<64, 0>,
                                   &Plain<64, 1>,
                                   &Plain<256, 0>,
                                   &Plain<256, 1>,
                                   &Plain<1024, 0>,
                                   &Plain<40, 0>,
                                   &Alloca<0>,
                                   &Alloca<1>,
                                   &Alloca<2>,
                                   &WithFramePointer<0>,
                                   &WithFramePointer<1>,
                                   &WithFramePointer<2>,
                                   &Realigned<0>,
                                   &Realigned<1>,
                                   &RealignedAndAlloca<0>,
                                   &ManyRegisters<0>,
                                   &ManyRegisters<1>,
                                   &Throws,
                                   &Catches,
                                   &Catches,
                                   &Lands,
                                   &Jumps,
                                   &ThroughAssembly,
                                   &InSignalHandler,
                                   &OnAFiber};

void Next(World& world) { kFunctions[world.random() / 5 % std::size(kFunctions)](world); }

void Explore(World& world, uint64_t captures) {
  t_world = &world;
  while (world.captures < captures) {
    world.depth = 0;
    world.landing = nullptr;
    try {
      Next(world);
    } catch (int) {
    }
  }
}

class StackStress : public testing::Test {
 protected:
  StackStress() {
    PrepareNativeStacks();
    signal(SIGUSR1, [](int) { Capture(*t_world); });
  }
  ~StackStress() override { signal(SIGUSR1, SIG_DFL); }
};

TEST_F(StackStress, EveryCapture_EqualsUnwBacktrace) {
  constexpr uint64_t kCaptures = 150'000;
  std::vector<std::unique_ptr<World>> worlds;
  for (unsigned seed = 1; seed <= 3; ++seed) worlds.push_back(std::make_unique<World>(seed));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < worlds.size(); ++i) threads.emplace_back([&, i] { Explore(*worlds[i], kCaptures); });
  Explore(*worlds[0], kCaptures);
  for (std::thread& thread : threads) thread.join();
  uint64_t captures = 0, frames = 0, wrong_if_trusted = 0, by_libunwind = 0;
  for (const auto& world : worlds) {
    EXPECT_EQ(world->differences, 0u);
    captures += world->captures;
    frames += world->frames;
    wrong_if_trusted += world->wrong_if_trusted;
    by_libunwind += world->state->by_libunwind;
  }
  std::printf("%lu captures, %.1f frames each, %lu by libunwind; unverified reuse would have got %lu wrong\n", captures,
              static_cast<double>(frames) / captures, by_libunwind, wrong_if_trusted);
  // The test bites: frames come back at the same place with other callers, often enough.
  EXPECT_GT(wrong_if_trusted, captures / 200);
  EXPECT_LT(by_libunwind, captures / 10);
}

TEST_F(StackStress, ThreadsThatComeAndGo) {
  for (int round = 0; round < 200; ++round) {
    World world(1000 + round);
    std::thread([&] { Explore(world, 20); }).join();
    ASSERT_EQ(world.differences, 0u) << round;
  }
}

struct Found {
  World* world;
  std::vector<uint64_t> frames;
};

__attribute__((noinline)) void CaptureInto(void* user) {
  auto* const found = static_cast<Found*>(user);
  const NativeStack stack = CaptureNativeStack(found->world->state.get(), kMaxNativeDepth);
  found->frames.resize(stack.depth);
  stack.CopyFrames(found->frames.data());
}

// libunwind cannot follow this one; the way back to here is known.
TEST_F(StackStress, CodeThatReleasesItsOwnFrame_IsFollowed) {
  World world(5);
  Found found{&world, {}};
  CaptureInto(&found);
  const std::vector<uint64_t> outside = found.frames;
  for (int i = 0; i < 3; ++i) {
    migprof_test_call_without_frame_pointer(CaptureInto, &found);
    ASSERT_GT(found.frames.size(), outside.size());
    // Below the two frames of the call and its target: this function's callers.
    EXPECT_TRUE(
        std::equal(outside.end() - (outside.size() - 2), outside.end(), found.frames.end() - (outside.size() - 2)));
    EXPECT_EQ(found.frames.size(), outside.size() + 1);
  }
}

__attribute__((noinline)) int CaptureByLibgcc(uint64_t* frames) {
  struct Walk {
    uint64_t* frames;
    int count;
  } walk{frames, 0};
  _Unwind_Backtrace(
      [](_Unwind_Context* context, void* user) {
        auto* const w = static_cast<Walk*>(user);
        w->frames[w->count++] = _Unwind_GetIP(context);
        return w->count < 500 ? _URC_NO_REASON : _URC_END_OF_STACK;
      },
      &walk);
  return walk.count;
}

// Two functions at the same address, one after the other, whose frames differ in size. The oracle is libgcc: libunwind
// itself goes on with the rules of the code that is gone.
TEST_F(StackStress, CodeThatTookThePlaceOfOther_GetsRulesOfItsOwn) {
  auto state = std::make_unique<NativeStackState>();
  struct Result {
    NativeStackState* state;
    bool equal;
    uint32_t depth;
  };
  const auto compare = [](void* user) {
    auto* const result = static_cast<Result*>(user);
    uint64_t ours[kMaxNativeDepth], theirs[kMaxNativeDepth];
    const NativeStack stack = CaptureNativeStack(result->state, kMaxNativeDepth);
    stack.CopyFrames(ours);
    int depth = CaptureByLibgcc(theirs);
    // libgcc's begins in CaptureByLibgcc, ours here; it may name one more, the end of the stack.
    result->depth = stack.depth;
    result->equal = depth - 1 >= static_cast<int>(stack.depth) && depth - 1 <= static_cast<int>(stack.depth) + 1 &&
                    std::memcmp(ours + 1, theirs + 2, (stack.depth - 1) * 8) == 0;
  };
  void* place[2] = {};
  for (int round = 0; round < 20; ++round) {
    const char* const name = round % 2 == 0 ? MIGPROF_SMALL_FRAME_PLUGIN : MIGPROF_LARGE_FRAME_PLUGIN;
    void* const plugin = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    const auto call = reinterpret_cast<void (*)(void (*)(void*), void*)>(dlsym(plugin, "migprof_test_call"));
    ASSERT_NE(call, nullptr);
    place[round % 2] = reinterpret_cast<void*>(call);
    Result result{state.get(), false, 0};
    for (int i = 0; i < 3; ++i) {
      call(compare, &result);
      EXPECT_TRUE(result.equal) << "round " << round << ", depth " << result.depth;
    }
    dlclose(plugin);
    RuleCache::OfProcess().StartGeneration();  // as the drain thread does when it sees that code went
  }
  // With the rules of the code that went, the walk ends in nonsense, and libunwind, fresh to this code, has to help.
  EXPECT_EQ(state->by_libunwind, 0u);
#if defined(__aarch64__)
  if (place[0] != place[1]) GTEST_SKIP() << "qemu's user emulation gives no address twice";
#endif
  EXPECT_EQ(place[0], place[1]) << "the second plugin was not loaded where the first had been: this shows nothing";
}

}  // namespace
}  // namespace migprof::record

#endif
