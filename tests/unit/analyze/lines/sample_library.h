// SPDX-License-Identifier: Apache-2.0
// The library made of sample.cc, whole and stripped.
#pragma once

#include <cstdint>
#include <string>

namespace migprof::analyze {

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);

class SampleLibrary {
 public:
  SampleLibrary();

  std::string path() const;           // with debug information
  std::string stripped_path() const;  // without any; links to "sample.debug"
  std::string separate_path() const;  // the debug information of both
  const std::string& build_id() const { return build_id_; }
  // Of a POINT in sample.cc, in the address space of the file.
  uint64_t AddressOf(const char* point) const;

 private:
  void* library_;
  std::string build_id_;
};

}  // namespace migprof::analyze
