// SPDX-License-Identifier: Apache-2.0
// Trace files in, profile out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libmigprof/analyze/frame_names.h"
#include "libmigprof/analyze/profile.h"
#include "libmigprof/analyze/trace_scan.h"

namespace migprof::analyze {

struct AnalysisOptions {
  StackView view;
  int threads = 0;      // 0: one per core
  bool metrics = true;  // SliceProfile::metrics and ::memory; folded stacks need neither
  // Told now and then how far the work is; on the calling thread.
  std::function<void(uint64_t bytes_done, uint64_t bytes_total)> progress;
};

struct Analysis {
  Profile profile;
  std::vector<Problem> problems;  // by path and offset
  size_t files_read = 0;
  size_t files_unreadable = 0;
};

// The trace files that `inputs` name: files as they are, folders with every *.migtrace below them; sorted, each once.
// An input that does not exist becomes a problem.
std::vector<std::string> FindTraces(const std::vector<std::string>& inputs, std::vector<Problem>* problems);

// Reads and joins everything. The same files give the same profile, in whatever order they are named.
Analysis AnalyzeTraces(const std::vector<std::string>& inputs, const AnalysisOptions& options);

}  // namespace migprof::analyze
