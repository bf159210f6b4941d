// SPDX-License-Identifier: Apache-2.0
// Where the debug information of a module may lie.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace migprof::analyze {

class DebugFiles {
 public:
  // `folders`: searched before all other places, in this order, for <folder>/.build-id/xx/yyyy.debug and for any file
  // with the wanted build id.
  explicit DebugFiles(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // Files that may have debug information for the build `build_id` (hexadecimal) of the module that was at `path`, most
  // likely first; none where `build_id` is none. None of them need exist, or be of that build: look before use. Any
  // thread.
  std::vector<std::string> Candidates(const std::string& build_id, const std::string& path);

 private:
  void IndexFolders();

  const std::vector<std::string> folders_;
  std::once_flag indexed_;
  std::multimap<std::string, std::string> by_build_id_;  // of the files in folders_
};

// Asks the servers named by DEBUGINFOD_URLS, through elfutils' client library if that is installed. Returns a
// descriptor of a file that is claimed to be of the build, or -1. Takes as long as the client's own limits allow
// (DEBUGINFOD_TIMEOUT, by default `seconds`). Not to be called while other threads run: it changes the environment.
int FetchDebugInfo(const std::string& build_id, int seconds);

// Whether the user has configured debuginfod.
bool IsDebuginfodConfigured();

}  // namespace migprof::analyze
