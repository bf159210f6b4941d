// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/file_analysis.h"

#include <algorithm>

namespace migprof::analyze {

using format::Chunk;
using format::ChunkKind;
namespace column = format::column;

bool FileAnalysis::Take(const Chunk& chunk) {
  switch (chunk.kind()) {
    case ChunkKind::kCalls:
      return TakeCalls(chunk);
    case ChunkKind::kCallOutcomes:
      return TakeOutcomes(chunk);
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

CallSiteId FileAnalysis::InternSite(const CallSite& site) {
  const auto [entry, is_new] = site_ids_.try_emplace(site, static_cast<CallSiteId>(sites_.size()));
  if (is_new) {
    sites_.push_back(site);
    site_calls_.push_back(0);
  }
  ++site_calls_[entry->second];
  return entry->second;
}

FileAnalysis::LeafId FileAnalysis::InternLeaf(uint64_t id, bool is_kernel) {
  const auto [entry, is_new] = leaf_ids_.try_emplace({id, is_kernel}, static_cast<LeafId>(leaves_.size()));
  if (is_new) leaves_.push_back({id, is_kernel});
  return entry->second;
}

bool FileAnalysis::TakeCalls(const Chunk& chunk) {
  auto& [correlations, stacks, apis, classes, flags, python] = columns_;
  if (!chunk.Column(column::calls::kCorrelation, &correlations) || !chunk.Column(column::calls::kStackNode, &stacks) ||
      !chunk.Column(column::calls::kApi, &apis) || !chunk.Column(column::calls::kClass, &classes) ||
      !chunk.Column(column::calls::kFlags, &flags) || !chunk.Column(column::calls::kPythonStackNode, &python)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size(); ++row) {
    const auto call_class = static_cast<format::CallClass>(classes[row]);
    if (classes[row] == 0 || !format::GivesWork(call_class)) continue;
    const bool is_graph_launch = call_class == format::CallClass::kGraphLaunch;
    totals_.graph_launches += is_graph_launch;
    totals_.stackless += (flags[row] & format::kCallStackMissing) != 0;
    const bool truncated = (flags[row] & format::kCallStackTruncated) != 0;
    totals_.truncated += truncated;
    totals_.python_lost += (flags[row] & format::kCallPythonLost) != 0;
    join_.AddCall(static_cast<uint32_t>(correlations[row]), InternSite({.stack_node = stacks[row],
                                                                        .python_node = python[row],
                                                                        .api = apis[row],
                                                                        .is_graph_launch = is_graph_launch,
                                                                        .truncated = truncated}));
  }
  return true;
}

bool FileAnalysis::TakeOutcomes(const Chunk& chunk) {
  auto& [correlations, outcomes, unused1, unused2, unused3, unused4] = columns_;
  if (!chunk.Column(column::call_outcomes::kCorrelation, &correlations) ||
      !chunk.Column(column::call_outcomes::kOutcome, &outcomes)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size(); ++row) {
    join_.AddOutcome(static_cast<uint32_t>(correlations[row]), static_cast<format::CallOutcome>(outcomes[row]));
  }
  return true;
}

void FileAnalysis::AddActivity(uint64_t correlation, LeafId leaf, uint64_t start, uint64_t duration, uint64_t flags,
                               Totals* totals) {
  const CallSiteId site = join_.Match(static_cast<uint32_t>(correlation));
  const bool untimed = (flags & format::kActivityUntimed) != 0;
  if (untimed) {
    ++totals_.untimed;
    duration = 0;
  } else {
    busy_->Add(start, start + duration);
  }
  Weight& weight = weights_[uint64_t{site} << 32 | leaf];
  weight.ns += duration;
  ++weight.count;
  totals->total_ns += duration;
  ++totals->count;
}

bool FileAnalysis::TakeKernels(const Chunk& chunk) {
  auto& [correlations, starts, durations, shapes, flags, unused] = columns_;
  if (!chunk.Column(column::kernels::kCorrelation, &correlations) || !chunk.Column(column::kernels::kStart, &starts) ||
      !chunk.Column(column::kernels::kDuration, &durations) || !chunk.Column(column::kernels::kShape, &shapes) ||
      !chunk.Column(column::kernels::kFlags, &flags)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size(); ++row) {
    const LeafId leaf = InternLeaf(shapes[row], true);
    AddActivity(correlations[row], leaf, starts[row], durations[row], flags[row], &totals_.kernels);
  }
  return true;
}

bool FileAnalysis::TakeTransfers(const Chunk& chunk) {
  auto& [correlations, starts, durations, bytes, what, flags] = columns_;
  if (!chunk.Column(column::transfers::kCorrelation, &correlations) ||
      !chunk.Column(column::transfers::kStart, &starts) || !chunk.Column(column::transfers::kDuration, &durations) ||
      !chunk.Column(column::transfers::kBytes, &bytes) || !chunk.Column(column::transfers::kWhat, &what) ||
      !chunk.Column(column::transfers::kFlags, &flags)) {
    return false;
  }
  for (size_t row = 0; row < correlations.size(); ++row) {
    Totals* totals = what[row] == format::kMemset ? &totals_.memsets : &totals_.memcpys;
    totals->bytes += bytes[row];
    AddActivity(correlations[row], InternLeaf(what[row], false), starts[row], durations[row], flags[row], totals);
  }
  return true;
}

bool FileAnalysis::TakeAllocations(const Chunk& chunk) {
  auto& [bytes, operations, kinds, unused1, unused2, unused3] = columns_;
  if (!chunk.Column(column::allocations::kBytes, &bytes) ||
      !chunk.Column(column::allocations::kOperation, &operations) ||
      !chunk.Column(column::allocations::kMemory, &kinds)) {
    return false;
  }
  for (size_t row = 0; row < bytes.size(); ++row) {
    if (operations[row] == static_cast<uint64_t>(format::AllocationOperation::kAllocate) &&
        format::IsDeviceMemory(kinds[row])) {
      totals_.allocated_bytes += bytes[row];
    }
  }
  return true;
}

bool FileAnalysis::TakeSynchronizations(const Chunk& chunk) {
  if (!chunk.Column(column::synchronizations::kDuration, &columns_[0])) return false;
  for (const uint64_t duration : columns_[0]) totals_.synchronize_ns += duration;
  return true;
}

void FileAnalysis::AddStacks(const StackView& view, FrameTable* frames, StackTree* tree, NodeId under) {
  FrameNames names(&definitions_, view, frames);
  std::vector<NodeId> site_nodes(sites_.size());
  std::vector<bool> site_done(sites_.size());
  std::vector<FrameId> leaf_frames(leaves_.size());
  for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    leaf_frames[leaf] = leaves_[leaf].is_kernel ? names.Kernel(leaves_[leaf].id) : names.Transfer(leaves_[leaf].id);
  }
  // In a fixed order, so that equal input gives equal trees.
  std::vector<std::pair<uint64_t, Weight>> weights(weights_.begin(), weights_.end());
  std::sort(weights.begin(), weights.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [key, weight] : weights) {
    const auto site = static_cast<CallSiteId>(key >> 32);
    if (!site_done[site]) {
      NodeId node = under;
      if (site == kUnknownSite) {
        node = tree->Child(node, names.Note("[unknown launch]"));
      } else {
        const CallSite& where = sites_[site];
        const ShownPath path =
            names.CallPath({where.stack_node, where.python_node, where.truncated}, definitions_.String(where.api));
        for (const FrameId frame : path.frames) node = tree->Child(node, frame);
        if (path.unspliced) totals_.unspliced += site_calls_[site];
        if (sites_[site].is_graph_launch) node = tree->Child(node, names.Note("[CUDA graph]", FrameKind::kGraph));
      }
      site_nodes[site] = node;
      site_done[site] = true;
    }
    tree->Add(tree->Child(site_nodes[site], leaf_frames[static_cast<LeafId>(key)]), weight.ns, weight.count);
  }
}

}  // namespace migprof::analyze
