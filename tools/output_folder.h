// SPDX-License-Identifier: Apache-2.0
// The folder that results are written to.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace migprof::tools {

// Writes one output at a time and remembers what was written. Nothing in the folder leads out of it: links there are
// replaced or refused, never followed.
class OutputFolder {
 public:
  explicit OutputFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Whether there is nothing in it yet, or no such folder.
  bool is_empty() const;

  // Writes a file, whole or not at all: what cannot be written is said on stderr. `name` is relative, of plain parts.
  void Write(const std::filesystem::path& name, const std::function<void(std::ostream&)>& body);

  bool failed() const { return failed_; }
  const std::vector<std::string>& written() const { return written_; }

 private:
  // The folder for a file, made if it is not there.
  std::error_code Make(const std::filesystem::path& folder) const;
  void SayUnwritable(const std::filesystem::path& path, const std::string& why);

  std::filesystem::path folder_;
  std::set<std::filesystem::path> unusable_;
  std::vector<std::string> written_;
  bool failed_ = false;
};

}  // namespace migprof::tools
