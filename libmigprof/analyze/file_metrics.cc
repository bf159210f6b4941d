// SPDX-License-Identifier: Apache-2.0
// What a file's events add to the metrics of its slice, once all of them are there.
#include "libmigprof/analyze/file_analysis.h"

namespace migprof::analyze {

void FileAnalysis::AddMemory(StackTree* tree, NodeId under) {
  meter_->memory()->ForEachAtPeak(role_.memory_process, [&](CallSiteId site, uint64_t bytes, uint64_t count) {
    bool unspliced = false;  // counted where the call is part of the stacks
    tree->Add(PlaceOf(site, &*names_, tree, under, &unspliced), bytes, count);
  });
}

void FileAnalysis::CountLaunches() {
  std::vector<Weight> by_leaf(leaves_.size());
  for (const auto& [key, weight] : weights_.InOrder()) {
    by_leaf[static_cast<LeafId>(key)].ns += weight.ns;
    by_leaf[static_cast<LeafId>(key)].count += weight.count;
  }
  for (LeafId leaf = 0; leaf < leaves_.size(); ++leaf) {
    if (leaves_[leaf].kind != LeafKind::kKernel) continue;
    meter_->AddLaunches(leaves_[leaf].kernel, definitions_.KernelShape(leaves_[leaf].id), by_leaf[leaf].count,
                        by_leaf[leaf].ns);
  }
}

}  // namespace migprof::analyze
