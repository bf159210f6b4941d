// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/debug_files.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/build_id.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;

constexpr char kSystemFolder[] = "/usr/lib/debug";
// A folder that is named by mistake, "/" for example, must not be read for hours.
constexpr size_t kMostFiles = 100'000;

// Whoever wrote the trace chose the text, and names of files are made of it.
bool IsBuildId(const std::string& text) {
  return text.size() >= 4 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

void DebugFiles::IndexFolders() {
  size_t seen = 0;
  for (const std::string& folder : folders_) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error), end;
         !error && entry != end && seen < kMostFiles; entry.increment(error)) {
      ++seen;
      std::error_code ignored;
      if (!entry->is_regular_file(ignored)) continue;
      const int descriptor = OpenRegularFile(entry->path().string());
      if (descriptor < 0) continue;
      if (std::string id = ReadBuildId(descriptor); !id.empty()) by_build_id_.emplace(id, entry->path().string());
      close(descriptor);
    }
  }
}

std::vector<std::string> DebugFiles::Candidates(const std::string& build_id, const std::string& path) {
  std::vector<std::string> files;
  if (!IsBuildId(build_id)) return files;
  std::call_once(indexed_, [this] { IndexFolders(); });
  const std::string name = absl::StrCat("/.build-id/", build_id.substr(0, 2), "/", build_id.substr(2), ".debug");
  for (const std::string& folder : folders_) files.push_back(folder + name);
  const auto [first, last] = by_build_id_.equal_range(build_id);
  for (auto entry = first; entry != last; ++entry) files.push_back(entry->second);
  files.push_back(path);
  files.push_back(kSystemFolder + name);
  files.push_back(absl::StrCat(kSystemFolder, path, ".debug"));
  std::set<std::string> seen;
  std::erase_if(files, [&seen](const std::string& file) { return !seen.insert(file).second; });
  return files;
}

bool IsDebuginfodConfigured() {
  const char* const urls = std::getenv("DEBUGINFOD_URLS");
  return urls != nullptr && *urls != '\0';
}

int FetchDebugInfo(const std::string& build_id, int seconds) {
  if (!IsBuildId(build_id) || !IsDebuginfodConfigured()) return -1;
  void* const library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return -1;
  using Begin = void* (*)();
  using Find = int (*)(void* client, const unsigned char* build_id, int bytes, char** path);
  using End = void (*)(void* client);
  const auto begin = reinterpret_cast<Begin>(dlsym(library, "debuginfod_begin"));
  const auto find = reinterpret_cast<Find>(dlsym(library, "debuginfod_find_debuginfo"));
  const auto end = reinterpret_cast<End>(dlsym(library, "debuginfod_end"));
  if (begin == nullptr || find == nullptr || end == nullptr) return -1;
  setenv("DEBUGINFOD_TIMEOUT", std::to_string(seconds).c_str(), /*overwrite=*/0);
  void* const client = begin();
  if (client == nullptr) return -1;
  const std::string bytes = absl::HexStringToBytes(build_id);
  const int descriptor =
      find(client, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr);
  end(client);
  return descriptor < 0 ? -1 : descriptor;
}

}  // namespace migprof::analyze
