// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/range_stack.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "libmigprof/base/hash.h"
#include "libmigprof/base/memory_use.h"

namespace migprof::record {
namespace {

constexpr size_t kMostStacks = 1024;
constexpr size_t kMostTexts = 16 * 1024;

__attribute__((tls_model("initial-exec"))) thread_local RangeStack* t_stack = nullptr;

std::array<std::atomic<RangeStack*>, kMostStacks> g_stacks{};
std::atomic<uint32_t> g_stack_count{0};
std::atomic<uint32_t> g_most_stacks{kMostStacks};
constexpr size_t kStackPages = (sizeof(RangeStack) + 4095) / 4096 * 4096;
std::atomic<uint64_t> g_overflowed{0};

pthread_key_t ThreadEndKey(void (*release)(void*)) {
  static const pthread_key_t key = [release] {
    pthread_key_t made = 0;
    return pthread_key_create(&made, release) == 0 ? made : static_cast<pthread_key_t>(-1);
  }();
  return key;
}

void* Map() {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* const memory = mmap(nullptr, sizeof(RangeStack), PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  MemoryUse::Add(kStackPages);
  return memory;
}

}  // namespace

RangeStack* RangeStack::MineIfAny() noexcept { return t_stack; }

RangeStack* RangeStack::Mine() noexcept {
  if (t_stack != nullptr) [[likely]]
    return t_stack;
  return Acquire();
}

__attribute__((cold)) RangeStack* RangeStack::Acquire() noexcept {
  RangeStack* mine = nullptr;
  const uint32_t count = std::min<uint32_t>(g_stack_count.load(std::memory_order_acquire), kMostStacks);
  for (uint32_t i = 0; i < count && mine == nullptr; ++i) {
    RangeStack* const stack = g_stacks[i].load(std::memory_order_acquire);
    State free = State::kFree;
    if (stack != nullptr && stack->state_.compare_exchange_strong(free, State::kActive, std::memory_order_acquire)) {
      mine = stack;
    }
  }
  if (mine == nullptr) {
    const uint32_t most = g_most_stacks.load(std::memory_order_relaxed);
    if (count >= most) return nullptr;
    const uint32_t number = g_stack_count.fetch_add(1, std::memory_order_acq_rel);
    void* const memory = number < most ? Map() : nullptr;
    if (memory == nullptr) return nullptr;
    mine = new (memory) RangeStack;
    mine->number_ = number;
    g_stacks[number].store(mine, std::memory_order_release);
  }
  mine->depth_ = mine->hashed_ = mine->deep_domains_ = 0;
  for (std::atomic<uint32_t>& generation : mine->generations_) {
    // What the last owner left open is over; its ids mean nothing now.
    const uint32_t was = generation.load(std::memory_order_relaxed);
    generation.store(was + (was & 1), std::memory_order_relaxed);
  }
  pthread_setspecific(ThreadEndKey(&RangeStack::Release), mine);
  t_stack = mine;
  return mine;
}

void RangeStack::Release(void* stack) {
  t_stack = nullptr;
  static_cast<RangeStack*>(stack)->state_.store(State::kFree, std::memory_order_release);
}

RangeStack::Range* RangeStack::Add(const RangeText* domain, std::string_view name) noexcept {
  if (depth_ == kMostOpen) {
    g_overflowed.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  Range& range = ranges_[depth_++];
  range.domain = domain;
  range.start = range.generation = 0;
  range.length = static_cast<uint16_t>(std::min(name.size(), kMostText));
  std::memcpy(range.text, name.data(), range.length);
  range.text_hash = HashBytes(range.text, range.length, reinterpret_cast<uintptr_t>(domain));
  return &range;
}

void RangeStack::Remove(uint32_t index) noexcept {
  std::memmove(&ranges_[index], &ranges_[index + 1], (depth_ - index - 1) * sizeof(Range));
  --depth_;
  hashed_ = std::min(hashed_, index);
}

int RangeStack::PushedIn(const RangeText* domain) const noexcept {
  return static_cast<int>(std::count_if(ranges_.begin(), ranges_.begin() + depth_, [domain](const Range& range) {
    return range.start == 0 && range.domain == domain;
  }));
}

uint32_t* RangeStack::TooDeep(const RangeText* domain, bool add) noexcept {
  for (uint32_t i = 0; i < deep_domains_; ++i) {
    if (deep_[i].domain == domain) return &deep_[i].count;
  }
  if (!add || deep_domains_ == kMostDeepDomains) return nullptr;
  deep_[deep_domains_] = {domain, 0};
  return &deep_[deep_domains_++].count;
}

int RangeStack::Push(const RangeText* domain, std::string_view name) noexcept {
  if (depth_ == kMostOpen) Top();  // takes out what other threads ended, so that there is room
  const int level = PushedIn(domain);
  uint32_t* too_deep = deep_domains_ != 0 ? TooDeep(domain, /*add=*/false) : nullptr;
  if (too_deep == nullptr) {
    if (Add(domain, name) != nullptr) return level;
    too_deep = TooDeep(domain, /*add=*/true);
    if (too_deep != nullptr) *too_deep = 1;
    return level;
  }
  g_overflowed.fetch_add(1, std::memory_order_relaxed);
  return level + static_cast<int>((*too_deep)++);
}

int RangeStack::Pop(const RangeText* domain) noexcept {
  if (uint32_t* const too_deep = deep_domains_ != 0 ? TooDeep(domain, /*add=*/false) : nullptr) {
    const int left = PushedIn(domain) + static_cast<int>(--*too_deep);
    if (*too_deep == 0) {
      const Deep last = deep_[--deep_domains_];
      for (uint32_t i = 0; i < deep_domains_; ++i) {
        if (deep_[i].domain == domain) deep_[i] = last;
      }
    }
    return left;
  }
  for (uint32_t i = depth_; i-- > 0;) {
    if (ranges_[i].start != 0 || ranges_[i].domain != domain) continue;
    Remove(i);
    return PushedIn(domain);
  }
  return -1;
}

uint64_t RangeStack::Start(const RangeText* domain, std::string_view name) noexcept {
  for (uint32_t place = 0; place < kMostOpen; ++place) {
    const uint32_t generation = generations_[place].load(std::memory_order_relaxed);
    if ((generation & 1) != 0) continue;
    Top();  // takes out what other threads ended, so that there is room
    Range* const range = Add(domain, name);
    if (range == nullptr) return 0;
    range->start = place + 1;
    range->generation = generation + 1;
    generations_[place].store(generation + 1, std::memory_order_release);
    return uint64_t{number_ + 1} << 40 | uint64_t{place} << 32 | range->generation;
  }
  g_overflowed.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

void RangeStack::End(uint64_t id) noexcept {
  const uint64_t number = id >> 40;
  const uint64_t place = id >> 32 & 0xff;
  if (number == 0 || number > kMostStacks || place >= kMostOpen) return;
  RangeStack* const stack = g_stacks[number - 1].load(std::memory_order_acquire);
  auto generation = static_cast<uint32_t>(id);
  if (stack == nullptr || (generation & 1) == 0) return;
  if (stack->generations_[place].compare_exchange_strong(generation, generation + 1, std::memory_order_acq_rel)) {
    stack->ended_elsewhere_.store(true, std::memory_order_release);
  }
}

uint64_t RangeStack::Top() noexcept {
  if (ended_elsewhere_.load(std::memory_order_relaxed)) [[unlikely]] {
    ended_elsewhere_.exchange(false, std::memory_order_acquire);  // pairs with End: the places are as it left them
    for (uint32_t i = depth_; i-- > 0;) {
      const Range& range = ranges_[i];
      if (range.start != 0 && generations_[range.start - 1].load(std::memory_order_acquire) != range.generation) {
        Remove(i);
      }
    }
  }
  for (; hashed_ < depth_; ++hashed_) {
    Range& range = ranges_[hashed_];
    const uint64_t parts[2] = {hashed_ != 0 ? ranges_[hashed_ - 1].hash : 0, range.text_hash + (range.start != 0)};
    range.hash = HashBytes(parts, sizeof(parts)) | 1;  // never 0
  }
  return depth_ != 0 ? ranges_[depth_ - 1].hash : 0;
}

void RangeStack::LimitMemory(size_t most_bytes) noexcept {
  g_most_stacks.store(static_cast<uint32_t>(std::min(most_bytes / kStackPages, kMostStacks)),
                      std::memory_order_relaxed);
}

uint64_t RangeStack::overflowed() { return g_overflowed.load(std::memory_order_relaxed); }

const RangeText* KeepRangeText(std::string_view text) noexcept {
  static constinit std::array<RangeText, kMostTexts> texts{};  // in .bss: costs what is touched
  static constinit std::atomic<uint32_t> used{0};
  const uint32_t index = used.fetch_add(1, std::memory_order_relaxed);
  if (index >= kMostTexts) {
    used.store(kMostTexts, std::memory_order_relaxed);
    return nullptr;
  }
  RangeText& kept = texts[index];
  kept.length = static_cast<uint16_t>(std::min(text.size(), sizeof(kept.bytes)));
  std::memcpy(kept.bytes, text.data(), kept.length);
  return &kept;
}

}  // namespace migprof::record
