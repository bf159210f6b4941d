// SPDX-License-Identifier: Apache-2.0
// One trace file -> weights per call site and kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/busy_time.h"
#include "libmigprof/analyze/file_budget.h"
#include "libmigprof/analyze/frame_names.h"
#include "libmigprof/analyze/graph_nodes.h"
#include "libmigprof/analyze/idle_gaps.h"
#include "libmigprof/analyze/launch_join.h"
#include "libmigprof/analyze/profile.h"
#include "libmigprof/analyze/site_weights.h"
#include "libmigprof/analyze/slice_meter.h"
#include "libmigprof/analyze/stack_tree.h"
#include "libmigprof/analyze/trace_definitions.h"
#include "libmigprof/analyze/trace_scan.h"
#include "libmigprof/format/chunk_reader.h"

namespace migprof::analyze {

// What the events of one file add up to.
struct FileTotals {
  Totals kernels;
  Totals memcpys;
  Totals memsets;
  Totals graph_runs;
  uint64_t graph_launches = 0;
  uint64_t synchronize_ns = 0;
  uint64_t allocated_bytes = 0;
  uint64_t untimed = 0;
  uint64_t stackless = 0;
  uint64_t graph_unattributed = 0;
  uint64_t truncated = 0;
  uint64_t python_lost = 0;
  uint64_t sampled_out = 0;
  uint64_t unspliced = 0;     // known after AddStacks
  uint64_t cut_off = 0;       // activities whose call was in a file that was deleted
  uint64_t not_recorded = 0;  // activities of calls that were made while recording was stopped: left out
};

// Takes the chunks of one file in file order. Inside, everything is numbers; names are looked up once, at the end,
// because a function's name may be written after the calls it made. Not thread-safe.
class FileAnalysis {
 public:
  // What a file is in its slice.
  struct Role {
    uint16_t number = 0;                               // among the slice's files
    SliceMeter* meter = nullptr;                       // told everything; null when no metrics are wanted
    uint32_t memory_process = 0;                       // its number in the meter's memory
    const std::vector<TracePause>* pauses = nullptr;   // of the process; null: none
    const std::vector<RotatedGap>* rotated = nullptr;  // of its files; null: none
  };
  // Adds the busy intervals to `busy`. It and what the role points to must outlive this. `file_bytes`: its size.
  FileAnalysis(BusyTime* busy, const Role& role, uint64_t file_bytes)
      : busy_(busy), role_(role), meter_(role.meter), budget_(file_bytes), graph_nodes_(MostNodeChanges(file_bytes)) {}

  // The chunks that follow are of another file of the recording.
  void BeginPart(const TracePart& part);
  // False when the chunk makes no sense; what could be used of it has been.
  bool Take(const format::Chunk& chunk);
  // Why the last Take was false.
  const char* trouble() const { return budget_.is_spent() ? kTooManyDefinitions : trouble_; }
  // What is kept of the file. Once it is spent, no more chunks may be taken.
  const FileBudget& budget() const { return budget_; }

  // Only with a meter: a time in which nothing ran, and that work of this file ended. In order of time, after the chunk
  // that holds that work.
  void TakeGap(uint64_t start, uint64_t end, const WorkOrigin& ended_by) {
    if (!ended_by.is_repeated || !blocking_calls_.HasNone(ended_by.thread, start)) [[unlikely]]
      return DivideGap(start, end, ended_by);
    // What that would say, too: there is a gap for nearly every kernel of a program that is launch-bound.
    const uint64_t asked = std::clamp(ended_by.call_ns, start, end);
    idle_.Add(ended_by.site, asked - start, end - asked);
    meter_->idle_timeline()->Add(IdleCause::kHost, start, asked);
    meter_->idle_timeline()->Add(IdleCause::kLaunchLatency, asked, end);
  }
  // The same for a time that no more work of this file ended, while its process was there.
  void TakeTimeAfterWork(uint64_t start, uint64_t end);

  // Adds all stacks with their weights below node `under` of `tree`, and the idle time they ended below `idle_under` of
  // `idle`. Call once, after the last Take.
  void AddStacks(const StackView& view, FrameTable* frames, StackTree* tree, NodeId under, StackTree* idle,
                 NodeId idle_under);

  // Adds the memory that was live at the slice's peak, by what allocated it. After AddStacks, and after the last Take
  // of every process.
  void AddMemory(StackTree* tree, NodeId under);
  // Tells the meter how often which kernel ran. Call once, after the last Take.
  void CountLaunches();

  const FileTotals& totals() const { return totals_; }
  IdleTimes idle() const { return idle_.Sum(); }
  const LaunchJoin::Counts& FinishJoin() { return join_.Finish(); }

 private:
  using LeafId = uint32_t;

  // A place in the program that gives the GPU work.
  struct CallSite {
    uint64_t stack_node = 0;
    uint64_t python_node = 0;
    uint64_t api = 0;  // string id
    uint64_t range_node = 0;
    bool is_graph_launch = false;
    // Of work in a graph, two places: where the graph was launched, and where its node was captured or added. Their own
    // sites; the fields above then mean nothing.
    CallSiteId launched_at = kUnknownSite;
    CallSiteId captured_at = kUnknownSite;
    bool truncated = false;    // the outermost frames are missing
    bool after_work = false;   // no call at all: stands for the time after the last work
    bool sampled_out = false;  // there is no stack: those of other calls stand for it
    bool cut_off = false;      // no call either: it was in a file that was deleted
    uint32_t stands_for = 1;   // calls, itself included, for which its stack stands

    bool operator==(const CallSite&) const = default;
    template <typename H>
    friend H AbslHashValue(H hash, const CallSite& site) {
      return H::combine(std::move(hash), site.stack_node, site.python_node, site.range_node, site.api,
                        site.is_graph_launch, site.truncated, site.after_work, site.sampled_out, site.cut_off,
                        site.stands_for);
    }
  };
  enum class LeafKind : uint8_t { kKernel, kTransfer, kGraphRun };
  struct Leaf {
    uint64_t id = 0;  // kernel shape, or column::transfers::kWhat
    LeafKind kind = LeafKind::kKernel;
    uint32_t function = 0;                 // of kernels: index of first_call_ns_
    uint32_t kernel = 0;                   // of the meter
    DurationCounter* durations = nullptr;  // … its own
  };
  // The last ones that were asked for; see InternSite.
  static constexpr int kKnownSitesLog2 = 12;
  struct KnownLeaf {
    uint64_t id = 0;
    LeafKind kind = LeafKind::kKernel;
    bool is_known = false;
    LeafId leaf = 0;
  };

  void DivideGap(uint64_t start, uint64_t end, const WorkOrigin& ended_by);
  bool TakeKind(const format::Chunk& chunk);
  // Marks activities as untimed whose times are not within those of their chunk. False when there are any.
  bool CheckTimes(const format::Chunk& chunk, const std::vector<uint64_t>& starts,
                  const std::vector<uint64_t>& durations, std::vector<uint64_t>* flags);
  bool TakeCalls(const format::Chunk& chunk);
  bool TakeOutcomes(const format::Chunk& chunk);
  bool TakeGraphNodes(const format::Chunk& chunk);
  bool TakeGraphRuns(const format::Chunk& chunk);
  bool TakeKernels(const format::Chunk& chunk);
  bool TakeTransfers(const format::Chunk& chunk);
  bool TakeAllocations(const format::Chunk& chunk);
  bool TakeSynchronizations(const format::Chunk& chunk);
  // Whether an activity is that of a call which was not recorded because recording was stopped. Then it is counted so.
  bool IsOfStoppedTime(uint64_t correlation);
  // Whether the call of this id, which is not there, was in a file that was deleted.
  bool IsRotated(uint32_t correlation) const;
  CallSiteId InternSite(const CallSite& site);
  CallSiteId FindOrAddSite(const CallSite& site);
  // The site of work of graph node `node` that was launched at `launched_at`, at `time_ns`.
  CallSiteId InternGraphSite(CallSiteId launched_at, uint64_t node, uint64_t time_ns);
  LeafId InternLeaf(uint64_t id, LeafKind kind);
  LeafId FindOrAddLeaf(uint64_t id, LeafKind kind);
  // Returns when the call that caused it was entered; 0 when its call is not in the trace.
  uint64_t AddActivity(uint64_t correlation, LeafId leaf, uint64_t start, uint64_t duration, uint64_t flags,
                       uint64_t graph_node, Totals* totals);
  // Gives what belongs to calls without a stack to the sites that stand for them.
  void SpreadSampledOut(SiteWeights::List* weights) const;
  // What a site takes of the budget: itself, and its path in the tree of stacks.
  uint64_t CostOf(const CallSite& site) const;
  // The node of `tree` for a site.
  NodeId PlaceOf(CallSiteId site, FrameNames* names, StackTree* tree, NodeId under, bool* unspliced) const;

  BusyTime* busy_;
  Role role_;
  SliceMeter* meter_;
  FileBudget budget_;
  const char* trouble_ = "";
  TraceDefinitions definitions_{&budget_};
  LaunchJoin join_;
  uint64_t part_first_ns_ = 0;
  bool needs_carried_ = true;  // what a file repeats of those before it is to be read: they are not there
  GraphNodes graph_nodes_;
  ConstructionCalls construction_calls_;
  ConstructionCalls allocation_calls_;
  std::optional<FrameNames> names_;  // once AddStacks has begun
  FileTotals totals_;
  std::vector<CallSite> sites_{CallSite{}};  // [kUnknownSite] stands for calls that are not in the trace
  std::vector<uint64_t> site_calls_{0};
  absl::flat_hash_map<CallSite, CallSiteId> site_ids_;
  std::vector<CallSiteId> known_sites_ = std::vector<CallSiteId>(size_t{1} << kKnownSitesLog2);
  std::vector<KnownLeaf> known_leaves_{1024};
  std::vector<Leaf> leaves_;
  absl::flat_hash_map<uint64_t, CallSiteId> graph_site_ids_;  // by launched_at << 32 | captured_at
  absl::flat_hash_map<std::pair<uint64_t, LeafKind>, LeafId> leaf_ids_;
  SiteWeights weights_;       // by leaf
  uint16_t last_thread_ = 0;  // that made a call
  BlockingCalls blocking_calls_;
  absl::flat_hash_map<uint64_t, uint32_t> functions_;  // kernel's name -> index of
  std::vector<uint64_t> first_call_ns_{0};             // … the earliest call that launched it
  IdleBySite idle_;

  // Columns of the chunk at hand, kept to spare the allocations.
  std::vector<uint64_t> columns_[10];
};

}  // namespace migprof::analyze
