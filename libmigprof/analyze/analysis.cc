// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/analysis.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "libmigprof/analyze/recordings.h"
#include "libmigprof/analyze/slice_analysis.h"
#include "libmigprof/analyze/slice_groups.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;

// Runs `task(i)` for i in [0, count) on `threads` threads, and `idle()` a few times a second on this one until all are
// done.
template <typename Task, typename Idle>
void RunAll(size_t count, size_t threads, Task&& task, Idle&& idle) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::condition_variable finished;
  size_t running = std::min(std::max<size_t>(threads, 1), std::max<size_t>(count, 1));
  std::vector<std::thread> workers;
  for (size_t i = running; i > 0; --i) {
    workers.emplace_back([&] {
      for (size_t item = next++; item < count; item = next++) task(item);
      const std::lock_guard lock(mutex);
      --running;
      finished.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  while (!finished.wait_for(lock, std::chrono::milliseconds(100), [&] { return running == 0; })) idle();
  lock.unlock();
  for (std::thread& worker : workers) worker.join();
}

auto SortKey(const SliceProfile& slice) {
  const mig::SliceIdentity& identity = slice.identity;
  return std::tuple(slice.host, slice.boot_id, identity.gpu_uuid, identity.gpu_instance_id.value_or(0),
                    identity.compute_instance_id.value_or(0), identity.mig_uuid, identity.profile, identity.sm_count,
                    identity.memory_bytes, slice.first_ns);
}

// Puts the slices, each with frames of its own, into one profile with common frames.
void Assemble(std::vector<SliceResult> results, Analysis* analysis) {
  std::sort(results.begin(), results.end(),
            [](const SliceResult& a, const SliceResult& b) { return SortKey(a.profile) < SortKey(b.profile); });
  for (SliceResult& result : results) {
    analysis->files_read -= result.files_left_out;
    analysis->files_unreadable += result.files_left_out;
    for (Problem& problem : result.problems) analysis->problems.push_back(std::move(problem));
    if (result.profile.processes.empty()) continue;
    std::vector<FrameId> frames;
    for (FrameId id = 0; id < result.frames.size(); ++id) {
      frames.push_back(analysis->profile.frames.Intern(result.frames[id]));
    }
    for (StackTree* tree : {&result.profile.stacks, &result.profile.idle, &result.profile.memory}) {
      StackTree renumbered;
      renumbered.Merge(*tree, frames);
      *tree = std::move(renumbered);
    }
    analysis->profile.simulated |= result.profile.simulated;
    analysis->profile.slices.push_back(std::move(result.profile));
  }
  TellApart(&analysis->profile.slices);
}

// Folders in folders beyond this depth are not entered: each level costs a descriptor.
constexpr int kDeepestFolder = 64;

// Adds the traces in a folder, which somebody else may have made. A link in it that leads out of it is not followed: it
// would bring what the reader may read, and its maker may not, into a report that is given back to him.
void FindTracesIn(const std::string& folder, std::vector<std::string>* files, std::vector<Problem>* problems) {
  std::error_code error;
  const std::string inside = (fs::canonical(folder, error) / "").string();
  for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry.depth() >= kDeepestFolder && entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      entry.disable_recursion_pending();
      problems->push_back({entry->path().string(), 0, 0, "not entered: too deep in folders"});
    }
    if (entry->path().extension() != format::kFileSuffix) continue;
    if (entry->is_symlink(ignored)) {
      const std::string target = fs::canonical(entry->path(), ignored).string();
      if (!ignored && !target.starts_with(inside)) {
        problems->push_back({entry->path().string(), 0, 0, "left out: a link that leads out of the folder"});
        continue;
      }
    }
    files->push_back(entry->path().string());
  }
  if (error) problems->push_back({folder, 0, 0, error.message()});
}

}  // namespace

std::vector<std::string> FindTraces(const std::vector<std::string>& inputs, std::vector<Problem>* problems) {
  std::vector<std::string> files;
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      // Anything that is not a folder is opened as a file, and says itself what is wrong with it.
      files.push_back(input);
      continue;
    }
    FindTracesIn(input, &files, problems);
  }
  std::sort(files.begin(), files.end());
  // One file may be named in several ways.
  std::set<std::pair<uint64_t, uint64_t>> seen;
  std::set<std::string> missing;
  std::erase_if(files, [&](const std::string& file) {
    struct stat status;
    if (stat(file.c_str(), &status) != 0) return !missing.insert(file).second;
    return !seen.emplace(status.st_dev, status.st_ino).second;
  });
  return files;
}

namespace {

std::vector<const TraceScan*> PointersTo(const std::vector<absl::StatusOr<TraceScan>>& scans) {
  std::vector<const TraceScan*> pointers;
  for (const absl::StatusOr<TraceScan>& scan : scans) pointers.push_back(&*scan);
  return pointers;
}

// Leaves of each trace the best copy, and says so of the others: one made while the process ran, or kept beside the
// original, must not count twice.
void LeaveOutCopies(std::vector<absl::StatusOr<TraceScan>>* scans, Analysis* analysis) {
  const auto rank = [](const TraceScan& scan) {
    return std::tuple(scan.damaged_bytes == 0, scan.closed, scan.last_ns, scan.bytes);
  };
  // By slice, process and its start.
  std::map<std::tuple<size_t, uint32_t, uint64_t>, size_t> best;
  std::vector<size_t> slice_of(scans->size());
  const std::vector<std::vector<size_t>> slices = GroupBySlice(PointersTo(*scans));
  for (size_t slice = 0; slice < slices.size(); ++slice) {
    for (const size_t file : slices[slice]) slice_of[file] = slice;
  }
  std::vector<size_t> left_out;
  for (size_t i = 0; i < scans->size(); ++i) {
    const TraceScan& scan = *(*scans)[i];
    if (scan.process.start_ns == 0) continue;
    const auto [entry, is_new] = best.try_emplace({slice_of[i], scan.process.pid, scan.process.start_ns}, i);
    if (is_new) continue;
    const bool better = rank(scan) > rank(*(*scans)[entry->second]);
    left_out.push_back(better ? std::exchange(entry->second, i) : i);
    analysis->problems.push_back(
        {(*scans)[left_out.back()]->path, 0, 0, absl::StrCat("left out: a copy of ", (*scans)[entry->second]->path)});
  }
  std::sort(left_out.rbegin(), left_out.rend());
  for (const size_t i : left_out) scans->erase(scans->begin() + static_cast<ptrdiff_t>(i));
}

}  // namespace

Analysis AnalyzeTraces(const std::vector<std::string>& inputs, const AnalysisOptions& options) {
  Analysis analysis;
  const std::vector<std::string> paths = FindTraces(inputs, &analysis.problems);
  const size_t threads = options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  std::atomic<uint64_t> bytes_done{0};
  uint64_t bytes_total = 0;
  const auto report = [&] {
    if (options.progress) options.progress(bytes_done.load(std::memory_order_relaxed), bytes_total);
  };

  std::vector<absl::StatusOr<TraceScan>> scans(paths.size(), absl::UnknownError(""));
  RunAll(
      paths.size(), threads, [&](size_t i) { scans[i] = ScanTrace(paths[i]); }, report);

  for (size_t i = 0; i < scans.size(); ++i) {
    if (scans[i].ok()) continue;
    ++analysis.files_unreadable;
    analysis.problems.push_back({paths[i], 0, 0, std::string(scans[i].status().message())});
  }
  std::erase_if(scans, [](const auto& scan) { return !scan.ok(); });
  LeaveOutCopies(&scans, &analysis);
  analysis.files_read = scans.size();
  std::vector<TraceScan> files_scanned;
  for (absl::StatusOr<TraceScan>& scan : scans) files_scanned.push_back(*std::move(scan));
  const std::vector<TraceScan> recordings = JoinSegments(std::move(files_scanned));
  for (const TraceScan& recording : recordings) {
    for (const Problem& problem : recording.problems) analysis.problems.push_back(problem);
    for (const format::ChunkRef& chunk : recording.chunks) bytes_total += chunk.total_bytes();
  }

  std::vector<const TraceScan*> pointers;
  for (const TraceScan& recording : recordings) pointers.push_back(&recording);
  std::vector<std::vector<const TraceScan*>> work;
  for (const std::vector<size_t>& slice : GroupBySlice(pointers)) {
    std::vector<const TraceScan*>& files = work.emplace_back();
    for (const size_t file : slice) files.push_back(pointers[file]);
  }
  // The largest first: the last one to finish should be a small one.
  const auto bytes_of = [](const std::vector<const TraceScan*>& files) {
    uint64_t bytes = 0;
    for (const TraceScan* file : files) bytes += file->bytes;
    return bytes;
  };
  std::stable_sort(work.begin(), work.end(), [&](const auto& a, const auto& b) { return bytes_of(a) > bytes_of(b); });
  std::vector<SliceResult> results(work.size());
  RunAll(
      work.size(), threads,
      [&](size_t i) { results[i] = AnalyzeSlice(work[i], options.view, options.metrics, &bytes_done); }, report);
  report();

  Assemble(std::move(results), &analysis);
  std::sort(analysis.problems.begin(), analysis.problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.path, a.offset, a.what) < std::tie(b.path, b.offset, b.what);
  });
  return analysis;
}

}  // namespace migprof::analyze
