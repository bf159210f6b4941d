// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/climber.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <array>
#include <chrono>
#include <utility>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/hash.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

constexpr size_t kCacheBytes = 2 << 20;
constexpr int kFunctions = 64;

record::ThreadSlots* Slots() {
  static auto* const slots = [] {
    auto* made = new record::ThreadSlots;
    return made->Init(8 << 20).ok() ? made : nullptr;
  }();
  return slots;
}

record::ContextTable* Contexts() {
  static auto* const contexts = [] {
    auto* made = new record::ContextTable;
    made->Add(1, 0);
    return made;
  }();
  return contexts;
}

__attribute__((noinline)) int OwnFrames() {
  void* frames[512];
  return unw_backtrace(frames, 512);
}

using Function = void(Climber&, int level);

// Frames of different sizes.
template <int kNumber>
__attribute__((noinline)) void Frame(Climber& climber, int level) {
  volatile char local[16 + kNumber % 7 * 24];
  local[0] = static_cast<char>(level);
  climber.Go(level - 1);
  asm volatile("" : : "r"(local) : "memory");  // no tail call
}

template <int... kNumbers>
constexpr std::array<Function*, sizeof...(kNumbers)> Frames(std::integer_sequence<int, kNumbers...>) {
  return {&Frame<kNumbers>...};
}
constexpr auto kTable = Frames(std::make_integer_sequence<int, kFunctions>());

}  // namespace

Climber::Climber(int depth, bool evict)
    : depth_(depth),
      cache_(evict ? kCacheBytes : 0),
      ring_memory_((1 << 20) / sizeof(uint64_t)),
      recorder_(
          Slots(), Contexts(), [] { return RealtimeNs(); }, 256),
      python_recorder_(
          Slots(), Contexts(), [] { return RealtimeNs(); }, 256, &runtime_) {
  runtime_.Use(&python_.reader());
  ring_.Init(reinterpret_cast<uint8_t*>(ring_memory_.data()), ring_memory_.size() * sizeof(uint64_t));
}

void Climber::Measure(const std::vector<Way>& ways, int rounds) {
  ways_ = ways;
  times_.assign(ways.size(), {});
  rounds_ = rounds;
  fixed_.seed(1);
  changing_.seed(2);
  const int own = OwnFrames();
  Go(depth_ - own - 1);
}

double Climber::MedianOf(size_t way) const { return Median(times_[way]); }

double Climber::RoundNs(Way way, double seconds) {
  rate_seconds_ = seconds;
  Measure({way}, 0);
  rate_seconds_ = 0;
  return round_ns_;
}

void Climber::Go(int level) {
  if (level == 0) return Leaf();
  if (level == kChangingFrames) return Loop();
  kTable[(level > kChangingFrames ? fixed_ : changing_)() / 16 % kFunctions](*this, level);
}

void Climber::Loop() {
  const auto next = [&] { kTable[changing_() / 16 % kFunctions](*this, kChangingFrames); };
  if (rate_seconds_ == 0) {
    for (done_ = 0; done_ < rounds_; ++done_) next();
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
  if (rate_seconds_ != 0) {
    python_.MoveOn(correlation_);
    return Do(ways_[0]);
  }
  const size_t way = static_cast<size_t>(done_) % ways_.size();
  python_.MoveOn(changing_());
  for (size_t i = 0; i < cache_.size(); i += 64) ++cache_[i];
  const auto start = std::chrono::steady_clock::now();
  Do(ways_[way]);
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  times_[way].push_back(elapsed.count());
}

__attribute__((noinline)) void Climber::Do(Way way) {
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
    case Way::kPython:
      sink_ += record::CapturePythonStack(python_.reader(), python_state_.get(), &ring_).hash;
      return;
    case Way::kLaunch:
      return Launch(&recorder_);
    case Way::kPythonLaunch:
      return Launch(&python_recorder_);
  }
}

inline void Climber::Launch(record::CallRecorder* recorder) {
  ++correlation_;
  recorder->Enter(307, correlation_, 1);
  recorder->Exit(correlation_, 0);
  if (correlation_ % 4096 == 0) {
    Slots()->Mine()->ring.Drain([](const record::RingRecordHeader*) {});
  }
}

}  // namespace migprof::bench
