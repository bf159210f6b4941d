// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/stack_walk.h"

#include <cstring>

#include "libmigprof/record/rule_cache.h"
#include "libmigprof/record/unwind_machine.h"

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

enum class Step { kCaller, kSignal, kEnd, kBroken, kUnable };

// Where the frame pointer was saved, seen from the return address, in the lowest bits of Frame::slots. aarch64 only.
enum PointerPlace : uint32_t { kUnchangedPointer = 0, kPointerBelow = 1, kPointerAbove = 2, kPointerPlaceBits = 7 };

// Where a walk is. Out of line it is passed by value only, so that it can live in registers.
struct Place {
  Registers at;
  uint64_t sp_slot = 0;  // where at.sp was read from, if it was
  uint64_t bp_slot = 0;  // where at.bp was read from, if it was
  uint64_t ip_slot = 0;  // aarch64: where at.ip was read from, if it was
  uint64_t link = 0;     // aarch64: the return address of an interrupted function that has not saved it
  bool exact = false;    // at.ip is an instruction, not a return address
  bool guessed = false;  // the frame was found without unwind information
};

struct Interrupted {
  Step step;
  Registers at;
  uint64_t link;
};

class Walk {
 public:
  Walk(NativeStackState* state, RuleCache* rules)
      : state_(state), rules_(rules), high_(state->high), low_(state->low) {}

  WalkResult Run(Registers at) const;

 private:
  // Moves to the caller's frame.
  Step ToCaller(Place* place) const;
  Interrupted ToInterrupted(uint64_t sp) const;
  bool IsOnStack(uint64_t address) const { return IsWithin(low_, address); }
  // Whether a frame with these registers may have saved something at `address`. Below the stack pointer there may be
  // guard pages, but for the red zone of a function that was interrupted.
  bool IsInFrame(const Place& place, uint64_t address) const {
    return IsWithin(place.at.sp - (place.exact ? kRedZoneBytes : 0), address);
  }
  bool IsWithin(uint64_t low, uint64_t address) const {
    return address >= low && address <= high_ - sizeof(uint64_t) && address % sizeof(uint64_t) == 0;
  }
  uint32_t Distance(uint64_t address) const { return static_cast<uint32_t>(high_ - address); }
  // Frame::slots of the frame at `place`.
  uint32_t SlotsOf(const Place& place) const {
    if (!kSavesReturnAddress) return place.bp_slot != 0 ? Distance(place.bp_slot) : 0;
    if (place.ip_slot == 0) return 0;
    const PointerPlace pointer = place.bp_slot == 0              ? kUnchangedPointer
                                 : place.bp_slot < place.ip_slot ? kPointerBelow
                                                                 : kPointerAbove;
    return Distance(place.ip_slot) | pointer;
  }
  // Whether memory still says that `outer` is the caller of the frame inside it, as far as its stack pointer does not
  // tell.
  bool StillSaved(const Frame& outer) const {
    const uint32_t slots = outer.slots();
    if (!kSavesReturnAddress) {
      return Load(high_ - outer.sp() - sizeof(uint64_t)) == outer.ip && (slots == 0 || Load(high_ - slots) == outer.bp);
    }
    const uint64_t ip_slot = high_ - (slots & ~kPointerPlaceBits);
    if (ReturnAddress(Load(ip_slot)) != outer.ip) return false;
    const uint32_t pointer = slots & kPointerPlaceBits;
    return pointer == kUnchangedPointer || Load(pointer == kPointerBelow ? ip_slot - 8 : ip_slot + 8) == outer.bp;
  }

  // The outermost of the known frames that still hold, given that `known` does.
  uint32_t OutermostProven(uint32_t known) const;

  NativeStackState* const state_;
  RuleCache* const rules_;
  const uint64_t high_;
  const uint64_t low_;
};

inline uint32_t Walk::OutermostProven(uint32_t known) const {
  const Frame* const frames = state_->frames;
  const bool any_sp_slot = state_->any_sp_slot;
  uint32_t i = known;
  for (; i > 1; --i) {  // the branches are the same ones from capture to capture, and well predicted
    const Frame& outer = frames[i - 1];
    if (!StillSaved(outer)) break;
    if (any_sp_slot) [[unlikely]] {
      const uint32_t slot = state_->sp_slots[i - 1];
      if (slot != 0 && Load(high_ - slot) != high_ - outer.sp()) break;
    }
  }
  return i;
}

// From here on some frame has a place in state->sp_slots.
inline void UseSpSlots(NativeStackState* state) {
  if (!state->any_sp_slot) std::memset(state->sp_slots, 0, sizeof(state->sp_slots));
  state->any_sp_slot = true;
}

// The walked frames move to the known ones, of which `kept` stay. `sp_slots`: some walked frame has one.
inline WalkResult Assemble(NativeStackState* state, uint32_t kept, uint32_t walked, bool sp_slots, bool reusable,
                           WalkResult result) {
  Frame* const frames = state->frames;
  if (kept + walked > kMaxNativeDepth) [[unlikely]] {  // the outermost give way
    const uint32_t excess = kept + walked - kMaxNativeDepth;
    kept -= excess;
    std::memmove(frames + 1, frames + 1 + excess, kept * sizeof(Frame));
    result = WalkResult::kTooDeep;
  }
  if (state->any_sp_slot || sp_slots) [[unlikely]] {
    UseSpSlots(state);
    for (uint32_t i = 0; i < walked; ++i) state->sp_slots[kept + walked - i] = state->walked_sp_slots[i];
  }
  uint64_t hash = state->hashes[kept];  // when not whole, nobody asks for it
  uint32_t count = kept;
  for (uint32_t i = walked; i > 0; --i) {
    const Frame& from = state->walked[i - 1];
    hash += FrameHash(from.ip, count++);
    frames[count] = from;
    state->hashes[count] = hash;
  }
  state->count = count;
  state->reusable = result == WalkResult::kComplete && reusable;
  return result;
}

inline WalkResult Walk::Run(Registers start) const {
  NativeStackState* const state = state_;
  Frame* const frames = state->frames;
  uint32_t known = state->count;  // frames of the last capture that may still be there: those outside of the walk
  uint32_t walked = 0;
  bool sp_slots = false;
  bool reusable = true;
  Place place{.at = start};
  for (;;) {
    const uint32_t distance = Distance(place.at.sp);
    // One step passes one or two of the known frames, and which cannot be predicted: so without branches, those.
    known -= frames[known].sp() > distance ? 1 : 0;
    known -= frames[known].sp() > distance ? 1 : 0;
    while (frames[known].sp() > distance) [[unlikely]]-- known;
    Frame& same = frames[known];
    const uint64_t slots = SlotsOf(place);
    if (((same.ip ^ place.at.ip) | (same.bp ^ place.at.bp) | (same.sp() ^ distance)) == 0) {
      // Its registers are what they were, but its callee may be another, and have saved them elsewhere.
      same.places = distance | slots << 32;
      if (state->any_sp_slot || place.sp_slot != 0) [[unlikely]] {
        UseSpSlots(state);
        state->sp_slots[known] = place.sp_slot != 0 ? Distance(place.sp_slot) : 0;
      }
      const uint32_t first = OutermostProven(known);
      if (first == 1) [[likely]]
        return Assemble(state, known, walked, sp_slots, true, WalkResult::kComplete);
      // The frames from `first` inwards hold; the one outside has changed. Go on from there, if there is room.
      sp_slots |= state->any_sp_slot;
      for (; known >= first; --known) {
        if (walked == kMaxNativeDepth) return Assemble(state, 0, walked, sp_slots, false, WalkResult::kTooDeep);
        state->walked[walked] = frames[known];
        state->walked_sp_slots[walked++] = state->any_sp_slot ? state->sp_slots[known] : 0;
      }
      place.at = {.sp = high_ - frames[first].sp(), .ip = frames[first].ip, .bp = frames[first].bp};
    } else {
      if (walked == kMaxNativeDepth) [[unlikely]]
        return Assemble(state, 0, walked, sp_slots, false, WalkResult::kTooDeep);
      state->walked[walked] = {.ip = place.at.ip, .bp = place.at.bp, .places = distance | slots << 32};
      state->walked_sp_slots[walked++] = place.sp_slot != 0 ? Distance(place.sp_slot) : 0;
      sp_slots |= place.sp_slot != 0;
    }
    Step step = ToCaller(&place);
    if (step == Step::kCaller) [[likely]]
      continue;
    if (step == Step::kSignal) {
      const Interrupted interrupted = ToInterrupted(place.at.sp);
      step = interrupted.step;
      place = {.at = interrupted.at, .link = interrupted.link, .exact = true, .guessed = place.guessed};
      // These registers were not taken from where a comparison would look: nothing known from here on, and all to be
      // walked again the next time.
      known = 0;
      reusable = false;
      if (step == Step::kCaller) continue;
    }
    if (step == Step::kEnd) return Assemble(state, 0, walked, sp_slots, reusable, WalkResult::kComplete);
    if (step == Step::kBroken) return Assemble(state, 0, walked, sp_slots, false, WalkResult::kBroken);
    if (step == Step::kUnable) return WalkResult::kUnable;
  }
}

inline Step Walk::ToCaller(Place* place) const {
  using Kind = UnwindRule::Kind;
  using Saved = UnwindRule::Saved;
  const Registers at = place->at;
  const UnwindRule rule = rules_->Find(at.ip, place->exact);
  uint64_t cfa = 0;
  uint64_t sp_slot = 0;
  uint64_t bp_slot = 0;
  uint64_t ip_slot = 0;
  if (rule.kind == Kind::kStandard) [[likely]] {
    if (rule.cfa == UnwindRule::Cfa::kStackPointer) {
      cfa = at.sp + rule.cfa_offset;
      if (kSavesReturnAddress && place->guessed) [[unlikely]] {
        // The stack pointer was not known. But the frame pointer points to where the last one was saved, in all code
        // that keeps one; and that the rule knows.
        if (rule.saved != Saved::kPointerAndReturnAtCfa) return Step::kUnable;
        cfa = at.bp - rule.saved_offset;
      }
    } else if (rule.cfa == UnwindRule::Cfa::kFramePointer) {
      cfa = at.bp + rule.cfa_offset;
    } else {
      sp_slot = at.bp + rule.cfa_offset;
      if (!IsInFrame(*place, sp_slot)) return Step::kBroken;
      cfa = Load(sp_slot);
    }
    const uint64_t saved = cfa + rule.saved_offset;
    if (!kSavesReturnAddress) {
      if (rule.saved == Saved::kPointerAtCfa) {
        bp_slot = saved;
      } else if (rule.saved == Saved::kPointerAtPointer) {
        bp_slot = at.bp + rule.saved_offset;
      }
    } else if (rule.saved == Saved::kPointerAndReturnAtCfa) [[likely]] {
      bp_slot = saved;
      ip_slot = saved + 8;
    } else if (rule.saved == Saved::kReturnAtCfa) {
      ip_slot = saved;
    } else if (rule.saved == Saved::kReturnAndPointerAtCfa) {
      bp_slot = saved;
      ip_slot = saved - 8;
    } else {
      if (!place->exact) return Step::kBroken;  // it has called somebody: the register is no longer its own
      if (rule.saved == Saved::kPointerAtCfa) bp_slot = saved;
    }
    place->guessed = false;
  } else if (rule.kind == Kind::kEnd) {
    return Step::kEnd;
  } else if (rule.kind == Kind::kSignal) {
    return Step::kSignal;
  } else if (rule.kind == Kind::kFramePointer && !place->guessed && !place->exact) {
    // libunwind does the same. Whether it was right shows at the next frame, which must be in known code.
    cfa = at.bp + 16;
    bp_slot = at.bp;
    ip_slot = at.bp + 8;
    place->guessed = true;
  } else {
    return Step::kUnable;
  }
  // An interrupted function may have taken nothing of the stack where calls do not.
  const bool is_beyond = cfa > at.sp || (kSavesReturnAddress && cfa == at.sp && place->exact);
  const bool is_caller_stack = is_beyond && cfa < high_ && cfa % sizeof(uint64_t) == 0;
  const bool is_saved = (bp_slot == 0 || IsInFrame(*place, bp_slot)) &&
                        (!kSavesReturnAddress || ip_slot == 0 || IsInFrame(*place, ip_slot));
  if (!is_caller_stack || !is_saved) [[unlikely]] {
    return place->guessed ? Step::kUnable : Step::kBroken;
  }
  if (!kSavesReturnAddress) ip_slot = cfa - sizeof(uint64_t);
  const uint64_t ip = ReturnAddress(kSavesReturnAddress && ip_slot == 0 ? place->link : Load(ip_slot));
  place->at = {.sp = cfa, .ip = ip, .bp = bp_slot != 0 ? Load(bp_slot) : at.bp};
  place->sp_slot = sp_slot;
  place->bp_slot = bp_slot;
  if (kSavesReturnAddress) place->ip_slot = ip_slot;
  place->exact = false;
  if (ip != 0) [[likely]]
    return Step::kCaller;
  return place->guessed ? Step::kBroken : Step::kEnd;  // a guess proves nothing
}

__attribute__((noinline, cold)) Interrupted Walk::ToInterrupted(uint64_t frame_sp) const {
  // The kernel put the interrupted registers where the handler's caller would have its frame.
  if (!IsOnStack(frame_sp + kInterruptedProgramCounter)) return {Step::kBroken, {}, 0};
  const uint64_t sp = Load(frame_sp + kInterruptedStackPointer);
  if (sp <= frame_sp || !IsOnStack(sp)) return {Step::kUnable, {}, 0};  // the handler has a stack of its own
  const uint64_t ip = Load(frame_sp + kInterruptedProgramCounter);
  const uint64_t link = kSavesReturnAddress ? Load(frame_sp + kInterruptedLink) : 0;
  return {Step::kCaller, {.sp = sp, .ip = ip, .bp = Load(frame_sp + kInterruptedFramePointer)}, link};
}

}  // namespace

WalkResult WalkStack(NativeStackState* state, Registers at) noexcept {
  if (at.sp < state->low || at.sp >= state->high) return WalkResult::kUnable;  // a fiber, or a signal stack
  RuleCache& rules = RuleCache::OfProcess();
  const uint32_t generation = rules.generation();
  if (!state->reusable || state->generation != generation) [[unlikely]] {
    state->generation = generation;
    state->count = 0;
    state->frames[0] = {};
    state->hashes[0] = 0;
    state->any_sp_slot = false;
  }
  state->reusable = false;
  return Walk(state, &rules).Run(at);
}

}  // namespace migprof::record
