// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/headline.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <utility>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/idle_cause.h"
#include "libmigprof/render/recorder_cost.h"

namespace migprof::render {
namespace {

using analyze::Health;
using analyze::Profile;
using analyze::SliceProfile;
using analyze::Totals;

struct Sum {
  uint64_t window_ns = 0;
  uint64_t recorded_ns = 0;
  uint64_t busy_ns = 0;
  Totals kernels;
  Totals memcpys;
  Totals memsets;
  Totals graph_runs;
  Health health;
  std::set<std::string> recordings;  // whose losses are in `health`
  size_t killed = 0;
};

void AddTotals(const Totals& totals, Totals* sum) {
  sum->count += totals.count;
  sum->total_ns += totals.total_ns;
  sum->bytes += totals.bytes;
}

void AddSlice(const SliceProfile& slice, Sum* sum) {
  sum->window_ns += slice.window_ns;
  sum->recorded_ns += slice.recorded_ns();
  sum->busy_ns += slice.busy_ns;
  AddTotals(slice.kernels, &sum->kernels);
  AddTotals(slice.memcpys, &sum->memcpys);
  AddTotals(slice.memsets, &sum->memsets);
  AddTotals(slice.graph_runs, &sum->graph_runs);
  analyze::AddHealth(slice.health, &sum->health);
  for (const analyze::ProcessInfo& process : slice.processes) {
    if (process.recording.empty() || sum->recordings.insert(process.recording).second) continue;
    for (const analyze::HealthField& field : analyze::kHealthFields) {  // it was on a slice before
      if (field.is_of_process) sum->health.*field.count -= process.health.*field.count;
    }
  }
  sum->killed += KilledProcesses(slice);
}

std::vector<std::string> PlaceOf(const std::vector<const SliceProfile*>& slices) {
  if (slices.empty()) return {"no GPU activity recorded"};
  std::vector<std::string> place;
  if (slices.size() == 1) {
    for (const analyze::Frame& frame : analyze::SlicePath(*slices[0])) {
      place.push_back(CleanText(frame.name));
    }
    return place;
  }
  std::set<std::string> hosts;
  std::set<std::pair<std::string, std::string>> gpus;  // with their host
  for (const SliceProfile* slice : slices) {
    const std::vector<analyze::Frame> path = analyze::SlicePath(*slice);
    if (path.size() < 2) continue;
    hosts.insert(CleanText(path[0].name));
    gpus.emplace(path[0].name, CleanText(path[1].name));
  }
  place.push_back(hosts.size() == 1 ? *hosts.begin() : CountOf(hosts.size(), "host", "hosts"));
  place.push_back(gpus.size() == 1 ? gpus.begin()->second : CountOf(gpus.size(), "GPU", "GPUs"));
  place.push_back(CountOf(slices.size(), "slice", "slices"));
  return place;
}

std::string CountAndTime(const Totals& totals) {
  std::string text = HumanCount(totals.count);
  if (totals.count != 0) text += " (" + HumanTime(totals.total_ns);
  if (totals.bytes != 0) text += ", " + HumanBytes(totals.bytes);
  return totals.count != 0 ? text + ')' : text;
}

std::vector<Figure> GpuTimeFigures(const Sum& sum, bool several) {
  const uint64_t gpu_ns = sum.kernels.total_ns + sum.memcpys.total_ns + sum.memsets.total_ns + sum.graph_runs.total_ns;
  std::vector<Figure> figures = {
      {"GPU time", HumanTime(gpu_ns)},
      {several ? "windows, summed" : "window", HumanTime(sum.window_ns)},
      {"busy", Percent(sum.busy_ns, sum.recorded_ns)},
      {"kernels", CountAndTime(sum.kernels)},
      {"copies", CountAndTime(sum.memcpys)},
  };
  if (sum.recorded_ns != sum.window_ns) {
    figures.insert(figures.begin() + 2, {"not recorded", HumanTime(sum.window_ns - sum.recorded_ns)});
  }
  if (sum.memsets.count != 0) figures.push_back({"memsets", CountAndTime(sum.memsets)});
  if (sum.graph_runs.count != 0) figures.push_back({"graphs", CountAndTime(sum.graph_runs)});
  return figures;
}

// The three causes with most of the time, each with its share of it.
std::vector<Figure> IdleFigures(const std::vector<const SliceProfile*>& slices, const Sum& sum) {
  std::array<std::pair<uint64_t, size_t>, analyze::kIdleCauses> causes = {};
  uint64_t idle_ns = 0;
  for (size_t cause = 0; cause < causes.size(); ++cause) {
    causes[cause].second = cause;
    for (const SliceProfile* slice : slices) causes[cause].first += slice->metrics.idle_ns[cause];
    idle_ns += causes[cause].first;
  }
  std::stable_sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Figure> figures = {
      {"idle", HumanTime(idle_ns)},
      {slices.size() > 1 ? "windows, summed" : "window", HumanTime(sum.window_ns)},
      {"idle share", Percent(idle_ns, sum.recorded_ns)},
  };
  for (size_t i = 0; i < 3 && causes[i].first != 0; ++i) {
    figures.push_back(
        {CauseLabel(static_cast<analyze::IdleCause>(causes[i].second)), Percent(causes[i].first, idle_ns)});
  }
  return figures;
}

std::vector<Figure> MemoryFigures(const std::vector<const SliceProfile*>& slices) {
  if (slices.size() != 1) return {};
  const analyze::MemoryUse& memory = slices[0]->metrics.memory;
  std::vector<Figure> figures = {{"live at the peak", HumanBytes(memory.peak_bytes)}};
  if (const uint64_t size = slices[0]->identity.memory_bytes; size != 0) {
    figures.push_back({"of the slice's", HumanBytes(size)});
  }
  if (memory.peak_ns >= slices[0]->first_ns && slices[0]->first_ns != 0) {
    figures.push_back({"reached after", HumanTime(memory.peak_ns - slices[0]->first_ns)});
  }
  figures.push_back({"allocations", HumanCount(memory.allocations)});
  figures.push_back({"releases", HumanCount(memory.releases)});
  return figures;
}

void AppendPart(const std::string& part, std::string* text) { text->append(" · ").append(part); }

}  // namespace

std::string Headline::Title() const {
  std::string title = "migprof — ";
  for (size_t i = 0; i < place.size(); ++i) title += (i == 0 ? "" : " / ") + place[i];
  if (view != FlamegraphView::kGpuTime) title.append(" / ").append(ViewLabel(view));
  return title;
}

Headline MakeHeadline(const Profile& profile, std::optional<size_t> slice, FlamegraphView view) {
  std::vector<const SliceProfile*> slices;
  Sum sum;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    if (slice.has_value() && *slice != i) continue;
    slices.push_back(&profile.slices[i]);
    AddSlice(profile.slices[i], &sum);
  }
  Headline headline;
  headline.view = view;
  headline.place = PlaceOf(slices);
  headline.figures = view == FlamegraphView::kIdle     ? IdleFigures(slices, sum)
                     : view == FlamegraphView::kMemory ? MemoryFigures(slices)
                                                       : GpuTimeFigures(sum, slices.size() > 1);
  if (const std::string cost = DescribeRecorderCost(SumRecorderCost(slices)); !cost.empty()) {
    headline.figures.push_back({"recording itself", cost});
  }
  headline.health = DescribeHealth(sum.health, sum.killed);
  headline.loss = analyze::HasLoss(sum.health) || sum.killed != 0;
  headline.verdict = slices.empty() && !headline.loss ? "Nothing recorded" : Verdict(sum.health, headline.loss);
  headline.simulated = std::any_of(slices.begin(), slices.end(), [](const SliceProfile* s) { return s->simulated; }) ||
                       (!slice.has_value() && profile.simulated);
  return headline;
}

std::string DescribeRotated(const Health& health) {
  return CountOf(health.rotated_launches, "launch", "launches") + " and " +
         CountOf(health.rotated_activities, "activity", "activities") + " deleted with " +
         CountOf(health.rotated_files, "old file", "old files") + " (" + HumanBytes(health.rotated_bytes) + ")";
}

const char* Verdict(const Health& health, bool loss) {
  if (loss) return "⚠ Trace incomplete";
  return health.rotated_files != 0 ? "✓ Nothing lost but what was to be deleted" : "✓ Trace complete";
}

std::string DescribeHealth(const Health& health, size_t killed) {
  std::string text = CountOf(health.launches, "launch", "launches");
  AppendPart(HumanCount(health.matched) + " matched", &text);
  AppendPart(HumanCount(health.unmatched) + " unmatched", &text);
  AppendPart(HumanCount(health.dropped) + " dropped", &text);
  AppendPart(HumanCount(health.untimed) + " untimed", &text);
  AppendPart(CountOf(health.damaged_bytes, "byte", "bytes") + " damaged", &text);
  const auto append_if_any = [&text](uint64_t count, const char* what) {
    if (count != 0) AppendPart(HumanCount(count) + ' ' + what, &text);
  };
  append_if_any(health.captured, "captured into graphs");
  append_if_any(health.failed, "failed");
  append_if_any(health.unplaced, "dropped on an unknown slice");
  append_if_any(health.other_calls_dropped, "other calls dropped");
  append_if_any(health.orphaned, "without their launch");
  append_if_any(health.stackless, "without a stack");
  append_if_any(health.graph_unattributed, "of graphs without the code that captured them");
  append_if_any(health.truncated, "with a truncated stack");
  append_if_any(health.sampled_out, "with an estimated stack");
  append_if_any(health.python_lost, "without their Python frames");
  if (health.ranges_lost != 0) AppendPart(CountOf(health.ranges_lost, "range", "ranges") + " lost", &text);
  append_if_any(health.unspliced, "with Python frames in a block");
  append_if_any(health.missing_chunks, "chunks missing");
  if (health.rotated_files != 0) AppendPart(DescribeRotated(health), &text);
  append_if_any(health.cut_off_launches, "whose work was deleted");
  append_if_any(health.cut_off_activities, "whose launch was deleted");
  if (health.taken_over_ns != 0) {
    AppendPart(
        "another CUPTI client took over at " + ClockTimeUtc(health.taken_over_ns) + ": what came after is not recorded",
        &text);
  } else if (health.stopped) {
    AppendPart("recording stopped early", &text);
  }
  if (health.killed && killed == 0) killed = 1;
  if (killed != 0) AppendPart(CountOf(killed, "process", "processes") + " killed", &text);
  return text;
}

size_t KilledProcesses(const SliceProfile& slice) {
  const auto killed = std::count_if(slice.processes.begin(), slice.processes.end(),
                                    [](const analyze::ProcessInfo& p) { return p.health.killed; });
  return std::max<size_t>(static_cast<size_t>(killed), slice.health.killed ? 1 : 0);
}

}  // namespace migprof::render
