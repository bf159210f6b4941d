// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/file_analysis.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "libmigprof/analyze/trace_scan.h"

namespace migprof::analyze {

using format::Chunk;
using format::ChunkKind;
namespace column = format::column;

namespace {

// Columns beyond this are given back after their chunk: no honest one has so many rows, and many files are open at
// once.
constexpr size_t kMostKeptRows = 256 * 1024;

// Of the file's budget, about, with the growth of what holds them.
constexpr uint64_t kSiteBytes = 512;
constexpr uint64_t kPathBytes = 16;  // per frame: most are shared with other sites
constexpr uint64_t kLeafBytes = 512;
constexpr uint64_t kWeightBytes = 128;

}  // namespace

bool FileAnalysis::Take(const Chunk& chunk) {
  trouble_ = "the chunk's columns do not fit together";
  const bool sound = TakeKind(chunk) && !budget_.is_spent();
  for (std::vector<uint64_t>& column : columns_) {
    if (column.capacity() > kMostKeptRows) std::vector<uint64_t>().swap(column);
  }
  return sound;
}

void FileAnalysis::BeginPart(const TracePart& part) {
  part_first_ns_ = part.first_ns;
  needs_carried_ = part.follows_gap;
  if (!part.follows_gap) return;
  if (part.gap_is_rotated) join_.CutOff();
  // What was released meanwhile is not known; what is still there is told again.
  if (meter_ != nullptr) meter_->memory()->Forget(role_.memory_process, part.first_ns);
}

bool FileAnalysis::TakeKind(const Chunk& chunk) {
  switch (chunk.kind()) {
    case ChunkKind::kCalls:
      return TakeCalls(chunk);
    case ChunkKind::kCallOutcomes:
      return TakeOutcomes(chunk);
    case ChunkKind::kGraphNodes:
      return TakeGraphNodes(chunk);
    case ChunkKind::kGraphRuns:
      return TakeGraphRuns(chunk);
    case ChunkKind::kKernels:
      return TakeKernels(chunk);
    case ChunkKind::kTransfers:
      return TakeTransfers(chunk);
    case ChunkKind::kAllocations:
      return TakeAllocations(chunk);
    case ChunkKind::kSynchronizations:
      return TakeSynchronizations(chunk);
    default:
      return definitions_.Add(chunk);
  }
}

uint64_t FileAnalysis::CostOf(const CallSite& site) const {
  const auto depth = [](const auto* node) { return node != nullptr ? uint64_t{node->depth} : 0; };
  return kSiteBytes + kPathBytes * (depth(definitions_.StackNode(site.stack_node)) +
                                    depth(definitions_.PythonStackNode(site.python_node)) +
                                    depth(definitions_.RangeNode(site.range_node)));
}

CallSiteId FileAnalysis::InternSite(const CallSite& site) {
  // Programs go through the same few places again and again: this spares nearly all of them the hash of a whole site.
  const uint64_t mixed = (site.stack_node + 31 * site.python_node + 961 * site.range_node + site.api) *
                         0x9E37'79B9'7F4A'7C15;  // 2^64 / the golden ratio: the upper bits depend on all
  CallSiteId& known = known_sites_[mixed >> (64 - kKnownSitesLog2)];
  if (known == kUnknownSite || sites_[known] != site) known = FindOrAddSite(site);
  ++site_calls_[known];
  return known;
}

CallSiteId FileAnalysis::FindOrAddSite(const CallSite& site) {
  const auto [entry, is_new] = site_ids_.try_emplace(site, static_cast<CallSiteId>(sites_.size()));
  if (is_new) {
    budget_.Take(CostOf(site));
    sites_.push_back(site);
    site_calls_.push_back(0);
  }
  return entry->second;
}

CallSiteId FileAnalysis::InternGraphSite(CallSiteId launched_at, uint64_t node, uint64_t time_ns) {
  const CallSiteId captured_at = graph_nodes_.SiteOf(node, time_ns);
  if (captured_at == kUnknownSite) {
    ++totals_.graph_unattributed;
    return launched_at;
  }
  const auto [entry, is_new] =
      graph_site_ids_.try_emplace(uint64_t{launched_at} << 32 | captured_at, static_cast<CallSiteId>(sites_.size()));
  if (is_new) {
    budget_.Take(CostOf(sites_[launched_at]) + CostOf(sites_[captured_at]));
    sites_.push_back({.launched_at = launched_at, .captured_at = captured_at});
    site_calls_.push_back(0);
  }
  return entry->second;
}

FileAnalysis::LeafId FileAnalysis::InternLeaf(uint64_t id, LeafKind kind) {
  KnownLeaf& known = known_leaves_[(id * 4 + static_cast<uint64_t>(kind)) % known_leaves_.size()];
  if (known.id != id || known.kind != kind || !known.is_known) known = {id, kind, true, FindOrAddLeaf(id, kind)};
  return known.leaf;
}

FileAnalysis::LeafId FileAnalysis::FindOrAddLeaf(uint64_t id, LeafKind kind) {
  const auto [entry, is_new] = leaf_ids_.try_emplace({id, kind}, static_cast<LeafId>(leaves_.size()));
  if (is_new) {
    budget_.Take(kLeafBytes);
    Leaf& leaf = leaves_.emplace_back(Leaf{id, kind});
    if (meter_ != nullptr && kind == LeafKind::kKernel) {
      const uint64_t name = definitions_.KernelName(id);
      leaf.kernel = meter_->KernelId(definitions_.String(name));
      leaf.durations = meter_->Durations(leaf.kernel);
      const auto [function, is_first] = functions_.try_emplace(name, static_cast<uint32_t>(first_call_ns_.size()));
      if (is_first) first_call_ns_.push_back(UINT64_MAX);
      leaf.function = function->second;
    }
  }
  return entry->second;
}

bool FileAnalysis::TakeCalls(const Chunk& chunk) {
  auto& [correlations, stacks, apis, classes, flags, times, ranges, python, stand_for, threads] = columns_;
  if (!chunk.Column(column::calls::kCorrelation, &correlations) || !chunk.Column(column::calls::kStackNode, &stacks) ||
      !chunk.Column(column::calls::kApi, &apis) || !chunk.Column(column::calls::kClass, &classes) ||
      !chunk.Column(column::calls::kFlags, &flags) || !chunk.Column(column::calls::kTime, &times) ||
      !chunk.Column(column::calls::kRangeNode, &ranges) || !chunk.Column(column::calls::kPythonStackNode, &python) ||
      !chunk.Column(column::calls::kStandsFor, &stand_for) || !chunk.Column(column::calls::kThread, &threads)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size() && !budget_.is_spent(); ++row) {
    if ((flags[row] & format::kCallCarried) != 0 && !needs_carried_) continue;
    const auto call_class = static_cast<format::CallClass>(classes[row]);
    const uint16_t thread = last_thread_ = blocking_calls_.ThreadOf(threads[row]);
    if (format::MayBlock(call_class)) {
      blocking_calls_.Entered(static_cast<uint32_t>(correlations[row]), times[row], thread, call_class);
    }
    const bool constructs = call_class == format::CallClass::kGraphConstruction;
    const bool allocates = call_class == format::CallClass::kAllocate && meter_ != nullptr;
    if (classes[row] == 0 || !(constructs || allocates || format::GivesWork(call_class))) continue;
    const CallSiteId site = InternSite({.stack_node = stacks[row],
                                        .python_node = python[row],
                                        .api = apis[row],
                                        .range_node = ranges[row],
                                        .is_graph_launch = call_class == format::CallClass::kGraphLaunch,
                                        .truncated = (flags[row] & format::kCallStackTruncated) != 0,
                                        .sampled_out = (flags[row] & format::kCallStackSampledOut) != 0,
                                        .stands_for = std::max<uint32_t>(static_cast<uint32_t>(stand_for[row]), 1)});
    if (constructs) {
      construction_calls_.Add(static_cast<uint32_t>(correlations[row]), site);
      continue;
    }
    if (allocates) {
      allocation_calls_.Add(static_cast<uint32_t>(correlations[row]), site);
      continue;
    }
    totals_.graph_launches += call_class == format::CallClass::kGraphLaunch;
    totals_.stackless += (flags[row] & format::kCallStackMissing) != 0;
    totals_.truncated += (flags[row] & format::kCallStackTruncated) != 0;
    totals_.sampled_out += (flags[row] & format::kCallStackSampledOut) != 0;
    totals_.python_lost += (flags[row] & format::kCallPythonLost) != 0;
    join_.AddCall(static_cast<uint32_t>(correlations[row]), site, times[row], thread);
  }
  return true;
}

bool FileAnalysis::TakeOutcomes(const Chunk& chunk) {
  auto& [correlations, outcomes, details, unused1, unused2, unused3, unused4, unused5, unused6, unused7] = columns_;
  if (!chunk.Column(column::call_outcomes::kCorrelation, &correlations) ||
      !chunk.Column(column::call_outcomes::kOutcome, &outcomes) ||
      !chunk.Column(column::call_outcomes::kDetail, &details)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size(); ++row) {
    const auto correlation = static_cast<uint32_t>(correlations[row]);
    const auto outcome = static_cast<format::CallOutcome>(outcomes[row]);
    if (outcome == format::CallOutcome::kReturned) {
      blocking_calls_.Returned(correlation, details[row]);
      continue;
    }
    blocking_calls_.Forget(correlation);
    join_.AddOutcome(correlation, outcome);
  }
  return true;
}

bool FileAnalysis::TakeGraphNodes(const Chunk& chunk) {
  if (graph_nodes_.is_full()) return true;  // that has been told
  auto& [nodes, times, events, origins, correlations, counts, flags, unused1, unused2, unused3] = columns_;
  if (!chunk.Column(column::graph_nodes::kNode, &nodes) || !chunk.Column(column::graph_nodes::kTime, &times) ||
      !chunk.Column(column::graph_nodes::kEvent, &events) || !chunk.Column(column::graph_nodes::kOrigin, &origins) ||
      !chunk.Column(column::graph_nodes::kCorrelation, &correlations) ||
      !chunk.Column(column::graph_nodes::kCount, &counts) || !chunk.Column(column::graph_nodes::kFlags, &flags)) {
    return false;
  }
  // The rows of one thread are in order; those of several come one thread after the other.
  std::vector<uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&times = times](uint32_t a, uint32_t b) { return times[a] < times[b]; });
  bool sound = true;
  for (const uint32_t row : order) {
    if ((flags[row] & format::kRowCarried) != 0 && !needs_carried_) continue;
    GraphNodes::Event event{.event = static_cast<format::GraphNodeEvent>(events[row]),
                            .node = nodes[row],
                            .count = counts[row],
                            .time_ns = times[row],
                            .origin = origins[row]};
    if (event.event == format::GraphNodeEvent::kCreated && correlations[row] != 0) {
      const auto correlation = static_cast<uint32_t>(correlations[row]);
      event.site = construction_calls_.SiteOf(correlation);
      if (event.site == kUnknownSite) event.site = join_.SiteOf(correlation);
    }
    sound &= graph_nodes_.Add(event);
    if (graph_nodes_.is_full()) {
      trouble_ = "the file tells of more changes to nodes of graphs than are followed; the rest of them is left out";
      break;
    }
  }
  return sound;
}

// Whatever is counted of an activity's time relies on it: that no unread activity begins before the times its chunk
// says, and that none lies outside of the window that those times make.
bool FileAnalysis::CheckTimes(const Chunk& chunk, const std::vector<uint64_t>& starts,
                              const std::vector<uint64_t>& durations, std::vector<uint64_t>* flags) {
  const uint64_t first = chunk.header().first_ns;
  const uint64_t last = HasTimes(chunk.header()) ? chunk.header().last_ns : 0;
  bool all_fit = true;
  for (size_t row = 0; row < starts.size(); ++row) {
    const bool fits = starts[row] >= first && starts[row] <= last && durations[row] <= last - starts[row];
    if (fits || ((*flags)[row] & format::kActivityUntimed) != 0) continue;
    (*flags)[row] |= format::kActivityUntimed;
    all_fit = false;
  }
  if (!all_fit) trouble_ = "activities that are not in the time their chunk says; they count as untimed";
  return all_fit;
}

bool FileAnalysis::IsOfStoppedTime(uint64_t correlation) {
  if (role_.pauses == nullptr || role_.pauses->empty()) [[likely]]
    return false;
  const auto id = static_cast<uint32_t>(correlation);
  if (join_.SiteOf(id) != kUnknownSite) return false;
  const bool is_of_pause = std::any_of(role_.pauses->begin(), role_.pauses->end(),
                                       [id](const TracePause& pause) { return IsOfPause(pause, id); });
  totals_.not_recorded += is_of_pause;
  return is_of_pause;
}

bool FileAnalysis::IsRotated(uint32_t correlation) const {
  return role_.rotated != nullptr &&
         std::any_of(role_.rotated->begin(), role_.rotated->end(), [correlation](const RotatedGap& gap) {
           return gap.last_correlation != 0 && static_cast<int32_t>(correlation - gap.last_correlation) <= 0;
         });
}

uint64_t FileAnalysis::AddActivity(uint64_t correlation, LeafId leaf, uint64_t start, uint64_t duration, uint64_t flags,
                                   uint64_t graph_node, Totals* totals) {
  uint64_t launch_ns = 0;
  uint16_t thread = 0;
  CallSiteId site = join_.Match(static_cast<uint32_t>(correlation), &launch_ns, &thread);
  if (site == kUnknownSite && IsRotated(static_cast<uint32_t>(correlation))) {
    ++totals_.cut_off;
    site = InternSite({.cut_off = true});
  }
  if (graph_node != 0) site = InternGraphSite(site, graph_node, launch_ns != 0 ? launch_ns : start);
  const bool untimed = (flags & format::kActivityUntimed) != 0;
  if (untimed) {
    ++totals_.untimed;
    duration = 0;
  } else {
    const bool is_kernel = totals == &totals_.kernels;
    uint64_t& first_call_ns = first_call_ns_[leaves_[leaf].function];
    const bool is_repeated = is_kernel && launch_ns > first_call_ns;
    if (launch_ns != 0) first_call_ns = std::min(first_call_ns, launch_ns);
    busy_->Add({start, start + duration, {launch_ns, site, leaf, role_.number, thread, is_repeated}, is_kernel});
  }
  if (weights_.Add(site, leaf, duration)) budget_.Take(kWeightBytes);
  totals->total_ns += duration;
  ++totals->count;
  return launch_ns;
}

void FileAnalysis::DivideGap(uint64_t start, uint64_t end, const WorkOrigin& ended_by) {
  if (ended_by.call_ns == 0) {
    meter_->idle_timeline()->Add(IdleCause::kUnknown, start, end);
    return idle_.Add(ended_by.site, IdleCause::kUnknown, end - start);
  }
  const Leaf& leaf = leaves_[ended_by.leaf];
  const GapEnd gap_end{
      .call_ns = ended_by.call_ns,
      .thread = ended_by.thread,
      .is_transfer = leaf.kind == LeafKind::kTransfer,
      .is_first_launch = leaf.kind == LeafKind::kKernel && ended_by.call_ns == first_call_ns_[leaf.function]};
  idle_.Add(ended_by.site, blocking_calls_.Divide(start, end, gap_end, meter_->idle_timeline()));
}

void FileAnalysis::TakeTimeAfterWork(uint64_t start, uint64_t end) {
  idle_.Add(InternSite({.after_work = true}),
            blocking_calls_.Divide(start, end, {.call_ns = end, .thread = last_thread_}, meter_->idle_timeline()));
}

bool FileAnalysis::TakeKernels(const Chunk& chunk) {
  auto& [correlations, starts, durations, shapes, flags, graph_nodes, unused1, unused2, unused3, unused4] = columns_;
  if (!chunk.Column(column::kernels::kCorrelation, &correlations) || !chunk.Column(column::kernels::kStart, &starts) ||
      !chunk.Column(column::kernels::kDuration, &durations) || !chunk.Column(column::kernels::kShape, &shapes) ||
      !chunk.Column(column::kernels::kFlags, &flags) || !chunk.Column(column::kernels::kGraphNode, &graph_nodes)) {
    return false;
  }
  const bool sound = CheckTimes(chunk, starts, durations, &flags);
  for (size_t row = 0; row < correlations.size() && !budget_.is_spent(); ++row) {
    if (IsOfStoppedTime(correlations[row])) continue;
    const LeafId leaf = InternLeaf(shapes[row], LeafKind::kKernel);
    const uint64_t launch_ns = AddActivity(correlations[row], leaf, starts[row], durations[row], flags[row],
                                           graph_nodes[row], &totals_.kernels);
    if (meter_ == nullptr || (flags[row] & format::kActivityUntimed) != 0) continue;
    meter_->AddKernel(leaves_[leaf].durations, starts[row], durations[row], graph_nodes[row] == 0 ? launch_ns : 0);
  }
  return sound;
}

bool FileAnalysis::TakeTransfers(const Chunk& chunk) {
  auto& [correlations, starts, durations, bytes, what, flags, graph_nodes, unused1, unused2, unused3] = columns_;
  if (!chunk.Column(column::transfers::kCorrelation, &correlations) ||
      !chunk.Column(column::transfers::kStart, &starts) || !chunk.Column(column::transfers::kDuration, &durations) ||
      !chunk.Column(column::transfers::kBytes, &bytes) || !chunk.Column(column::transfers::kWhat, &what) ||
      !chunk.Column(column::transfers::kFlags, &flags) || !chunk.Column(column::transfers::kGraphNode, &graph_nodes)) {
    return false;
  }
  const bool sound = CheckTimes(chunk, starts, durations, &flags);
  for (size_t row = 0; row < correlations.size() && !budget_.is_spent(); ++row) {
    if (IsOfStoppedTime(correlations[row])) continue;
    Totals* totals = what[row] == format::kMemset ? &totals_.memsets : &totals_.memcpys;
    totals->bytes += bytes[row];
    AddActivity(correlations[row], InternLeaf(what[row], LeafKind::kTransfer), starts[row], durations[row], flags[row],
                graph_nodes[row], totals);
    if (meter_ == nullptr) continue;
    const bool untimed = (flags[row] & format::kActivityUntimed) != 0;
    if (what[row] != format::kMemset) meter_->AddCopy(what[row], untimed ? 0 : durations[row], bytes[row]);
  }
  return sound;
}

bool FileAnalysis::TakeGraphRuns(const Chunk& chunk) {
  auto& [correlations, starts, durations, flags, unused1, unused2, unused3, unused4, unused5, unused6] = columns_;
  if (!chunk.Column(column::graph_runs::kCorrelation, &correlations) ||
      !chunk.Column(column::graph_runs::kStart, &starts) || !chunk.Column(column::graph_runs::kDuration, &durations) ||
      !chunk.Column(column::graph_runs::kFlags, &flags)) {
    return false;
  }
  const bool sound = CheckTimes(chunk, starts, durations, &flags);
  for (size_t row = 0; row < correlations.size() && !budget_.is_spent(); ++row) {
    if (IsOfStoppedTime(correlations[row])) continue;
    AddActivity(correlations[row], InternLeaf(0, LeafKind::kGraphRun), starts[row], durations[row], flags[row], 0,
                &totals_.graph_runs);
    if (meter_ == nullptr || (flags[row] & format::kActivityUntimed) != 0) continue;
    meter_->AddUnknownKernels(durations[row]);
  }
  return sound;
}

bool FileAnalysis::TakeAllocations(const Chunk& chunk) {
  auto& [bytes, operations, kinds, correlations, times, addresses, flags, unused1, unused2, unused3] = columns_;
  if (!chunk.Column(column::allocations::kBytes, &bytes) ||
      !chunk.Column(column::allocations::kCorrelation, &correlations) ||
      !chunk.Column(column::allocations::kTime, &times) || !chunk.Column(column::allocations::kAddress, &addresses) ||
      !chunk.Column(column::allocations::kOperation, &operations) ||
      !chunk.Column(column::allocations::kMemory, &kinds) || !chunk.Column(column::allocations::kFlags, &flags)) {
    return false;
  }
  for (size_t row = 0; row < bytes.size(); ++row) {
    const bool allocates = operations[row] == static_cast<uint64_t>(format::AllocationOperation::kAllocate);
    const bool releases = operations[row] == static_cast<uint64_t>(format::AllocationOperation::kRelease);
    if (!(allocates || releases) || !format::IsDeviceMemory(kinds[row])) continue;
    const bool is_carried = (flags[row] & format::kRowCarried) != 0;
    if (is_carried && !needs_carried_) continue;
    if (allocates && !is_carried) totals_.allocated_bytes += bytes[row];
    if (meter_ == nullptr) continue;
    const auto correlation = static_cast<uint32_t>(correlations[row]);
    CallSiteId site = kUnknownSite;
    if (allocates) site = allocation_calls_.SiteOf(correlation);
    // The nodes of a graph allocate, too.
    if (allocates && site == kUnknownSite) site = join_.SiteOf(correlation);
    if (is_carried) site = construction_calls_.SiteOf(correlation);
    // What was allocated before is there when the file begins.
    meter_->memory()->Add({.time_ns = is_carried ? std::max(times[row], part_first_ns_) : times[row],
                           .address = addresses[row],
                           .bytes = bytes[row],
                           .order = correlation,
                           .process = role_.memory_process,
                           .site = site,
                           .is_release = releases,
                           .is_carried = is_carried});
  }
  return true;
}

bool FileAnalysis::TakeSynchronizations(const Chunk& chunk) {
  if (!chunk.Column(column::synchronizations::kDuration, &columns_[0])) return false;
  for (const uint64_t duration : columns_[0]) totals_.synchronize_ns += duration;
  return true;
}

}  // namespace migprof::analyze
