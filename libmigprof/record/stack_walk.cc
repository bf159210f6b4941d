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

// A frame in the course of a walk: its registers, where they came from, and how its address is to be read.
struct Cursor {
  Frame frame;
  bool exact;    // `ip` is an instruction, not a return address
  bool guessed;  // found without unwind information
};

enum class Step { kCaller, kEnd, kBroken, kUnable };

class Walk {
 public:
  Walk(NativeStackState* state, RuleCache* rules) : state_(state), rules_(rules), known_(state->count) {}

  WalkResult Run(Cursor cursor);

 private:
  // Moves to the caller's frame.
  Step ToCaller(Cursor* cursor);
  Step ToInterrupted(Cursor* cursor);
  bool IsOnStack(uint64_t address) const {
    return address >= state_->low && address <= state_->high - sizeof(uint64_t) && address % sizeof(uint64_t) == 0;
  }
  bool IsCallerStack(uint64_t cfa, uint64_t sp) const { return cfa > sp && cfa <= state_->high && cfa % 8 == 0; }

  // The outermost of the known frames that still hold, given that the innermost does.
  uint32_t OutermostProven() const;
  WalkResult Assemble(uint32_t kept, WalkResult result);

  NativeStackState* const state_;
  RuleCache* const rules_;
  uint32_t known_;  // frames of the last capture that may still be there: those outside of where the walk is
  uint32_t walked_ = 0;
  bool reusable_ = true;
};

uint32_t Walk::OutermostProven() const {
  const Frame* const frames = state_->frames;
  uint32_t i = known_ - 1;
  while (i > 0) {
    const Frame& outer = frames[i - 1];
    if (Load(outer.sp - 8) != outer.ip) break;
    if (outer.bp_slot != 0 && Load(outer.bp_slot) != outer.bp) break;
    if (outer.sp_slot != 0 && Load(outer.sp_slot) != outer.sp) [[unlikely]]
      break;
    --i;
  }
  return i;
}

WalkResult Walk::Run(Cursor cursor) {
  Frame* const frames = state_->frames;
  for (;;) {
    const Step step = ToCaller(&cursor);
    if (step == Step::kEnd) return Assemble(0, WalkResult::kComplete);
    if (step == Step::kBroken) return Assemble(0, WalkResult::kBroken);
    if (step == Step::kUnable) return WalkResult::kUnable;
    while (known_ > 0 && frames[known_ - 1].sp < cursor.frame.sp) --known_;
    if (known_ > 0 && !cursor.exact && reusable_) {
      const Frame& known = frames[known_ - 1];
      if (known.sp == cursor.frame.sp && known.ip == cursor.frame.ip && known.bp == cursor.frame.bp) {
        const uint32_t first = OutermostProven();
        if (first == 0) return Assemble(known_, WalkResult::kComplete);
        // The frames from `first` inwards hold; the one outside has changed. Go on from there.
        if (walked_ + (known_ - first) > kMaxNativeDepth) return Assemble(0, WalkResult::kTooDeep);
        for (uint32_t i = known_; i > first; --i) state_->walked[walked_++] = frames[i - 1];
        cursor = {frames[first], false, false};
        known_ = first;
        continue;
      }
    }
    if (walked_ == kMaxNativeDepth) return Assemble(0, WalkResult::kTooDeep);
    state_->walked[walked_++] = cursor.frame;
  }
}

Step Walk::ToCaller(Cursor* cursor) {
  using Kind = UnwindRule::Kind;
  Frame& frame = cursor->frame;
  const UnwindRule rule = rules_->Find(frame.ip, cursor->exact);
  uint64_t cfa = 0;
  uint64_t sp_slot = 0;
  uint64_t bp_slot = 0;
  if (rule.kind == Kind::kStandard) [[likely]] {
    if (rule.cfa == UnwindRule::Cfa::kStackPointer) {
      cfa = frame.sp + rule.cfa_offset;
    } else if (rule.cfa == UnwindRule::Cfa::kFramePointer) {
      cfa = frame.bp + rule.cfa_offset;
    } else {
      sp_slot = frame.bp + rule.cfa_offset;
      if (!IsOnStack(sp_slot)) return Step::kBroken;
      cfa = Load(sp_slot);
    }
    if (rule.rbp == UnwindRule::SavedRbp::kAtCfa) {
      bp_slot = cfa + rule.rbp_offset;
    } else if (rule.rbp == UnwindRule::SavedRbp::kAtFramePointer) {
      bp_slot = frame.bp + rule.rbp_offset;
    }
    cursor->guessed = false;
  } else if (rule.kind == Kind::kEnd) {
    return Step::kEnd;
  } else if (rule.kind == Kind::kSignal) {
    return ToInterrupted(cursor);
  } else if (rule.kind == Kind::kFramePointer && !cursor->guessed && !cursor->exact) {
    // libunwind does the same. Whether it was right shows at the next frame, which must be in known code.
    cfa = frame.bp + 16;
    bp_slot = frame.bp;
    cursor->guessed = true;
  } else {
    return Step::kUnable;
  }
  if (!IsCallerStack(cfa, frame.sp) || (bp_slot != 0 && !IsOnStack(bp_slot))) {
    return cursor->guessed ? Step::kUnable : Step::kBroken;
  }
  frame.ip = Load(cfa - 8);
  if (bp_slot != 0) frame.bp = Load(bp_slot);
  frame.sp = cfa;
  frame.sp_slot = sp_slot;
  frame.bp_slot = bp_slot;
  cursor->exact = false;
  return frame.ip != 0 ? Step::kCaller : Step::kEnd;
}

Step Walk::ToInterrupted(Cursor* cursor) {
  // The kernel put the interrupted registers into a ucontext_t above the trampoline's return address.
  constexpr uint64_t kBp = 120, kSp = 160, kIp = 168;
  Frame& frame = cursor->frame;
  if (!IsOnStack(frame.sp + kIp)) return Step::kBroken;
  const uint64_t sp = Load(frame.sp + kSp);
  if (sp <= frame.sp || !IsOnStack(sp)) return Step::kUnable;  // the handler has a stack of its own
  frame = {.sp = sp, .ip = Load(frame.sp + kIp), .bp = Load(frame.sp + kBp), .bp_slot = 0, .sp_slot = 0, .hash = 0};
  cursor->exact = true;
  reusable_ = false;  // these registers were not taken from where a comparison would look
  return Step::kCaller;
}

WalkResult Walk::Assemble(uint32_t kept, WalkResult result) {
  Frame* const frames = state_->frames;
  if (kept + walked_ > kMaxNativeDepth) {  // the outermost give way
    const uint32_t excess = kept + walked_ - kMaxNativeDepth;
    std::memmove(frames, frames + excess, (kept - excess) * sizeof(Frame));
    kept -= excess;
    result = WalkResult::kTooDeep;
  }
  const bool whole = result == WalkResult::kComplete;
  uint64_t hash = kept != 0 && whole ? frames[kept - 1].hash : 0;
  uint32_t count = kept;
  if (!whole) {
    for (uint32_t i = 0; i < kept; ++i) hash = frames[i].hash = hash + FrameHash(frames[i].ip, i);
  }
  for (uint32_t i = walked_; i > 0; --i) {
    Frame& frame = frames[count];
    frame = state_->walked[i - 1];
    frame.hash = hash += FrameHash(frame.ip, count++);
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
  }
  state->reusable = false;
  return Walk(state, &rules)
      .Run({{.sp = at.sp, .ip = at.ip, .bp = at.bp, .bp_slot = 0, .sp_slot = 0, .hash = 0}, true, false});
}

}  // namespace migprof::record
