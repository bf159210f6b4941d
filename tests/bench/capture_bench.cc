// SPDX-License-Identifier: Apache-2.0
// Capturing stacks whose five innermost frames change from one capture to the next, as those of a program that launches
// kernels from many places do.
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/hash.h"
#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/native_stack.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

constexpr int kChanging = 5;
constexpr size_t kCacheBytes = 2 << 20;
constexpr int kFunctions = 64;

enum class Way { kNothing, kUnwBacktrace, kUnwBacktraceAndHash, kCapture, kLaunch };

// One thread's stack of functions of different frame sizes, and what is done at its innermost end.
class Climber {
 public:
  using Function = void (*)(Climber&, int level);

  Climber(int depth, bool evict) : depth_(depth), evict_(evict ? kCacheBytes : 0), cache_(evict_) {
    recorder_ = std::make_unique<record::CallRecorder>(
        Slots(), Contexts(), [] { return RealtimeNs(); }, 256);
  }

  // Runs `captures` times at the innermost end, in the order of `ways`, and keeps how long each took.
  void Measure(const std::vector<Way>& ways, int captures) {
    ways_ = ways;
    times_.assign(ways.size(), {});
    captures_ = captures;
    fixed_.seed(1);
    changing_.seed(2);
    const int own = OwnFrames();
    Go(depth_ - own);
  }
  int frames() const { return frames_; }
  double MedianOf(size_t way) { return Median(times_[way]); }

  // Nanoseconds of the thread's own time per round by one way, the rounds' own cost included.
  double RoundNs(Way way, double seconds) {
    rate_seconds_ = seconds;
    Measure({way}, 0);
    rate_seconds_ = 0;
    return round_ns_;
  }

  void Go(int level);

 private:
  static record::ThreadSlots* Slots() {
    static auto* const slots = [] {
      auto* made = new record::ThreadSlots;
      return made->Init(8 << 20).ok() ? made : nullptr;
    }();
    return slots;
  }
  static record::ContextTable* Contexts() {
    static auto* const contexts = [] {
      auto* made = new record::ContextTable;
      made->Add(1, 0);
      return made;
    }();
    return contexts;
  }
  static int OwnFrames() {
    void* frames[512];
    return unw_backtrace(frames, 512);
  }
  void Loop();
  void Leaf();
  __attribute__((noinline)) void Do(Way way);

  int depth_;
  size_t evict_;
  std::vector<char> cache_;
  std::unique_ptr<record::NativeStackState> state_{new record::NativeStackState{}};
  std::unique_ptr<record::CallRecorder> recorder_;
  std::vector<Way> ways_;
  std::vector<std::vector<double>> times_;
  int captures_ = 0;
  int done_ = 0;
  double rate_seconds_ = 0;
  double round_ns_ = 0;
  uint32_t correlation_ = 0;
  uint64_t sink_ = 0;
  int frames_ = 0;
  std::minstd_rand fixed_;
  std::minstd_rand changing_;
};

template <int kNumber>
__attribute__((noinline)) void Function(Climber& climber, int level) {
  volatile char local[16 + kNumber % 7 * 24];
  local[0] = static_cast<char>(level);
  climber.Go(level - 1);
  asm volatile("" : : "r"(local) : "memory");  // no tail call
}

template <int... kNumbers>
constexpr std::array<Climber::Function, sizeof...(kNumbers)> Functions(std::integer_sequence<int, kNumbers...>) {
  return {&Function<kNumbers>...};
}
constexpr auto kTable = Functions(std::make_integer_sequence<int, kFunctions>());

void Climber::Go(int level) {
  if (level == 0) return Leaf();
  if (level == kChanging) return Loop();
  kTable[(level > kChanging ? fixed_ : changing_)() / 16 % kFunctions](*this, level);
}

void Climber::Loop() {
  const auto next = [&] { kTable[changing_() / 16 % kFunctions](*this, kChanging); };
  if (rate_seconds_ == 0) {
    for (done_ = 0; done_ < captures_; ++done_) next();
    return;
  }
  const auto now = [] { return ClockNs(CLOCK_THREAD_CPUTIME_ID); };
  const uint64_t start = now();
  const uint64_t end = start + static_cast<uint64_t>(rate_seconds_ * 1e9);
  int rounds = 0;
  for (; now() < end; rounds += 1000) {
    for (int i = 0; i < 1000; ++i) next();
  }
  round_ns_ = static_cast<double>(now() - start) / rounds;
}

void Climber::Leaf() {
  if (rate_seconds_ != 0) return Do(ways_[0]);
  const size_t way = static_cast<size_t>(done_) % ways_.size();
  for (size_t i = 0; i < evict_; i += 64) ++cache_[i];
  const auto start = std::chrono::steady_clock::now();
  Do(ways_[way]);
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  times_[way].push_back(elapsed.count());
}

void Climber::Do(Way way) {
  void* frames[512];
  switch (way) {
    case Way::kNothing:
      return;
    case Way::kUnwBacktrace:
      frames_ = unw_backtrace(frames, 512);
      return;
    case Way::kUnwBacktraceAndHash: {
      const int depth = unw_backtrace(frames, 512);
      sink_ += HashBytes(frames, depth * sizeof(void*));
      return;
    }
    case Way::kCapture:
      sink_ += record::CaptureNativeStack(state_.get(), 256).hash;
      return;
    case Way::kLaunch:
      ++correlation_;
      recorder_->Enter(307, correlation_, 1);
      recorder_->Exit(correlation_, 0);
      if (correlation_ % 4096 == 0) {
        Slots()->Mine()->ring.Drain([](const record::RingRecordHeader*) {});
      }
  }
}

}  // namespace

void BenchCapture(Figures* figures) {
  record::PrepareNativeStacks();
  std::printf("\n== capture: stacks whose %d innermost frames change, in ns (medians, less the clock's own time)\n",
              kChanging);
  std::printf("%6s %8s %14s %20s %10s %16s\n", "frames", "evicted", "unw_backtrace", "unw_backtrace+hash", "capture",
              "whole callback");
  for (const int depth : {16, 66, 128}) {
    for (const bool evict : {false, true}) {
      Climber climber(depth, evict);
      const std::vector<Way> ways = {Way::kNothing, Way::kUnwBacktrace, Way::kUnwBacktraceAndHash, Way::kCapture,
                                     Way::kLaunch};
      climber.Measure(ways, evict ? 15'000 : 150'000);
      const double clock = climber.MedianOf(0);
      const auto cost = [&](size_t way) { return climber.MedianOf(way) - clock; };
      std::printf("%6d %8s %14.0f %20.0f %10.0f %16.0f\n", climber.frames(), evict ? "2 MiB" : "-", cost(1), cost(2),
                  cost(3), cost(4));
      if (depth == 66 && evict) figures->Add("capture_ratio_cold", cost(3) / cost(2), "x");
    }
  }
  {
    // Warm, reading the clock takes a good part of what it measures, and keeps the processor from overlapping one
    // capture with what comes before and after it. So here whole rounds are timed, less the rounds' own cost.
    Climber climber(66, false);
    const double nothing = climber.RoundNs(Way::kNothing, 0.5);
    const double hash = climber.RoundNs(Way::kUnwBacktraceAndHash, 0.5) - nothing;
    const double capture = climber.RoundNs(Way::kCapture, 0.5) - nothing;
    const double launch = climber.RoundNs(Way::kLaunch, 0.5) - nothing;
    std::printf("66 frames, without a clock in between: unw_backtrace+hash %.0f, capture %.0f, whole callback %.0f\n",
                hash, capture, launch);
    figures->Add("capture_ratio", capture / hash, "x");
    figures->Add("capture", capture, "ns");
  }
  constexpr double kSeconds = 1;
  const double alone = Climber(66, false).RoundNs(Way::kLaunch, kSeconds);
  double together[2] = {};
  std::thread threads[2];
  for (int i = 0; i < 2; ++i) {
    threads[i] = std::thread([&together, i] { together[i] = Climber(66, false).RoundNs(Way::kLaunch, kSeconds); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("a launch takes %.0f ns of its thread's time on one thread; on two at once %.0f and %.0f\n", alone,
              together[0], together[1]);
  figures->Add("two_thread_scaling", alone / std::max(together[0], together[1]), "x");
}

}  // namespace migprof::bench
