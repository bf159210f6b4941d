// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/stack_walk.h"

#include <cstring>

#include "libmigprof/record/rule_cache.h"

namespace migprof::record {
namespace {

using Frame = NativeStackState::Frame;

// The stack is full of words that belong to other functions, which sanitizers would rather nobody read.
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread"), noinline))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize_address, no_sanitize_thread, noinline))
#endif
inline uint64_t
Load(uint64_t address) {
  return *reinterpret_cast<const volatile uint64_t*>(address);
}

enum class Step { kCaller, kEnd, kBroken, kUnable };

class Walk {
 public:
  Walk(NativeStackState* state, RuleCache* rules, Registers at)
      : state_(state), rules_(rules), high_(state->high), low_(state->low), known_(state->count), at_(at) {}

  WalkResult Run();

 private:
  // Moves to the caller's frame.
  Step ToCaller();
  Step ToInterrupted();
  bool IsOnStack(uint64_t address) const {
    return address >= low_ && address <= high_ - sizeof(uint64_t) && address % sizeof(uint64_t) == 0;
  }
  bool IsCallerStack(uint64_t cfa) const { return cfa > at_.sp && cfa < high_ && cfa % sizeof(uint64_t) == 0; }
  uint32_t Distance(uint64_t address) const { return static_cast<uint32_t>(high_ - address); }

  bool IsAtKnownFrame();
  // The outermost of the known frames that still hold, given that the innermost does.
  uint32_t OutermostProven() const;
  WalkResult Assemble(uint32_t kept, WalkResult result);

  NativeStackState* const state_;
  RuleCache* const rules_;
  const uint64_t high_;
  const uint64_t low_;
  uint32_t known_;  // frames of the last capture that may still be there: those outside of where the walk is
  uint32_t walked_ = 0;
  Registers at_;          // of the frame the walk is at
  uint64_t sp_slot_ = 0;  // where at_.sp was read from, if it was
  uint64_t bp_slot_ = 0;  // where at_.bp was read from, if it was
  bool exact_ = false;    // at_.ip is an instruction, not a return address
  bool guessed_ = false;  // the frame was found without unwind information
  bool reusable_ = true;
};

bool Walk::IsAtKnownFrame() {
  const Frame* const frames = state_->frames;
  const uint32_t distance = Distance(at_.sp);
  while (known_ > 0 && frames[known_ - 1].sp > distance) --known_;
  if (known_ == 0 || exact_ || !reusable_) return false;
  const Frame& known = frames[known_ - 1];
  return known.sp == distance && known.ip == at_.ip && known.bp == at_.bp;
}

uint32_t Walk::OutermostProven() const {
  const Frame* const frames = state_->frames;
  const bool any_sp_slot = state_->any_sp_slot;
  uint32_t i = known_ - 1;
  for (; i > 0; --i) {  // the branches are the same ones from capture to capture, and well predicted
    const Frame& outer = frames[i - 1];
    if (Load(high_ - outer.sp - sizeof(uint64_t)) != outer.ip) break;
    if (outer.bp_slot != 0 && Load(high_ - outer.bp_slot) != outer.bp) break;
    if (any_sp_slot) [[unlikely]] {
      const uint32_t slot = state_->sp_slots[i - 1];
      if (slot != 0 && Load(high_ - slot) != high_ - outer.sp) break;
    }
  }
  return i;
}

WalkResult Walk::Run() {
  const Frame* const frames = state_->frames;
  for (;;) {
    if (IsAtKnownFrame()) {
      const uint32_t first = OutermostProven();
      if (first == 0) return Assemble(known_, WalkResult::kComplete);
      // The frames from `first` inwards hold; the one outside has changed. Go on from there.
      if (walked_ + (known_ - first) > kMaxNativeDepth) return Assemble(0, WalkResult::kTooDeep);
      for (; known_ > first; --known_) {
        state_->walked[walked_] = frames[known_ - 1];
        state_->walked_sp_slots[walked_++] = state_->sp_slots[known_ - 1];
      }
      at_ = {.sp = high_ - frames[first].sp, .ip = frames[first].ip, .bp = frames[first].bp};
    } else {
      if (walked_ == kMaxNativeDepth) return Assemble(0, WalkResult::kTooDeep);
      const uint32_t bp_slot = bp_slot_ != 0 ? Distance(bp_slot_) : 0;
      state_->walked[walked_] = {.ip = at_.ip, .bp = at_.bp, .sp = Distance(at_.sp), .bp_slot = bp_slot};
      state_->walked_sp_slots[walked_++] = sp_slot_ != 0 ? Distance(sp_slot_) : 0;
    }
    const Step step = ToCaller();
    if (step == Step::kEnd) return Assemble(0, WalkResult::kComplete);
    if (step == Step::kBroken) return Assemble(0, WalkResult::kBroken);
    if (step == Step::kUnable) return WalkResult::kUnable;
  }
}

Step Walk::ToCaller() {
  using Kind = UnwindRule::Kind;
  const UnwindRule rule = rules_->Find(at_.ip, exact_);
  uint64_t cfa = 0;
  sp_slot_ = 0;
  bp_slot_ = 0;
  if (rule.kind == Kind::kStandard) [[likely]] {
    if (rule.cfa == UnwindRule::Cfa::kStackPointer) {
      cfa = at_.sp + rule.cfa_offset;
    } else if (rule.cfa == UnwindRule::Cfa::kFramePointer) {
      cfa = at_.bp + rule.cfa_offset;
    } else {
      sp_slot_ = at_.bp + rule.cfa_offset;
      if (!IsOnStack(sp_slot_)) return Step::kBroken;
      cfa = Load(sp_slot_);
    }
    if (rule.rbp == UnwindRule::SavedRbp::kAtCfa) {
      bp_slot_ = cfa + rule.rbp_offset;
    } else if (rule.rbp == UnwindRule::SavedRbp::kAtFramePointer) {
      bp_slot_ = at_.bp + rule.rbp_offset;
    }
    guessed_ = false;
  } else if (rule.kind == Kind::kEnd) {
    return Step::kEnd;
  } else if (rule.kind == Kind::kSignal) {
    return ToInterrupted();
  } else if (rule.kind == Kind::kFramePointer && !guessed_ && !exact_) {
    // libunwind does the same. Whether it was right shows at the next frame, which must be in known code.
    cfa = at_.bp + 16;
    bp_slot_ = at_.bp;
    guessed_ = true;
  } else {
    return Step::kUnable;
  }
  if (!IsCallerStack(cfa) || (bp_slot_ != 0 && !IsOnStack(bp_slot_))) {
    return guessed_ ? Step::kUnable : Step::kBroken;
  }
  at_.ip = Load(cfa - sizeof(uint64_t));
  if (bp_slot_ != 0) at_.bp = Load(bp_slot_);
  at_.sp = cfa;
  exact_ = false;
  return at_.ip != 0 ? Step::kCaller : Step::kEnd;
}

Step Walk::ToInterrupted() {
  // The kernel put the interrupted registers into a ucontext_t above the trampoline's return address.
  constexpr uint64_t kBp = 120, kSp = 160, kIp = 168;
  if (!IsOnStack(at_.sp + kIp)) return Step::kBroken;
  const uint64_t sp = Load(at_.sp + kSp);
  if (sp <= at_.sp || !IsOnStack(sp)) return Step::kUnable;  // the handler has a stack of its own
  at_ = {.sp = sp, .ip = Load(at_.sp + kIp), .bp = Load(at_.sp + kBp)};
  exact_ = true;
  reusable_ = false;  // these registers were not taken from where a comparison would look
  return Step::kCaller;
}

WalkResult Walk::Assemble(uint32_t kept, WalkResult result) {
  Frame* const frames = state_->frames;
  if (kept + walked_ > kMaxNativeDepth) {  // the outermost give way
    const uint32_t excess = kept + walked_ - kMaxNativeDepth;
    kept -= excess;
    std::memmove(frames, frames + excess, kept * sizeof(Frame));
    result = WalkResult::kTooDeep;
  }
  const bool whole = result == WalkResult::kComplete;
  uint64_t hash = kept != 0 ? state_->hashes[kept - 1] : 0;  // when not whole, nobody asks for it
  uint32_t count = kept;
  for (uint32_t i = walked_; i > 0; --i, ++count) {
    frames[count] = state_->walked[i - 1];
    state_->sp_slots[count] = state_->walked_sp_slots[i - 1];
    state_->any_sp_slot |= state_->sp_slots[count] != 0;
    state_->hashes[count] = hash += FrameHash(frames[count].ip, count);
  }
  state_->count = count;
  state_->reusable = whole && reusable_;
  return result;
}

}  // namespace

WalkResult WalkStack(NativeStackState* state, Registers at) noexcept {
  if (at.sp < state->low || at.sp >= state->high) return WalkResult::kUnable;  // a fiber, or a signal stack
  RuleCache& rules = RuleCache::OfProcess();
  const uint32_t generation = rules.generation();
  if (!state->reusable || state->generation != generation) [[unlikely]] {
    state->generation = generation;
    state->count = 0;
    state->any_sp_slot = false;
  }
  state->reusable = false;
  return Walk(state, &rules, at).Run();
}

}  // namespace migprof::record
