// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/flamegraph_view.h"

#include "libmigprof/render/human_units.h"

namespace migprof::render {
namespace {

struct Texts {
  const char* name;
  const char* label;
  const char* nothing;
};

constexpr std::array<Texts, kFlamegraphViews.size()> kTexts = {{
    {"gpu", "GPU time", "No GPU time was recorded, so there is nothing to draw."},
    {"idle", "Idle time", "No idle time is known, so there is nothing to draw."},
    {"memory", "Memory", "No allocation of device memory was recorded, so there is nothing to draw."},
}};

const Texts& TextsOf(FlamegraphView view) { return kTexts[static_cast<size_t>(view) % kTexts.size()]; }

}  // namespace

const char* ViewName(FlamegraphView view) { return TextsOf(view).name; }

const char* ViewLabel(FlamegraphView view) { return TextsOf(view).label; }

const char* NothingInView(FlamegraphView view) { return TextsOf(view).nothing; }

const analyze::StackTree& TreeOf(const analyze::SliceProfile& slice, FlamegraphView view) {
  switch (view) {
    case FlamegraphView::kIdle:
      return slice.idle;
    case FlamegraphView::kMemory:
      return slice.memory;
    case FlamegraphView::kGpuTime:
      break;
  }
  return slice.stacks;
}

std::string HumanAmount(uint64_t amount, FlamegraphView view) {
  return view == FlamegraphView::kMemory ? HumanBytes(amount) : HumanTime(amount);
}

}  // namespace migprof::render
