// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/findings.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/slice_findings.h"
#include "libmigprof/render/slice_names.h"

namespace migprof::render {
namespace {

using analyze::Profile;
using analyze::SliceProfile;

Words Plain(std::string text) { return {std::move(text)}; }
Words Strong(std::string text) { return {std::move(text), Words::Style::kStrong}; }

std::string BusyText(const SliceProfile& slice) {
  return Percent(slice.recorded_ns() - IdleTime(slice), slice.recorded_ns());
}

double LostCompute(const SliceProfile& slice) {
  return static_cast<double>(IdleTime(slice)) * std::max<uint32_t>(1, slice.identity.sm_count);
}

// How busy all slices but `left_out` are, weighted by their windows.
std::string OthersBusy(const Profile& profile, size_t left_out) {
  uint64_t window = 0;
  uint64_t busy = 0;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    if (i == left_out) continue;
    window += profile.slices[i].recorded_ns();
    busy += profile.slices[i].recorded_ns() - IdleTime(profile.slices[i]);
  }
  return Percent(busy, window);
}

Sentence Underused(const Profile& profile, const std::vector<size_t>& underused, const std::string& name) {
  const size_t worst = underused.front();
  const SliceProfile& slice = profile.slices[worst];
  Sentence verdict;
  if (underused.size() > 1) {
    double lost = 0;
    double all_lost = 0;
    for (const SliceProfile& each : profile.slices) all_lost += LostCompute(each);
    for (const size_t i : underused) lost += LostCompute(profile.slices[i]);
    verdict = {Strong(std::to_string(underused.size()) + " of " + CountOf(profile.slices.size(), "slice", "slices")),
               Plain(" are underused and waste "),
               Strong(Percent(static_cast<uint64_t>(1000 * lost / std::max(1.0, all_lost)), 1000)),
               Plain(" of the time lost. The worst, "),
               Strong(name),
               Plain(", was busy only ")};
  } else {
    verdict = {Strong(name), Plain(profile.slices.size() > 1 ? " wastes its share: busy only " : " was busy only ")};
  }
  verdict.push_back(Strong(BusyText(slice)));
  verdict.push_back(Plain(" of the time"));
  if (underused.size() == 1 && profile.slices.size() > 1) {
    verdict.push_back(Plain(profile.slices.size() == 2 ? ", the other " : ", the others "));
    verdict.push_back(Strong(OthersBusy(profile, worst)));
  }
  const Sentence why = WhyIdle(slice, profile.frames);
  if (why.empty()) {
    verdict.push_back(Plain(". Why it was idle is not recorded."));
    return verdict;
  }
  verdict.push_back(Plain(". Of its idle time "));
  // WhyIdle begins with "; ", its share and " of that".
  for (size_t i = 1; i < why.size(); ++i) {
    Words words = why[i];
    const std::string of_that = " of that";
    if (i == 2 && words.text.compare(0, of_that.size(), of_that) == 0)
      words.text = " passed" + words.text.substr(of_that.size());
    verdict.push_back(std::move(words));
  }
  verdict.push_back(Plain("."));
  return verdict;
}

// Nothing is said of slices of which too much was lost.
Sentence WellUsed(const Profile& profile, const std::vector<Finding>& findings, const std::vector<std::string>& names) {
  const auto small = std::find_if(findings.begin(), findings.end(),
                                  [](const Finding& finding) { return finding.topic == "small kernels"; });
  if (small != findings.end()) {
    Sentence verdict = {
        Plain(profile.slices.size() == 1 ? "It is busy, but not full: " : "All slices are busy, but not full: ")};
    verdict.insert(verdict.end(), small->sentence.begin(), small->sentence.end());
    return verdict;
  }
  if (profile.slices.size() == 1) {
    return {Strong(names[0]), Plain(" is well used: busy "), Strong(BusyText(profile.slices[0])),
            Plain(" of the time.")};
  }
  size_t known = 0;
  size_t least = 0;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    if (!IsIdleKnown(profile.slices[i])) continue;
    if (known == 0 || BusyShare(profile.slices[i]) < BusyShare(profile.slices[least])) least = i;
    ++known;
  }
  const std::string which = known == profile.slices.size()
                                ? "All " + std::to_string(known) + " slices are"
                                : "Of the slices of which enough was recorded, all " + std::to_string(known) + " are";
  return {Plain(which + " well used: the least, "), Strong(names[least]), Plain(", was busy "),
          Strong(BusyText(profile.slices[least])), Plain(" of the time.")};
}

// Slices that used little of their memory, in one line however many they are.
void FindEmptyMemory(const Profile& profile, const std::vector<std::string>& names, std::vector<Finding>* found) {
  constexpr double kHardlyUsed = 0.25;
  std::vector<size_t> where;
  size_t fullest = 0;
  const auto share = [&profile](size_t i) {
    return static_cast<double>(profile.slices[i].metrics.memory.peak_bytes) /
           static_cast<double>(profile.slices[i].identity.memory_bytes);
  };
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    const analyze::MemoryUse& memory = profile.slices[i].metrics.memory;
    if (memory.peak_bytes == 0 || profile.slices[i].identity.memory_bytes == 0 || memory.unknown_releases != 0)
      continue;
    if (share(i) >= kHardlyUsed) continue;
    if (where.empty() || share(i) > share(fullest)) fullest = i;
    where.push_back(i);
  }
  if (where.empty()) return;
  const SliceProfile& slice = profile.slices[fullest];
  const uint64_t peak = slice.metrics.memory.peak_bytes;
  Finding finding;
  finding.topic = "memory";
  finding.slice = fullest;
  finding.sentence = {Strong(where.size() == 1 ? names[fullest] : HumanCount(where.size()) + " slices"),
                      Plain(" never allocated more than "), Strong(Percent(peak, slice.identity.memory_bytes)),
                      Plain(where.size() == 1 ? " of its memory." : " of their memory.")};
  finding.evidence = {{"peak", HumanBytes(peak)}, {"of", HumanBytes(slice.identity.memory_bytes)}};
  found->push_back(std::move(finding));
}

// Counters that are not to be trusted; what is wrong with one on several slices is said once.
void FindDoubts(const Profile& profile, const std::vector<std::string>& names, std::vector<Finding>* found) {
  std::map<std::vector<std::string>, std::vector<size_t>> slices;  // by name, source and doubt
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    for (const analyze::CounterSeries& counter : profile.slices[i].metrics.counters) {
      if (!counter.doubt.empty()) slices[{counter.name, counter.source, counter.doubt}].push_back(i);
    }
  }
  for (const auto& [counter, where] : slices) {
    const bool several = where.size() > 1;
    Finding finding;
    finding.topic = "counter";
    if (!several) finding.slice = where[0];
    finding.sentence = {Plain("Do not trust "),
                        {CleanText(counter[0]), Words::Style::kCode},
                        Plain(" of " + CleanText(counter[1]) + " on "),
                        Strong(several ? HumanCount(where.size()) + " slices" : names[where[0]]),
                        Plain(": " + CleanText(counter[2]) + ".")};
    found->push_back(std::move(finding));
  }
}

}  // namespace

std::string PlainText(const Sentence& sentence) {
  std::string text;
  for (const Words& words : sentence) text += words.text;
  return text;
}

Findings FindWhatStandsOut(const Profile& profile) {
  Findings result;
  const std::vector<std::string> names = ShortSliceNames(profile);
  std::vector<size_t> underused;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    if (BusyShare(profile.slices[i]) < kUnderused && IsIdleKnown(profile.slices[i])) underused.push_back(i);
    for (Finding& finding : FindInSlice(profile, i, names[i])) result.findings.push_back(std::move(finding));
  }
  FindEmptyMemory(profile, names, &result.findings);
  FindDoubts(profile, names, &result.findings);
  std::stable_sort(result.findings.begin(), result.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tuple(a.severity, b.weight) < std::tuple(b.severity, a.weight);
  });
  std::stable_sort(underused.begin(), underused.end(), [&profile](size_t a, size_t b) {
    return LostCompute(profile.slices[a]) > LostCompute(profile.slices[b]);
  });
  const bool any_known = std::any_of(profile.slices.begin(), profile.slices.end(), IsIdleKnown);
  if (profile.slices.empty()) {
    result.verdict = {Plain("No GPU activity was recorded.")};
  } else if (!any_known) {
    result.verdict = {Plain("Too much was lost to tell how busy "),
                      Plain(profile.slices.size() == 1 ? "the slice was." : "the slices were.")};
  } else if (!underused.empty()) {
    result.worst = underused.front();
    result.verdict = Underused(profile, underused, names[underused.front()]);
  } else {
    result.verdict = WellUsed(profile, result.findings, names);
    for (size_t i = 0; i < profile.slices.size(); ++i) {
      if (BusyShare(profile.slices[i]) < BusyShare(profile.slices[result.worst.value_or(i)])) result.worst = i;
    }
  }
  return result;
}

}  // namespace migprof::render
