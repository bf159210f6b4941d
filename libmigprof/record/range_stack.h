// SPDX-License-Identifier: Apache-2.0
// The ranges that a thread has open: NVTX's, and those of migprof_push.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace migprof::record {

// A text that lives as long as the process: the name of a domain, or a registered string.
struct RangeText {
  uint16_t length;
  char bytes[200];

  std::string_view text() const { return {bytes, length}; }
};

// Ranges are pushed and popped between CUDA calls, also before recording starts, so this is apart from the thread's
// slot and known to no session. Everything but End is for the owning thread alone; noexcept, without locks, and after a
// thread's first range without allocation or system calls.
class RangeStack {
 public:
  static constexpr uint32_t kMostOpen = 64;
  static constexpr size_t kMostText = sizeof(RangeText::bytes);

  struct Range {
    uint64_t hash;  // of this range and all outside of it
    uint64_t text_hash;
    const RangeText* domain;  // null: the default one
    uint32_t start;           // 0: pushed; else 1 + its place among those that are started
    uint32_t generation;      // of that place
    uint16_t length;
    char text[kMostText];
  };

  // The calling thread's. The first call of a thread takes a free one or maps one; null when there is none to be had.
  static RangeStack* Mine() noexcept;
  // The same, but null when the thread never opened a range.
  static RangeStack* MineIfAny() noexcept;

  // Longer names are cut. Returns how many ranges of the domain were pushed before. What does not fit is counted, and
  // so is what the domain pushes inside of that, so that of one domain the ranges not kept are always the innermost.
  int Push(const RangeText* domain, std::string_view name) noexcept;
  // Ends the innermost pushed range of the domain. Returns how many of it are left; -1 when there was none.
  int Pop(const RangeText* domain) noexcept;
  // Opens a range that any thread may end. Returns its id, which is never 0 unless it did not fit.
  uint64_t Start(const RangeText* domain, std::string_view name) noexcept;
  // Ends such a range, whichever thread opened it. Ids that are not open are ignored.
  static void End(uint64_t id) noexcept;

  // The hash of the innermost open range; 0 when none is open.
  uint64_t Top() noexcept;
  // The open ranges, outermost first; as of the last Top().
  uint32_t depth() const { return depth_; }
  const Range& operator[](uint32_t index) const { return ranges_[index]; }

  // Stacks of all threads take at most so much from now on; threads for which there is no room have no ranges.
  static void LimitMemory(size_t most_bytes) noexcept;

  // Of all threads: ranges that were not kept because a thread had too many open.
  static uint64_t overflowed();

 private:
  enum class State : uint32_t { kFree, kActive };

  static RangeStack* Acquire() noexcept;
  static void Release(void* stack);
  Range* Add(const RangeText* domain, std::string_view name) noexcept;
  void Remove(uint32_t index) noexcept;
  int PushedIn(const RangeText* domain) const noexcept;
  // The number of pushed ranges of the domain that are open and were not kept, or null when it has none; `add` makes
  // room for it while there is any.
  uint32_t* TooDeep(const RangeText* domain, bool add) noexcept;

  std::atomic<State> state_{State::kActive};
  uint32_t number_ = 0;  // among all stacks
  uint32_t depth_ = 0;
  uint32_t hashed_ = 0;  // ranges whose hash is right
  // Pushed ranges that are open and were not kept, by domain. More domains than that at once, all of them 64 deep in
  // ranges, are beyond what is kept apart: the pops of the others end what is kept of them.
  static constexpr uint32_t kMostDeepDomains = 32;
  struct Deep {
    const RangeText* domain;
    uint32_t count;
  };
  uint32_t deep_domains_ = 0;
  std::array<Deep, kMostDeepDomains> deep_;
  std::atomic<bool> ended_elsewhere_{false};
  // Of each place for started ranges: odd while one is open there; End makes it even.
  std::array<std::atomic<uint32_t>, kMostOpen> generations_{};
  std::array<Range, kMostOpen> ranges_;
};

// Keeps a text for the life of the process. Null when there is no more room. Any thread; wait-free, no allocation.
const RangeText* KeepRangeText(std::string_view text) noexcept;

}  // namespace migprof::record
