// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/analyze/lines/sample_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "libmigprof/analyze/build_id.h"

namespace migprof::analyze {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

SampleLibrary::SampleLibrary() : library_(dlopen(MIGPROF_SAMPLE_LIBRARY, RTLD_NOW)) {
  const int descriptor = OpenRegularFile(path());
  build_id_ = ReadBuildId(descriptor);
  close(descriptor);
  if (library_ == nullptr || build_id_.empty()) {
    std::fprintf(stderr, "%s cannot be used: %s\n", MIGPROF_SAMPLE_LIBRARY, dlerror());
    std::abort();
  }
}

std::string SampleLibrary::path() const { return MIGPROF_SAMPLE_LIBRARY; }
std::string SampleLibrary::stripped_path() const { return MIGPROF_SAMPLE_LIBRARY ".stripped"; }
std::string SampleLibrary::separate_path() const { return MIGPROF_SAMPLE_LIBRARY ".separate"; }

uint64_t SampleLibrary::AddressOf(const char* point) const {
  void* const address = dlsym(library_, point);
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0) std::abort();
  return reinterpret_cast<uint64_t>(address) - reinterpret_cast<uint64_t>(info.dli_fbase);
}

}  // namespace migprof::analyze
