// SPDX-License-Identifier: Apache-2.0
// Files for code that takes a path.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_input.h"

// A folder of this process, removed when it ends well.
inline const std::string& ScratchFolder() {
  static const std::string* const kFolder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "migprof-fuzz-XXXXXX").string();
    Check(mkdtemp(pattern.data()) != nullptr, "a folder can be made for the target's files");
    return new std::string(pattern);
  }();
  static const int kRegistered = std::atexit([] { std::filesystem::remove_all(ScratchFolder()); });
  (void)kRegistered;
  return *kFolder;
}

// Writes a file of which this process is the only user.
inline void WriteScratch(const std::string& path, std::string_view content, mode_t mode = 0600) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  Check(descriptor >= 0 && write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
            fchmod(descriptor, mode) == 0,
        "the target's file can be written");
  close(descriptor);
}
