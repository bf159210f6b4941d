// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/line_table.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/build_id.h"
#include "libmigprof/analyze/dwarf_reader.h"
#include "libmigprof/analyze/isolated_task.h"
#include "libmigprof/analyze/line_protocol.h"

namespace migprof::analyze {
namespace {

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

// In the child. One search for one module.
class Search {
 public:
  Search(const std::string& build_id, const std::vector<uint64_t>& addresses, int output)
      : build_id_(build_id), addresses_(addresses), writer_(output) {}

  // Looks into each of `paths`, and into what their .gnu_debuglink names. True when one had debug information.
  bool Try(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      const int descriptor = OpenRegularFile(path);
      if (descriptor < 0) continue;
      if (ReadBuildId(descriptor) != build_id_) {
        close(descriptor);
        continue;
      }
      if (Use(descriptor, path)) return true;
      const std::string link = ReadDebugLink(descriptor);
      close(descriptor);
      if (link.empty()) continue;
      const std::string folder = FolderOf(path);
      for (const std::string& linked : {folder + link, folder + ".debug/" + link, "/usr/lib/debug" + folder + link}) {
        if (linked != path && TryOne(linked)) return true;
      }
    }
    return false;
  }

  bool TryOne(const std::string& path) { return TryDescriptor(OpenRegularFile(path), path); }

  bool TryDescriptor(int descriptor, const std::string& path) {
    return descriptor >= 0 && ReadBuildId(descriptor) == build_id_ && Use(descriptor, path);
  }

 private:
  bool Use(int descriptor, const std::string& path) {
    const std::unique_ptr<DwarfReader> reader = DwarfReader::Open(descriptor);
    if (reader == nullptr) return false;
    writer_.File(path);
    reader->Resolve(addresses_, [this](uint64_t address, const SourceChain& chain) { writer_.Chain(address, chain); });
    writer_.Flush();
    _exit(0);  // tearing down what is cached of a large file takes longer than forgetting it
  }

  const std::string& build_id_;
  const std::vector<uint64_t>& addresses_;
  LineWriter writer_;
};

}  // namespace

bool LineTable::IsAvailable() { return DwarfReader::IsAvailable(); }

LineTable::Module* LineTable::ModuleOf(const std::string& build_id) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Module>& module = modules_[build_id];
  if (module == nullptr) module = std::make_unique<Module>();
  return module.get();
}

std::vector<std::shared_ptr<const SourceChain>> LineTable::Find(const std::string& build_id, const std::string& path,
                                                                std::span<const uint64_t> addresses) {
  std::vector<std::shared_ptr<const SourceChain>> chains(addresses.size());
  if (build_id.empty() || !IsAvailable()) return chains;
  Module* const module = ModuleOf(build_id);
  const std::lock_guard lock(module->mutex);
  std::vector<uint64_t> fresh;
  for (const uint64_t address : addresses) {
    if (!module->chains.contains(address)) fresh.push_back(address);
  }
  if (!fresh.empty() && !module->failed) {
    std::sort(fresh.begin(), fresh.end());
    fresh.erase(std::unique(fresh.begin(), fresh.end()), fresh.end());
    for (const uint64_t address : fresh) module->chains[address] = nullptr;
    Read(build_id, path, fresh, module);
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    const auto known = module->chains.find(addresses[i]);
    if (known != module->chains.end()) chains[i] = known->second;
  }
  return chains;
}

bool LineTable::MayFetch() {
  const std::lock_guard lock(mutex_);
  return options_.debuginfod && IsDebuginfodConfigured() && fetching_ < options_.debuginfod_time;
}

void LineTable::Read(const std::string& build_id, const std::string& path, const std::vector<uint64_t>& addresses,
                     Module* module) {
  {
    const std::lock_guard lock(mutex_);
    reading_ = FileName(path);
  }
  const auto take = [&](const TaskResult& result) {
    const std::string file = ReadLines(result.output, [&](uint64_t address, SourceChain chain) {
      const auto known = module->chains.find(address);
      if (known != module->chains.end()) known->second = std::make_shared<const SourceChain>(std::move(chain));
    });
    const std::lock_guard lock(mutex_);
    if (!file.empty()) ++files_used_[file];
    if (result.failure.empty()) return !file.empty();
    // Once is enough: the file will not get better.
    module->failed = true;
    problems_.push_back(absl::StrCat(file.empty() ? path : file, ": reading its debug information ", result.failure,
                                     "; lines and inlined functions are missing"));
    return true;
  };
  const std::vector<std::string> candidates = files_.Candidates(build_id, path);
  TaskLimits limits;
  limits.time = options_.time;
  const bool found =
      take(RunIsolated([&](int output) { Search(build_id, addresses, output).Try(candidates); }, limits));
  if (!found && MayFetch()) {
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = static_cast<int>(options_.debuginfod_time.count());
    take(RunIsolated(
        [&](int output) {
          Search(build_id, addresses, output)
              .TryDescriptor(FetchDebugInfo(build_id, seconds), "debuginfod:" + build_id);
        },
        {.time = std::min<std::chrono::milliseconds>(options_.time, options_.debuginfod_time)}));
    const std::lock_guard lock(mutex_);
    fetching_ += std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  }
  const std::lock_guard lock(mutex_);
  reading_.clear();
}

std::string LineTable::reading() const {
  const std::lock_guard lock(mutex_);
  return reading_;
}

std::vector<std::string> LineTable::problems() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> sorted = problems_;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::vector<std::string> LineTable::files_used() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> files;
  for (const auto& [file, times] : files_used_) files.push_back(file);
  return files;
}

}  // namespace migprof::analyze
