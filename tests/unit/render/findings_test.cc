// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "libmigprof/analyze/anonymize.h"
#include "libmigprof/analyze/idle_gaps.h"
#include "libmigprof/render/idle_culprit.h"
#include "libmigprof/render/slice_names.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameKind;
using ::testing::HasSubstr;
using ::testing::Not;

std::string AsText(const Findings& found) {
  std::string text = PlainText(found.verdict) + '\n';
  for (const Finding& finding : found.findings) {
    text += "- " + finding.topic + ' ' + std::to_string(static_cast<int>(finding.severity)) + ": " +
            PlainText(finding.sentence) + ' ' + finding.advice +
            (finding.second_advice.empty() ? "" : " // " + finding.second_advice);
    for (const Figure& figure : finding.evidence) text += " [" + figure.label + ": " + figure.value + ']';
    text += '\n';
  }
  return text;
}

TEST(Findings, WithoutNames_IdleTimeHasTheSameCulprits) {
  const auto culprits = [](const analyze::Profile& profile) {
    std::vector<std::string> texts;
    for (const analyze::SliceProfile& slice : profile.slices) {
      const auto culprit = FindIdleCulprit(slice.idle, profile.frames);
      texts.push_back(culprit ? std::to_string(culprit->idle_ns) + " of " + std::to_string(culprit->all_idle_ns) : "");
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  };
  for (const auto& make : {&SampleProfile, &H200Profile, &FleetProfile, &SourcesProfile}) {
    analyze::Profile profile = make();
    const std::vector<std::string> named = culprits(profile);
    const size_t findings = FindWhatStandsOut(profile).findings.size();
    analyze::Anonymize(&profile);
    EXPECT_EQ(culprits(profile), named);
    EXPECT_EQ(FindWhatStandsOut(profile).findings.size(), findings);
    EXPECT_THAT(AsText(FindWhatStandsOut(profile)), Not(HasSubstr("load_batch")));
  }
}

TEST(Findings, ThreeSlices_NameTheOneThatWastesItsShareAndTheCode) {
  const Findings found = FindWhatStandsOut(H200Profile());
  EXPECT_EQ(
      PlainText(found.verdict),
      "2g.35gb GI 4 wastes its share: busy only 48.0% of the time, the others 89.3%. Of its idle time 71.0% passed "
      "until load_batch (data.py:77) gave it work.");
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.worst, 1u);
  EXPECT_EQ(found.findings[0].slice, 1u);
  EXPECT_EQ(found.findings[0].severity, Severity::kWaste);
  EXPECT_EQ(PlainText(found.findings[0].sentence),
            "2g.35gb GI 4 was idle 52.0% of the time; 71.0% of that until load_batch (data.py:77) gave it work.");
}

// A slice that is idle for half of its window, for two causes.
analyze::SliceProfile HalfIdle(analyze::IdleCause main, analyze::IdleCause second, double second_share) {
  analyze::SliceProfile slice;
  slice.identity.sm_count = 16;
  slice.window_ns = 2'000'000'000;
  slice.busy_ns = 1'000'000'000;
  slice.metrics.kernel_busy_ns = slice.busy_ns;
  slice.metrics.idle_ns[static_cast<size_t>(second)] = static_cast<uint64_t>(1e9 * second_share);
  slice.metrics.idle_ns[static_cast<size_t>(main)] = static_cast<uint64_t>(1e9 * (1 - second_share));
  return slice;
}

std::string AdviceOn(const analyze::SliceProfile& slice) {
  analyze::Profile profile;
  profile.slices.push_back(slice);
  for (const Finding& finding : FindWhatStandsOut(profile).findings) {
    if (finding.topic == "idle") return finding.advice + "|" + finding.second_advice;
  }
  return "no finding";
}

// `tail` of the idle second of a slice passed after the last GPU work of one of its processes.
std::string IdleFinding(double tail) {
  analyze::Profile profile;
  const auto intern = [&](const char* name, analyze::FrameKind kind) {
    return profile.frames.Intern({.name = name, .full_name = name, .module = "", .kind = kind});
  };
  analyze::SliceProfile slice = HalfIdle(analyze::IdleCause::kHost, analyze::IdleCause::kUnknown, 0);
  analyze::StackTree& idle = slice.idle;
  const auto process = idle.Child(0, intern("python (42)", analyze::FrameKind::kProcess));
  const auto step = idle.Child(process, intern("train_step", analyze::FrameKind::kPython));
  const auto after = idle.Child(process, intern(analyze::kAfterLastWork, analyze::FrameKind::kProcess));
  const auto host = intern("host code", analyze::FrameKind::kIdle);
  idle.Add(idle.Child(after, host), static_cast<uint64_t>(1e9 * tail), 1);
  idle.Add(idle.Child(step, host), static_cast<uint64_t>(1e9 * (1 - tail)), 1);
  profile.slices.push_back(std::move(slice));
  for (const Finding& finding : FindWhatStandsOut(profile).findings) {
    if (finding.topic != "idle") continue;
    std::string text = PlainText(finding.sentence) + "|" + finding.advice;
    for (const auto& [what, value] : finding.evidence) text += "|" + what + " " + value;
    return text;
  }
  return "no finding";
}

TEST(Findings, IdleAfterTheLastWork_IsNotBlamedOnWhoeverLaunchedBefore) {
  EXPECT_THAT(IdleFinding(0.6),
              HasSubstr("was idle 50.0% of the time; 60.0% of that after the last GPU work of python (42).|End the "
                        "process, or let another one use the slice, when its GPU work is done.|"));
  EXPECT_THAT(IdleFinding(0.6), HasSubstr("|after the last GPU work 600 ms (60.0%)"));
  EXPECT_THAT(IdleFinding(0.3), HasSubstr("; 70.0% of that until train_step gave it work.|Prepare the next work"));
  EXPECT_THAT(IdleFinding(0.3), HasSubstr("|after the last GPU work 300 ms (30.0%)"));
  EXPECT_THAT(IdleFinding(0.1), Not(HasSubstr("after the last GPU work")));
}

TEST(Findings, SecondCause_GetsAdviceWhenItIsLarge) {
  using analyze::IdleCause;
  EXPECT_EQ(AdviceOn(HalfIdle(IdleCause::kHost, IdleCause::kAllocation, 0.19)),
            "Prepare the next work in other threads or processes, and queue it before the last has ended.|");
  EXPECT_EQ(AdviceOn(HalfIdle(IdleCause::kHost, IdleCause::kAllocation, 0.21)),
            "Against host code: Prepare the next work in other threads or processes, and queue it before the last has "
            "ended.|Against memory allocation: Keep memory between iterations: a pool, or cudaMallocAsync.");
}

TEST(Findings, AdviceAboutCopies_GoesByWhatWasCopied) {
  using analyze::CopyDirection;
  using analyze::IdleCause;
  const auto with = [](IdleCause cause, CopyDirection direction, analyze::Totals copies) {
    analyze::SliceProfile slice = HalfIdle(cause, IdleCause::kUnknown, 0);
    slice.metrics.copies[static_cast<size_t>(direction)] = copies;
    return AdviceOn(slice);
  };
  const auto in = CopyDirection::kHostToDevice;
  const auto back = CopyDirection::kDeviceToHost;
  EXPECT_THAT(with(IdleCause::kCopy, in, {1000, 2'000'000, 4'096'000}),
              HasSubstr("1,000 copies of 4.10 kB on average: gather them"));
  EXPECT_THAT(with(IdleCause::kCopy, in, {99, 200'000, 405'504}), HasSubstr("Copy from pinned memory"));
  EXPECT_THAT(with(IdleCause::kCopy, in, {10, 100'000'000, 500'000'000}),
              HasSubstr("They ran at 5.00 GB/s, as copies"));
  EXPECT_THAT(with(IdleCause::kCopy, in, {10, 20'000'000, 500'000'000}), HasSubstr("Copy from pinned memory"));
  EXPECT_THAT(with(IdleCause::kSynchronize, back, {500, 50'000'000, 500'000'000}),
              HasSubstr("Results were read back 500 times"));
  EXPECT_THAT(with(IdleCause::kSynchronize, in, {500, 50'000'000, 500'000'000}), HasSubstr("Wait later or for less"));
  EXPECT_THAT(with(IdleCause::kHost, back, {500, 50'000'000, 500'000'000}), HasSubstr("Prepare the next work"));
}

TEST(Findings, SliceOfWhichMuchWasLost_IsAccusedOfNothing) {
  analyze::Profile profile = H200Profile();
  analyze::SliceProfile& worst = profile.slices[1];
  worst.health.untimed = worst.health.launches / 20;
  const Findings found = FindWhatStandsOut(profile);
  EXPECT_EQ(PlainText(found.verdict).find("2g.35gb GI 4"), std::string::npos) << PlainText(found.verdict);
  bool said = false;
  for (const Finding& finding : found.findings) {
    EXPECT_NE(finding.severity, Severity::kWaste) << PlainText(finding.sentence);
    said |= PlainText(finding.sentence).find("2g.35gb GI 4 was busy for at least 48.0%") != std::string::npos;
  }
  EXPECT_TRUE(said);
  for (analyze::SliceProfile& slice : profile.slices) slice.health.dropped = slice.health.launches;
  EXPECT_EQ(PlainText(FindWhatStandsOut(profile).verdict), "Too much was lost to tell how busy the slices were.");
}

TEST(Findings, Samples_AreAsTheyEverWere) {
  ExpectGolden("findings.txt", AsText(FindWhatStandsOut(H200Profile())) + '\n' +
                                   AsText(FindWhatStandsOut(SampleProfile())) + '\n' + AsText(FindWhatStandsOut({})));
}

TEST(Findings, WithoutCauses_SaysThatTheyAreNotRecorded) {
  analyze::Profile profile = H200Profile();
  for (analyze::SliceProfile& slice : profile.slices) {
    slice.metrics = {};
    slice.idle = {};
  }
  const std::string verdict = PlainText(FindWhatStandsOut(profile).verdict);
  EXPECT_THAT(verdict, HasSubstr("2g.35gb GI 4"));
  EXPECT_THAT(verdict, HasSubstr("Why it was idle is not recorded."));
  EXPECT_THAT(AsText(FindWhatStandsOut(profile)), Not(HasSubstr(" 0%")));
}

TEST(Findings, GoodSlices_GetAGoodVerdict) {
  analyze::Profile profile = H200Profile();
  profile.slices.erase(profile.slices.begin() + 1);
  EXPECT_EQ(PlainText(FindWhatStandsOut(profile).verdict),
            "All 2 slices are well used: the least, 2g.35gb GI 3, was busy 85.0% of the time.");
}

TEST(Findings, BusyWithSmallKernels_IsNotWellUsed) {
  analyze::Profile profile = H200Profile();
  profile.slices.erase(profile.slices.begin() + 1);
  profile.slices[0].metrics.sm_weighted_ns = profile.slices[0].kernels.total_ns / 5;
  EXPECT_EQ(PlainText(FindWhatStandsOut(profile).verdict),
            "All slices are busy, but not full: 2g.35gb GI 3 runs kernels that keep only 20.0% of its SMs busy.");
}

// A tree of paths of Python functions under one process, with a CUDA call and a cause at the end.
class CulpritTest : public ::testing::Test {
 protected:
  void Add(const std::vector<Frame>& path, uint64_t ns) {
    analyze::NodeId node = 0;
    for (Frame frame : path) {
      frame.full_name = frame.name;
      node = tree_.Child(node, frames_.Intern(frame));
    }
    tree_.Add(node, ns, 1);
  }
  static Frame Of(const char* name, FrameKind kind = FrameKind::kPython) {
    return {.name = name, .full_name = "", .module = "", .kind = kind};
  }
  std::string Find() {
    const auto culprit = FindIdleCulprit(tree_, frames_);
    return culprit ? culprit->name + ' ' + std::to_string(culprit->idle_ns) : "";
  }

  const Frame process_ = Of("app (1)", FrameKind::kProcess);
  const Frame call_ = Of("cuLaunchKernel", FrameKind::kCudaApi);
  const Frame cause_ = Of("host code", FrameKind::kIdle);
  analyze::FrameTable frames_;
  analyze::StackTree tree_;
};

TEST_F(CulpritTest, DeepestFrameWithMostOfIt_IsBlamed) {
  Add({process_, Of("<module> (a.py:1)"), Of("train"), Of("load"), Of("read"), call_, cause_}, 40);
  Add({process_, Of("<module> (a.py:1)"), Of("train"), Of("load"), Of("parse"), call_, cause_}, 35);
  Add({process_, Of("<module> (a.py:1)"), Of("train"), Of("step"), call_, cause_}, 25);
  EXPECT_EQ(Find(), "load 75");
}

TEST_F(CulpritTest, PythonIsPreferredToNativeAndBothToCuda) {
  Add({process_, Of("load"), Of("memmove", FrameKind::kNative), call_, cause_}, 100);
  EXPECT_EQ(Find(), "load 100");
  tree_ = {};
  Add({process_, Of("main", FrameKind::kNative), Of("Load()", FrameKind::kNative), call_, cause_}, 100);
  EXPECT_EQ(Find(), "Load() 100");
}

TEST_F(CulpritTest, EntryPointIsNotBlamedWhereSomethingBelowHoldsMuch) {
  Add({process_, Of("<module> (a.py:1)"), Of("load"), call_, cause_}, 45);
  Add({process_, Of("<module> (a.py:1)"), Of("step"), call_, cause_}, 30);
  Add({process_, Of("<module> (a.py:1)"), Of("save"), call_, cause_}, 25);
  EXPECT_EQ(Find(), "load 45");
}

TEST_F(CulpritTest, SameFunctionOnSeveralWays_IsAddedUpOnce) {
  Add({process_, Of("a"), Of("load"), Of("load"), call_, cause_}, 40);
  Add({process_, Of("b"), Of("load"), call_, cause_}, 30);
  Add({process_, Of("c"), call_, cause_}, 30);
  EXPECT_EQ(Find(), "load 70");
}

TEST_F(CulpritTest, NothingOfTheProgram_IsNobody) {
  EXPECT_EQ(Find(), "");
  Add({process_, call_, cause_}, 100);
  EXPECT_EQ(Find(), "");
}

TEST(ShortSliceNames, AreDistinctAndAsShortAsThatAllows) {
  EXPECT_THAT(ShortSliceNames(H200Profile()), ::testing::ElementsAre("2g.35gb GI 3", "2g.35gb GI 4", "2g.35gb GI 5"));
  EXPECT_THAT(ShortSliceNames(SampleProfile()),
              ::testing::ElementsAre("node-a17 / 1g.10gb GI 7", "node-a17 / 3g.40gb GI 2",
                                     "node-b03 / 1c.2g.20gb GI 12 CI 0", "node-c01 / NVIDIA A30"));
  analyze::Profile twice = H200Profile();
  twice.slices.push_back(twice.slices[0]);
  EXPECT_EQ(ShortSliceNames(twice)[3], "2g.35gb GI 3 #2");
}

}  // namespace
}  // namespace migprof::render
